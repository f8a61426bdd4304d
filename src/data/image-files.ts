import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { readArchive } from './archive.ts';
import { sha256OfFile } from './checksum.ts';

/** Images in ImageNette's layout: `train/<class>/<name>.JPEG` and `val/<class>/<name>.JPEG`. */
export interface ImageFiles {
  /** Where they are, for messages. */
  readonly path: string;
  /** Changes with the images. */
  readonly key: string;
  /** Whether they are the published ones. */
  readonly published: boolean;
  /** Opens them: their paths below the folder, and how to read one. */
  open(): Promise<{ names: readonly string[]; read(name: string): Promise<Uint8Array> }>;
}

const IMAGE = /^(train|val)\/[^/.][^/]*\/[^/.][^/]*\.jpe?g$/i;
/** More than a hundred times what ImageNette's take. */
const MAX_BYTES = 2 ** 24;

/** The images in an archive, below the folder `unpacked` in it. Opening it reads all of them into memory. */
export async function archivedImages(path: string, unpacked: string, sha256: string): Promise<ImageFiles> {
  const key = await sha256OfFile(path);
  return {
    path,
    key,
    published: key === sha256,
    async open() {
      const prefix = `${unpacked}/`;
      const isImage = (name: string) => name.startsWith(prefix) && IMAGE.test(name.slice(prefix.length));
      const { files } = await readArchive(path, (name) => (isImage(name) ? MAX_BYTES : undefined));
      const names = [...files.keys()].map((name) => name.slice(prefix.length));
      return { names, read: async (name) => files.get(prefix + name)! };
    },
  };
}

/** The images in a folder. That one of them has changed is known by its size or time. */
export async function imagesInFolder(path: string): Promise<ImageFiles> {
  const listed = (await readdir(path, { recursive: true })).map((name) => name.replaceAll('\\', '/'));
  const names = listed.filter((name) => IMAGE.test(name)).sort();
  const key = createHash('sha256');
  for (const name of names) {
    const { size, mtimeMs } = await stat(join(path, name));
    if (size > MAX_BYTES) {
      throw new CollimateError(
        `${join(path, name)} has ${size} bytes, where ${MAX_BYTES} are the most for an image`,
        'Remove it, or put the right file there.',
      );
    }
    key.update(`${name}\n${size}\n${mtimeMs}\n`);
  }
  return {
    path,
    key: key.digest('hex'),
    published: false,
    open: async () => ({ names, read: (name) => readFile(join(path, name)) }),
  };
}
