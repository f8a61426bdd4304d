import { expect, test } from 'vitest';
import { fitPowerLaw, studentQuantile } from '../../src/analysis/power-law.ts';

test('points on a power law give its exponent, with an interval of no width', () => {
  const { slope, intercept, interval } = fitPowerLaw([1, 2, 4, 8].map((x) => [x, 3 / x]))!;
  expect(slope).toBeCloseTo(-1, 12);
  expect(Math.exp(intercept)).toBeCloseTo(3, 12);
  expect(interval![1] - interval![0]).toBeLessThan(1e-6);
});

test('the interval of scattered points is that of ordinary least squares', () => {
  // log y = log x + r with residuals ±d about the line at x = e^0, e^1, e^2, e^3 and no change of slope: r = d(1, −1, −1, 1).
  const d = 0.1;
  const points = [1, -1, -1, 1].map((r, i): [number, number] => [Math.exp(i), Math.exp(i + r * d)]);
  const { slope, interval } = fitPowerLaw(points)!;
  expect(slope).toBeCloseTo(1, 12);
  const error = Math.sqrt((4 * d ** 2) / 2 / 5);
  expect(interval![1] - slope).toBeCloseTo(4.302653 * error, 5);
  expect(slope - interval![0]).toBeCloseTo(4.302653 * error, 5);
});

test('there is no fit of numbers without logarithms, nor of one x', () => {
  expect(
    fitPowerLaw([
      [1, 1],
      [2, 0],
    ]),
  ).toBeNull();
  expect(
    fitPowerLaw([
      [0, 1],
      [2, 1],
    ]),
  ).toBeNull();
  expect(
    fitPowerLaw([
      [2, 1],
      [2, 3],
    ]),
  ).toBeNull();
  expect(fitPowerLaw([])).toBeNull();
  expect(
    fitPowerLaw([
      [1, 1],
      [2, 2],
    ])!.interval,
  ).toBeNull();
});

test('Student’s quantiles are those of the tables', () => {
  for (const [degrees, quantile] of [
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [7, 2.3646],
    [13, 2.1604],
    [100, 1.984],
  ] as const) {
    expect(Math.abs(studentQuantile(degrees) / quantile - 1)).toBeLessThan(2e-3);
  }
});
