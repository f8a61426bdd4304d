import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where drivers, datasets and kernel choices are kept: `COLLIMATE_CACHE`, or the user's cache folder. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.COLLIMATE_CACHE) return env.COLLIMATE_CACHE;
  switch (process.platform) {
    case 'darwin':
      return join(homedir(), 'Library', 'Caches', 'collimate');
    case 'win32':
      return join(env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'collimate', 'Cache');
    default:
      return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'collimate');
  }
}
