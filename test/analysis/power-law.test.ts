import { expect, test } from 'vitest';
import { fitPowerLaw, studentQuantile } from '../../src/analysis/power-law.ts';

test('points on a power law give its exponent, with an interval of no width', () => {
  const { slope, intercept, interval } = fitPowerLaw([1, 2, 4, 8].map((x) => [x, 3 / x]))!;
  expect(slope).toBeCloseTo(-1, 12);
  expect(Math.exp(intercept)).toBeCloseTo(3, 12);
  expect(interval![1] - interval![0]).toBeLessThan(1e-6);
});

test('the interval of scattered points is that of ordinary least squares', () => {
  // log y = log x + r at x = e^0, e^1, e^2, e^3, with residuals that leave the slope: r = d(1, −1, −1, 1).
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

test('Student’s quantiles are those of the tables, the closer the more degrees', () => {
  for (const [degrees, quantile, tolerance] of [
    [1, 12.706204736, 1e-9],
    [2, 4.30265273, 1e-9],
    [3, 3.182446305, 1.3e-3],
    [4, 2.776445105, 4e-4],
    [7, 2.364624252, 3e-5],
    [13, 2.160368656, 2e-6],
    [100, 1.983971519, 1e-9],
  ] as const) {
    expect(Math.abs(studentQuantile(degrees) / quantile - 1), `${degrees}`).toBeLessThan(tolerance);
  }
});
