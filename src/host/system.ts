import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { hasVulkanLoader } from './swiftshader.ts';

/** What of the system decides which adapters there are. */
export interface SystemFacts {
  readonly platform: string;
  readonly arch: string;
  /** `ID` and `VERSION_ID` of /etc/os-release, e.g. `debian` and `12`; empty elsewhere. */
  readonly distribution: string;
  readonly release: string;
  /** Whether the system's search finds a Vulkan loader (`libvulkan.so.1`). */
  readonly loader: boolean;
  /** Manifests of Vulkan drivers, one JSON file a driver. */
  readonly manifests: readonly string[];
  /** Environment variables that change which drivers the loader sees. */
  readonly environment: Readonly<Record<string, string>>;
  /** An NVIDIA kernel driver is visible. */
  readonly nvidia: boolean;
  /** Render nodes of GPUs, e.g. `/dev/dri/renderD128`, and whether this user may open them. */
  readonly renderNodes: readonly { readonly path: string; readonly usable: boolean }[];
  readonly container: boolean;
}

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

export function systemFacts(): SystemFacts {
  const { env } = process;
  const release = osRelease();
  const set = variables.filter((name) => env[name] !== undefined);
  return {
    platform: process.platform,
    arch: process.arch,
    distribution: release.ID ?? '',
    release: release.VERSION_ID ?? '',
    loader: hasVulkanLoader(),
    manifests: manifestFolders().flatMap((folder) => list(folder).filter((path) => path.endsWith('.json'))),
    environment: Object.fromEntries(set.map((name) => [name, env[name]!])),
    nvidia: existsSync('/dev/nvidiactl') || existsSync('/proc/driver/nvidia/version'),
    renderNodes: list('/dev/dri')
      .filter((path) => path.includes('renderD'))
      .map((path) => ({ path, usable: canOpen(path) })),
    container: existsSync('/.dockerenv') || existsSync('/run/.containerenv') || env.container !== undefined,
  };
}

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
