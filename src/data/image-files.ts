import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CollimateError, unreadable } from '../errors.ts';
import { readArchive } from './archive.ts';
import { sha256OfFile } from './checksum.ts';

/** Images in ImageNette's layout: `train/<class>/<name>.JPEG` and `val/…`, or in subfolders of these. */
export interface ImageFiles {
  readonly path: string;
  /** Changes with the images. */
  readonly key: string;
  readonly published: boolean;
  /** Opens them: the paths of all files below the folder, images or not, and how to read an image. */
  open(): Promise<{ names: readonly string[]; read(name: string): Promise<Uint8Array> }>;
}

/** What sharp decodes, by its ending. Names that begin with a dot are a system's own. */
const IMAGE = /^(train|val)(\/[^/.][^/]*){2,}\.(jpe?g|png|webp|gif|tiff?|avif)$/i;
/** Files that are skipped among images, as they are none. */
const BESIDE = /^(train|val)(\/[^/.][^/]*)+$/;
/** More than a hundred times what ImageNette's take. */
const MAX_BYTES = 2 ** 24;

export const imagesAmong = (names: readonly string[]): { images: string[]; others: string[] } => ({
  images: names.filter((name) => IMAGE.test(name)),
  others: names.filter((name) => BESIDE.test(name) && !IMAGE.test(name)),
});

/** The images in an archive, below its folder `unpacked`. Opening it reads them all into memory. */
export async function archivedImages(path: string, unpacked: string, sha256: string): Promise<ImageFiles> {
  const key = await sha256OfFile(path);
  return {
    path,
    key,
    published: key === sha256,
    async open() {
      const prefix = `${unpacked}/`;
      const isBeside = (name: string) => name.startsWith(prefix) && BESIDE.test(name.slice(prefix.length));
      const { files } = await readArchive(path, (name) => (isBeside(name) ? MAX_BYTES : undefined));
      const names = [...files.keys()].map((name) => name.slice(prefix.length));
      return { names, read: async (name) => files.get(prefix + name)! };
    },
  };
}

/** The images in a folder. A changed size or time shows a changed image. */
export async function imagesInFolder(path: string): Promise<ImageFiles> {
  const names = (await filesBelow(path)).sort();
  const key = createHash('sha256');
  for (const name of imagesAmong(names).images) {
    const { size, mtimeMs } = await statOf(join(path, name));
    if (size > MAX_BYTES) {
      throw new CollimateError(
        `${join(path, name)} has ${size} bytes, expected at most ${MAX_BYTES} for an image`,
        REPLACE,
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

/** All files below a folder, through links but without cycles. */
async function filesBelow(root: string, folder = '', above: readonly string[] = []): Promise<string[]> {
  const path = join(root, folder);
  let names: string[];
  let real: string;
  try {
    real = await realpath(path);
    names = above.includes(real) ? [] : await readdir(path);
  } catch (cause) {
    throw brokenOrUnreadable(path, cause);
  }
  const found = await Promise.all(
    names.map(async (name) => {
      const below = folder === '' ? name : `${folder}/${name}`;
      const isFolder = !name.startsWith('.') && (await statOf(join(root, below))).isDirectory();
      return isFolder ? filesBelow(root, below, [...above, real]) : [below];
    }),
  );
  return found.flat();
}

const statOf = (path: string): Promise<Stats> =>
  stat(path).catch((cause) => {
    throw brokenOrUnreadable(path, cause);
  });

const REPLACE = 'Remove it, or put the right file there.';
const brokenOrUnreadable = (path: string, cause: unknown): CollimateError =>
  (cause as NodeJS.ErrnoException).code === 'ENOENT'
    ? new CollimateError(`${path} is a broken link`, REPLACE, { cause })
    : unreadable(path, cause, REPLACE);
