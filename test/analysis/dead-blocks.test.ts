import { expect, test } from 'vitest';
import { DEAD_BELOW, overSamples } from '../../src/analysis/measures/dead-blocks.ts';

const deadBlocks = (...samples: number[][][]) =>
  overSamples(samples.map((sigma) => ({ sigma }) as Parameters<typeof overSamples>[0][number])).deadBlocks;

test('a block is dead if it is at any sample, of one or of several', () => {
  expect(
    deadBlocks([
      [1, 0],
      [DEAD_BELOW, 0],
      [0, 0],
      [2e-6, 2e-6],
    ]),
  ).toEqual([2, 3]);
  expect(deadBlocks([[1], [0]], [[1], [1]], [[0], [1]])).toEqual([1, 2]);
  expect(deadBlocks([[1], [1]], [[1], [1]])).toEqual([]);
});
