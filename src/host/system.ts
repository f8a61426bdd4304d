import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { hasVulkanLoader } from './swiftshader.ts';

const variables = [
  'VK_DRIVER_FILES',
  'VK_ICD_FILENAMES',
  'VK_ADD_DRIVER_FILES',
  'LD_LIBRARY_PATH',
  'NVIDIA_DRIVER_CAPABILITIES',
  'NVIDIA_VISIBLE_DEVICES',
  'COLLIMATE_ADAPTER',
  'COLLIMATE_CACHE',
  'COLLIMATE_ROBUST',
];

/** Facts of the system that decide which adapters there are. */
export function systemFacts() {
  const { env } = process;
  const release = osRelease();
  const set = variables.filter((name) => env[name] !== undefined);
  return {
    platform: process.platform as string,
    arch: process.arch as string,
    /** `ID` and `VERSION_ID` of /etc/os-release, e.g. `debian` and `12`; empty elsewhere. */
    distribution: release.ID ?? '',
    release: release.VERSION_ID ?? '',
    /** Whether the system's search finds a Vulkan loader. */
    loader: hasVulkanLoader(),
    /** Vulkan drivers' manifests, one JSON file each. */
    manifests: manifestFolders().flatMap((folder) => list(folder).filter((path) => path.endsWith('.json'))),
    /** Variables that change which drivers the loader sees. */
    environment: Object.fromEntries(set.map((name) => [name, env[name]!])),
    nvidia: existsSync('/dev/nvidiactl') || existsSync('/proc/driver/nvidia/version'),
    /** GPUs' device files, and whether this user may open them. */
    renderNodes: list('/dev/dri')
      .filter((path) => path.includes('renderD'))
      .map((path) => ({ path, usable: canOpen(path) })),
    container: existsSync('/.dockerenv') || existsSync('/run/.containerenv') || env.container !== undefined,
  };
}

export type SystemFacts = Readonly<ReturnType<typeof systemFacts>>;

/** Where the Vulkan loader looks for manifests on Linux, user folders first. */
function manifestFolders(): string[] {
  const { env } = process;
  const roots = [
    env.XDG_CONFIG_HOME || join(homedir(), '.config'),
    ...(env.XDG_CONFIG_DIRS || '/etc/xdg').split(':'),
    '/etc',
    env.XDG_DATA_HOME || join(homedir(), '.local/share'),
    ...(env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':'),
  ];
  return [...new Set(roots)].map((root) => join(root, 'vulkan', 'icd.d'));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function canOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function osRelease(): Record<string, string> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?([^"\n]*)"?$/gm);
    return Object.fromEntries([...lines].map((match) => [match[1]!, match[2]!]));
  } catch {
    return {};
  }
}
