import { expect, test } from 'vitest';
import { fitLine, sample, statisticsOf } from '../../bench/statistics.ts';

test('quartiles lie between samples where they have to', () => {
  expect(statisticsOf([4, 1, 3, 2])).toEqual({ n: 4, median: 2.5, p25: 1.75, p75: 3.25, min: 1 });
  expect(statisticsOf([7])).toEqual({ n: 1, median: 7, p25: 7, p75: 7, min: 7 });
});

test('what a measurement returns is what counts, and it is taken often enough', async () => {
  const times = [5, 3, 9, 1, 7];
  let calls = 0;
  const result = await sample(async () => times[calls++ % 5]!, { time: 0, minimum: 5 });
  expect(calls).toBe(5);
  expect(result).toEqual({ n: 5, median: 5, p25: 3, p75: 7, min: 1 });
});

test('a measurement that fails says why', async () => {
  const failing = sample(() => Promise.reject(new Error('no device')), { time: 0 });
  await expect(failing).rejects.toThrow('no device');
});

test('a line is found again, with the share of the variance that it explains', () => {
  const exact = fitLine([1, 2, 5].map((x) => [x, 3 + 2 * x] as const));
  expect([exact.a, exact.b, exact.r2].map((x) => +x.toFixed(9))).toEqual([3, 2, 1]);
  // By hand: means 1 and 5/3, b = 1, a = 2/3, and 2 of the variance 14/3 · 3/3 … explained: 2 / (2 + 8/3).
  const rough = fitLine([
    [0, 0],
    [1, 3],
    [2, 2],
  ]);
  expect(rough.b).toBeCloseTo(1, 12);
  expect(rough.a).toBeCloseTo(2 / 3, 12);
  expect(rough.r2).toBeCloseTo(2 / (2 + 8 / 3), 12);
});
