import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package's folder and version, found upward, since built files lie elsewhere in it than sources. */
export const { root, version } = home(dirname(fileURLToPath(import.meta.url)));

function home(folder: string): { root: string; version: string } {
  const file = join(folder, 'package.json');
  const { name, version } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return name === 'collimate' ? { root: folder, version } : home(dirname(folder));
}
