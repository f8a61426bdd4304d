import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkDataset, firstClasses, type ImageDataset, normalization } from '../../src/data/dataset.ts';

/** A dataset of 1×2 images whose first byte is the image's number. */
function tiny(labels: readonly number[], change: Partial<ImageDataset> = {}): ImageDataset {
  return {
    name: 'tiny',
    images: Uint8Array.from(labels.flatMap((label, i) => [i, label])),
    labels: Uint8Array.from(labels),
    count: labels.length,
    height: 1,
    width: 2,
    channels: 1,
    classes: 4,
    ...change,
  };
}

test('the first classes are kept, in both splits and in order', () => {
  const split = { train: tiny([3, 0, 1, 2, 1, 0]), test: tiny([2, 1, 3]) };
  const { train, test } = firstClasses(split, 2);
  expect(train).toMatchObject({ count: 4, classes: 2 });
  expect([...train.labels]).toEqual([0, 1, 1, 0]);
  expect([...train.images]).toEqual([1, 0, 2, 1, 4, 1, 5, 0]);
  expect([...test.images]).toEqual([1, 1]);
  expect(firstClasses(split, 4)).toBe(split);
});

test.each([0, 1, 5, 2.5, Number.NaN])('keeping %s classes of four is refused', (classes) => {
  const split = { train: tiny([0]), test: tiny([0]) };
  expect(() => firstClasses(split, classes)).toThrow(`cannot keep ${classes} classes of tiny, which has 4`);
});

test.each([
  ['a label out of range', tiny([0, 1, 4]), 'dataset tiny: item 2 has the label 4, but there are 4 classes'],
  [
    'missing labels',
    tiny([0, 1], { labels: Uint8Array.of(0) }),
    'dataset tiny: there are 2 images but 1 labels',
  ],
  ['missing pixels', tiny([0, 1], { height: 2 }), '2 images of 2×2×1 take 8 bytes, but there are 4'],
])('%s is refused', (_, dataset, message) => {
  expect(() => checkDataset(dataset)).toThrow(message);
});

test('normalization is the two-pass mean and deviation of each channel', () => {
  const pixels = fc.integer({ min: 1, max: 3 }).chain((channels) =>
    fc.array(fc.uint8Array({ minLength: channels, maxLength: channels }), { minLength: 1 }).map((rows) => ({
      channels,
      rows,
    })),
  );
  fc.assert(
    fc.property(pixels, ({ channels, rows }) => {
      const images = Uint8Array.from(rows.flatMap((row) => [...row]));
      const count = rows.length;
      const { mean, std } = normalization(tiny([], { images, count, height: 1, width: 1, channels }));
      for (let c = 0; c < channels; c++) {
        const values = rows.map((row) => row[c]! / 255);
        const average = values.reduce((a, b) => a + b) / count;
        const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - average) ** 2, 0) / count);
        expect(mean[c]).toBeCloseTo(average, 12);
        expect(std[c]).toBeCloseTo(new Set(values).size === 1 ? 1 : deviation, 12);
      }
    }),
  );
});
