import { expect, test } from 'vitest';
import type { ImageDataset } from '../../src/data/dataset.ts';
import { makeImages } from '../../src/data/synthetic.ts';
import { sha256 } from './support.ts';

test('images have the shape that is asked for, and depend on the seed alone', async () => {
  const synthetic = { height: 9, width: 7, channels: 2, classes: 5, train: 40, test: 20, seed: 3 };
  const { train, test } = makeImages(synthetic);
  expect(train).toMatchObject({
    name: 'synthetic-images',
    count: 40,
    height: 9,
    width: 7,
    channels: 2,
    classes: 5,
  });
  expect(test.count).toBe(20);
  expect(new Set([...train.labels, ...test.labels])).toEqual(new Set([0, 1, 2, 3, 4]));
  const again = makeImages({ ...synthetic, test: 3 });
  expect(again.train).toEqual(train);
  expect(again.test.images).toEqual(test.images.subarray(0, 3 * 126));
  const other = makeImages({ ...synthetic, seed: 4 });
  expect(other.train.images).not.toEqual(train.images);
  expect(sha256(train.images).slice(0, 16)).toBe('c27f5500ae533398'); // wherever it is made
});

test('the nearest example tells the class, the nearest mean of a class does not', async () => {
  const { train, test } = makeImages({ channels: 1, test: 100 });
  const size = 256;
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

test.each([
  [{ classes: 1 }, 'with classes 1', 'from 2 to 256'],
  [{ height: 0 }, 'with height 0', 'from 1 to 512'],
  [{ train: 1.5 }, 'with train 1.5', 'from 1 to 1048576'],
  [{ seed: -1 }, 'with seed -1', 'from 0 to 4294967295'],
  [{ height: 512, width: 512, train: 2 ** 20 }, 'take 824633720832 bytes', 'fewer or smaller'],
])('%o is refused', (options, message, remedy) => {
  expect(() => makeImages(options)).toThrow(
    expect.objectContaining({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    }),
  );
});
