import { expect, test } from 'vitest';
import { spreadOf } from '../../src/analysis/statistics.ts';
import { blockTicks, logDomain, logTicks } from '../../src/report/axes.ts';

test('ticks name each of up to twelve blocks, and of more the first and round ones, at most nine', () => {
  expect(blockTicks(1)).toEqual([1]);
  expect(blockTicks(12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(blockTicks(13)).toEqual([1, 2, 4, 6, 8, 10, 12]);
  expect(blockTicks(32)).toEqual([1, 5, 10, 15, 20, 25, 30]);
  expect(blockTicks(64)).toEqual([1, 10, 20, 30, 40, 50, 60]);
  for (let depth = 1; depth < 2000; depth++) expect(blockTicks(depth).length).toBeLessThanOrEqual(12);
});

test('a logarithmic axis has two ticks or more, however little its values differ', () => {
  expect(logTicks([0.01, 1])).toEqual([0.01, 0.03, 0.1, 0.3, 1]);
  expect(logTicks(logDomain([0.3]))).toEqual([0.25, 0.3]);
  expect(logTicks(logDomain([3e-6, 3.1e-6]))).toEqual([2.5e-6, 3e-6, 4e-6]);
  for (let low = 1e-3; low < 2; low *= 1.04)
    for (const ratio of [1, 1.4, 2, 5, 60, 1e5, 1e7])
      expect(logTicks(logDomain([low, low * ratio])).length).toBeGreaterThan(1);
});

test('a spread is over what is defined', () => {
  expect(spreadOf([1, null, Number.NaN, 3, undefined])).toEqual({ mean: 2, std: 1, min: 1, max: 3 });
  expect(spreadOf([null, Number.NaN])).toEqual({ mean: null, std: null, min: null, max: null });
});
