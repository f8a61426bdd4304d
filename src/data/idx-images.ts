import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { sha256 } from './checksum.ts';
import { type DatasetSplit, type ImageDataset, ownName, squareImages } from './dataset.ts';
import { type IdxArray, readIdx } from './idx.ts';
import { firstThere } from './locate.ts';

/** Where the four files of a set in MNIST's form are, and what they must hold. */
export interface IdxImages {
  readonly name: string;
  readonly folder: string;
  /** Number of images; default: any. */
  readonly train?: number;
  readonly test?: number;
  /** Height and width; default: 28. */
  readonly side?: number;
  /** SHA-256 of the published files by name, either gzipped (a name with `.gz`) or not. */
  readonly published: Readonly<Record<string, string>>;
  /** Whether to accept other files of the same form; the dataset's name then says they are unpublished. */
  readonly own: boolean;
  readonly remedy: string;
}

const IDX_FILES = {
  train: { images: 'train-images-idx3-ubyte', labels: 'train-labels-idx1-ubyte' },
  test: { images: 't10k-images-idx3-ubyte', labels: 't10k-labels-idx1-ubyte' },
} as const;
/** Facts of MNIST and of sets in the same form. */
export const LIKE_MNIST = { images: 60_000, test: 10_000, side: 28, channels: 1, classes: 10 } as const;

/** Reads MNIST or a set of its form: square images of bytes in 10 classes, each file plain or gzipped. */
export function readIdxImages(set: IdxImages): DatasetSplit {
  return { train: readPart(set, 'train'), test: readPart(set, 'test') };
}

function readPart(set: IdxImages, part: 'train' | 'test'): ImageDataset {
  const { name, folder, side = LIKE_MNIST.side, [part]: number } = set;
  const images = readFile(set, IDX_FILES[part].images, (shape) => [number ?? shape[0]!, side, side]);
  const labels = readFile(set, IDX_FILES[part].labels, () => [images.shape[0]!]);
  const shown = images.published && labels.published ? name : ownName(name, folder);
  const { channels, classes } = LIKE_MNIST;
  return squareImages({ images: images.data, labels: labels.data }, { name: shown, side, channels, classes });
}

function readFile(
  { name, folder, published, own, remedy }: IdxImages,
  file: string,
  shapeFor: (found: readonly number[]) => readonly number[],
): IdxArray & { published: boolean } {
  const found = firstThere(folder, [file, `${file}.gz`]);
  if (!found) {
    const path = join(folder, file);
    throw new CollimateError(`there is no ${path}${own ? ', nor the same with .gz' : ''}`, remedy);
  }

  const array = readIdx(found);
  const shape = shapeFor(array.shape);
  if (`${array.shape}` !== `${shape}`) {
    throw new CollimateError(
      `${found} has the wrong shape for ${name}: expected [${shape}], got [${array.shape}]`,
      remedy,
    );
  }
  const isPublished =
    sha256(array.file) === published[file] || sha256(array.packed) === published[`${file}.gz`];
  if (!isPublished && !own) {
    throw new CollimateError(`${found} is not the published file: its SHA-256 checksum differs`, remedy);
  }
  return { ...array, published: isPublished };
}
