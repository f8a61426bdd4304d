import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { needPackages, packageVersion } from '../host/packages.ts';
import { sha256 } from './checksum.ts';
import { type DatasetSplit, ownName, squareImages } from './dataset.ts';
import { type ImageFiles, imagesAmong } from './image-files.ts';
import { keepPixels, type Part, readPixels } from './pixel-cache.ts';

export interface DecodeOptions {
  readonly name: string;
  /** Height and width in pixels to resize images to. */
  readonly side: number;
  /** The folder where decoded pixels are kept, so that images are decoded only once. */
  readonly cache: string;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly say: (message: string) => void;
}

const CHANNELS = 3;
/** To change when images are decoded in another way. */
const METHOD = 'sharp, shorter side by lanczos3, centre, in the order of hashes, with a checksum';
const MAX_PIXELS = 2 ** 26;
/** Maximum bytes of one part: an array's. */
const MAX_BYTES = 2 ** 32 - 1;

/**
 * Decodes images of any size: resizes the shorter side to `side`, crops the longer at both ends, and gives
 * gray images three equal channels. Classes are the folders of `train` in alphabetical order. Images are
 * ordered by their names' hashes, which mixes the classes the same way everywhere.
 * @throws CollimateError if `sharp` or images are missing, or naming one that cannot be decoded
 */
export async function decodeImages(files: ImageFiles, options: DecodeOptions): Promise<DatasetSplit> {
  const { name, side, cache, say } = options;
  if (!Number.isInteger(side) || side < 8 || side > 1024) {
    throw new CollimateError(
      `cannot resize images to ${side} pixels a side`,
      'Give a whole number from 8 to 1024.',
    );
  }
  const key = sha256(`${METHOD}\n${packageVersion('sharp')}\n${side}\n${files.key}`).slice(0, 16);
  const prefix = `${name}-${side}px-`;
  const path = join(cache, `${prefix}${key}.raw`);
  const imageBytes = side * side * CHANNELS;
  const kept = await readPixels(path, imageBytes);
  const { classes, parts } = kept ?? (await decode(files, options));
  if (!kept) {
    try {
      await keepPixels(cache, prefix, path, classes, parts);
    } catch (error) {
      say(
        `note: cannot save the decoded images in ${path}, so they will be decoded again: ${(error as Error).message}`,
      );
    }
  }
  const full = `${name}, ${side}×${side}`;
  const title = files.published ? full : ownName(full, files.path);
  const facts = { name: title, side, channels: CHANNELS, classes };
  const [train, test] = parts;
  return { train: squareImages(train, facts), test: squareImages(test, facts) };
}

async function decode(files: ImageFiles, { side, onProgress, say }: DecodeOptions) {
  const { names: all, read } = await files.open();
  const { images: names, others } = imagesAmong(all);
  refuseVanished(files.path, names, others);
  if (others.length > 0) {
    const what =
      others.length === 1
        ? 'a file that is not a supported image'
        : `${others.length} files that are not supported images`;
    say(`note: ${files.path} has ${what}, such as ${others[0]}; skipped`);
  }
  const ordered = names
    .map((name) => ({ name, hash: sha256(name) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  const of = (part: 'train' | 'val') =>
    ordered.filter(({ name }) => name.startsWith(`${part}/`)).map(({ name }) => name);
  const classOf = (name: string) => name.split('/')[1]!;
  const classes = [...new Set(of('train').map(classOf))].sort();
  checkLayout(files.path, classes, of('val').map(classOf));

  const resize = await loadResize();
  let done = 0;
  const decodePart = async (which: 'train' | 'val'): Promise<Part> => {
    const part = of(which);
    const imageBytes = side * side * CHANNELS;
    if (part.length * imageBytes > MAX_BYTES) {
      throw new CollimateError(
        `${part.length} images of ${side}×${side} pixels take ${part.length * imageBytes} bytes, expected at most ${MAX_BYTES}`,
        'Choose a smaller size.',
      );
    }
    const images = new Uint8Array(part.length * imageBytes);
    await inParallel(part.length, async (i) => {
      const name = part[i]!;
      try {
        images.set(await resize(await read(name), side), i * imageBytes);
      } catch (cause) {
        throw new CollimateError(
          `the image ${name} in ${files.path} cannot be decoded: ${(cause as Error).message.trim()}`,
          'Remove the image, or fetch it again: it is damaged, or not what its name says.',
          { cause },
        );
      }
      onProgress?.(++done, names.length);
    });
    return { images, labels: Uint8Array.from(part, (name) => classes.indexOf(classOf(name))) };
  };
  const parts = [await decodePart('train'), await decodePart('val')] as const;
  return { classes: classes.length, parts };
}

/** Refuses class folders that have files but no readable image: a class would be missing without a word. */
function refuseVanished(path: string, names: readonly string[], others: readonly string[]): void {
  const folderOf = (name: string) => name.split('/', 2).join('/');
  const read = new Set(names.map(folderOf));
  const lost = others.find((name) => name.split('/').length > 2 && !read.has(folderOf(name)));
  if (lost === undefined) return;
  const count = others.filter((name) => folderOf(name) === folderOf(lost)).length;
  throw new CollimateError(
    `${path} has no supported image in ${folderOf(lost)}: it has ${count} other ${count === 1 ? 'file' : 'files'}, such as ${lost}`,
    'Convert the files, or remove the folder: JPEG, PNG, WebP, GIF, TIFF and AVIF are supported, under these endings.',
  );
}

function checkLayout(path: string, classes: readonly string[], tested: readonly string[]): void {
  const remedy = 'Put images into `train/<class>/<name>.JPEG` and `val/<class>/<name>.JPEG`.';
  if (classes.length < 2 || classes.length > 256) {
    throw new CollimateError(
      `${path} has images of ${classes.length} classes to train on`,
      `${remedy} Give 2 to 256 classes.`,
    );
  }
  if (tested.length === 0) throw new CollimateError(`${path} has no images to test on`, remedy);
  const unknown = tested.find((name) => !classes.includes(name));
  if (unknown) throw new CollimateError(`${path} has val/${unknown} but no train/${unknown}`, remedy);
}

async function loadResize(): Promise<(bytes: Uint8Array, side: number) => Promise<Uint8Array>> {
  needPackages('decoding images', ['sharp']);
  const { default: sharp } = await import('sharp').catch((cause: Error) => {
    throw new CollimateError(
      `the package sharp, which decodes images, cannot be loaded: ${cause.message.split('\n')[0]}`,
      'Run `npm install --include=optional sharp`.',
      { cause },
    );
  });
  return (bytes, side) =>
    sharp(bytes, { failOn: 'error', limitInputPixels: MAX_PIXELS })
      .resize(side, side, { fit: 'cover', position: 'centre', fastShrinkOnLoad: false })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer();
}

/** Runs `count` jobs, as many at once as there are cores; the first failure stops all. */
async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
  } finally {
    next = count;
  }
}
