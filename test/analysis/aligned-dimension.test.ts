import { expect, test } from 'vitest';
import { alignedDimension } from '../../src/analysis/measures/aligned-dimension.ts';

const of = (ranks: number[], shares: number[], dim = 100) =>
  alignedDimension(ranks, () => Float32Array.from(shares), dim);

test('directions of a block count that lie in those of another by more than half-way from chance to all', () => {
  // Of two directions, chance puts 2/100 into the span of two others: the threshold is 0.51.
  expect(of([2, 2], [0.52, 0.5])).toBe(1);
  expect(of([2, 2], [1, 1])).toBe(2);
  // In four dimensions half is by chance, and the threshold 0.75.
  expect(of([2, 2], [0.76, 0.74], 4)).toBe(1);
});

test('it is the mean over ordered pairs, and what lies behind a rank does not count', () => {
  expect(of([3, 1, 1], [1, 1, 1])).toBe((1 + 1 + 3 + 1 + 3 + 1) / 6);
});

test('dead blocks are passed over', () => {
  expect(of([2, 0, 2], [1, 0])).toBe(1);
  expect(of([2, 0], [1, 1])).toBeNull();
  expect(of([2], [1, 1])).toBeNull();
});

test('there is nothing to tell where a block has all directions', () => {
  expect(of([4, 4], [1, 1, 1, 1], 4)).toBeNull();
  expect(of([4, 3], [1, 1, 1, 1], 4)).toBe(4); // the other way round it can be told
});
