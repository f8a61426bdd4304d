import { expect, test } from 'vitest';
import type { ImageDataset } from '../../src/data/dataset.ts';
import { makeImages } from '../../src/data/synthetic.ts';
import { sha256 } from './support.ts';

test('images have the side that is asked for, and are the same wherever and with whatever others they are made', () => {
  const { train, test } = makeImages(9, 40, 20);
  const shape = { height: 9, width: 9, channels: 3, classes: 10 };
  expect(train).toMatchObject({ name: 'synthetic-images', count: 40, ...shape });
  expect(test).toMatchObject({ count: 20, ...shape });
  expect(new Set([...train.labels, ...test.labels]).size).toBe(10);
  const again = makeImages(9, 40, 3);
  expect(again.train).toEqual(train);
  expect(again.test.images).toEqual(test.images.subarray(0, 3 * 243));
  const hashes = [train.images, test.images, train.labels].map((bytes) => sha256(bytes).slice(0, 16));
  expect(hashes).toEqual(['9aa410e432e92057', 'bdfcdb89bcb982b5', 'a7823e74a08c93aa']);
});

test('the nearest example tells the class, the nearest mean of a class does not', async () => {
  const { train, test } = makeImages(16, 2_000, 100);
  const size = 768;
  const means = new Float64Array(10 * size);
  train.images.forEach((value, i) => {
    means[train.labels[Math.floor(i / size)]! * size + (i % size)]! += value;
  });
  const counts = Array(10).fill(0);
  for (const label of train.labels) counts[label]++;
  const nearest = (
    image: Uint8Array,
    among: ArrayLike<number>,
    count: number,
    scale: (n: number) => number,
  ) => {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    for (let n = 0; n < count; n++) {
      let distance = 0;
      for (let k = 0; k < size; k++) distance += (image[k]! - among[n * size + k]! * scale(n)) ** 2;
      if (distance < least) [best, least] = [n, distance];
    }
    return best;
  };
  const accuracy = (classify: (image: Uint8Array) => number, { images, labels, count }: ImageDataset) =>
    labels.filter((label, i) => classify(images.subarray(i * size, (i + 1) * size)) === label).length / count;
  const byExample = (image: Uint8Array) => train.labels[nearest(image, train.images, train.count, () => 1)]!;
  const byMean = (image: Uint8Array) => nearest(image, means, 10, (n) => 1 / counts[n]);
  expect(accuracy(byExample, test)).toBeGreaterThan(0.95);
  expect(accuracy(byMean, test)).toBeLessThan(0.6); // by chance 0.1
});

test('more bytes than an array holds are refused', () => {
  expect(() => makeImages(512, 2 ** 20, 500)).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('take 824633720832 bytes'),
      remedy: 'Ask for fewer or smaller images.',
    }),
  );
});
