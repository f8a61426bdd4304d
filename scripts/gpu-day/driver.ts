import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAtomically } from '../../src/atomic-write.ts';
import { loadLibrary } from '../../src/host/swiftshader.ts';
import type { SystemFacts } from '../../src/host/system.ts';

/** NVIDIA's Vulkan drivers, best first: the second needs no libraries of X11. */
const DRIVERS = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];
/** Where containers and clusters mount them, outside the system's search path. */
const FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/local/nvidia/lib64', '/usr/lib/wsl/lib'];

/**
 * Writes a driver's manifest for the Vulkan loader into `folder`, on machines with an NVIDIA GPU but no
 * manifest, and returns its path. Undefined if there is one, or no such driver.
 */
export function writtenManifest(
  { nvidia, manifests, environment }: Pick<SystemFacts, 'nvidia' | 'manifests' | 'environment'>,
  folder: string,
  load: (library: string) => boolean = loadLibrary,
): string | undefined {
  const chosen = environment.VK_DRIVER_FILES ?? environment.VK_ICD_FILENAMES;
  if (!nvidia || chosen !== undefined || manifests.some(isNvidias)) return undefined;
  const places = DRIVERS.flatMap((name) => [name, ...FOLDERS.map((at) => join(at, name)).filter(existsSync)]);
  const library = places.find(load);
  if (library === undefined) return undefined;
  const manifest = join(folder, 'nvidia_icd.json');
  const ICD = { library_path: library, api_version: '1.3.0' };
  writeAtomically(manifest, `${JSON.stringify({ file_format_version: '1.0.0', ICD }, null, 2)}\n`);
  return manifest;
}

function isNvidias(manifest: string): boolean {
  try {
    return readFileSync(manifest, 'utf8').includes('nvidia');
  } catch {
    return false;
  }
}
