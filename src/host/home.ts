import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package and the version that its package.json tells; what is built lies elsewhere in it than the sources. */
export const { root, version } = home(dirname(fileURLToPath(import.meta.url)));

function home(folder: string): { root: string; version: string } {
  const file = join(folder, 'package.json');
  const { name, version } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return name === 'collimate' ? { root: folder, version } : home(dirname(folder));
}
