import { describe, expect, it } from 'vitest';
import { powerFit, studentT } from '../../src/report/fit.ts';

describe('a power law', () => {
  it('is found where points lie on it', () => {
    const { slope, intercept, interval } = powerFit([2, 4, 8, 16].map((x) => ({ x, y: 3 / x })))!;
    expect(slope).toBeCloseTo(-1, 10);
    expect(Math.exp(intercept)).toBeCloseTo(3, 10);
    expect(interval![1] - interval![0]).toBeLessThan(1e-6);
  });

  it('has the interval of a linear regression', () => {
    // Of y = 1, 2, 2 at x = 0, 1, 2: slope 1/2, its standard error √(1/12), t of one degree of freedom.
    const points = [1, 2, 2].map((y, x) => ({ x: Math.exp(x), y: Math.exp(y) }));
    const { slope, interval } = powerFit(points)!;
    expect(slope).toBeCloseTo(0.5, 10);
    expect(interval![1] - slope).toBeCloseTo(12.7062 * Math.sqrt(1 / 12), 4);
  });

  it('is not made up where there are too few points', () => {
    expect(powerFit([])).toBeNull();
    expect(
      powerFit([
        { x: 2, y: 1 },
        { x: 2, y: 3 },
      ]),
    ).toBeNull();
    expect(
      powerFit([
        { x: 1, y: 0 },
        { x: 2, y: 3 },
      ]),
    ).toBeNull();
    expect(
      powerFit([
        { x: 1, y: 1 },
        { x: 2, y: 3 },
      ])!.interval,
    ).toBeNull();
  });

  it.each([
    [1, 12.7062],
    [10, 2.22814],
    [11, 2.20099],
    [12, 2.17881],
    [30, 2.04227],
    [120, 1.97993],
  ])('has Student’s t of %i degrees of freedom', (degrees, quantile) => {
    expect(studentT(degrees)).toBeCloseTo(quantile, 3);
  });
});
