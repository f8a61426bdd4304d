import { describe, expect, test } from 'vitest';
import { type ScalarName, scalar, scalars } from '../../src/analysis/scalars.ts';
import type { Spread } from '../../src/analysis/statistics.ts';
import { type FixtureOptions, fixture } from '../report/fixture.ts';

const names = Object.keys(scalars) as ScalarName[];
const known = (mean: number | null): Spread => ({ mean, std: mean && 0.01, min: mean, max: mean });

/** A made-up trained network, with some of its means replaced. */
function trained(options: FixtureOptions, means: Record<string, (number | null)[]> = {}) {
  const { trained, network } = structuredClone(fixture(options).run.analysis);
  for (const [name, values] of Object.entries(means))
    Object.assign(trained.summary, { [name]: values.map(known) });
  return (name: ScalarName) => ({
    value: scalar(name).from(trained, network),
    spread: scalar(name).spread?.(trained, network),
  });
}

describe('a scalar', () => {
  test('is a number within its domain, or null where it is undefined', () => {
    for (const options of [{}, { dead: [2] }, { depth: 1, classes: 2 }, { stages: [3, 4, 6, 3] }]) {
      const of = trained(options);
      for (const name of names) {
        const { value } = of(name);
        if (value === null) continue;
        const [least, most] = scalar(name).domain ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
        expect(Number.isFinite(value), name).toBe(true);
        expect(value, name).toBeGreaterThanOrEqual(least);
        expect(value, name).toBeLessThanOrEqual(most);
      }
    }
  });

  test('over blocks is that of the block it names, with its spread', () => {
    const topEnergy = [1, 0.9, null, 1, 1, 1, 1, 1];
    const of = trained(
      {},
      { topEnergy, stableRank: [1, 2, 7, 3, 1, 1, 1, 1], sigma1: [8, 7, 6, 5, 4, 3, 2, 1] },
    );
    expect(of('topEnergy')).toEqual({ value: 0.9, spread: 0.01 });
    expect(of('stableRank').value).toBe(7);
    expect([of('sigma1First').value, of('sigma1Last').value]).toEqual([8, 1]);
  });

  test('of energy may be off by twice the error of σ₁ and that of the norm', () => {
    const { run } = fixture({ depth: 2, samples: 2, control: false });
    const { network, trained } = run.analysis;
    const measured = {
      ...trained,
      frobenius: [{ method: 'estimated', relativeError: 0.25 }],
      summary: { ...trained.summary, residual: [0.125, 0.5].map(known) },
    } as unknown as typeof trained;
    expect(scalar('topEnergy').uncertainty!(measured, network)).toBeCloseTo(2 * Math.SQRT2 * 0.5 + 0.25, 12);
  });

  test('of half the depth is of one stage: half-way through several, nothing is known', () => {
    const lost = (stages: number[]) => {
      const { network, trained } = fixture({ stages }).run.analysis;
      return scalar('halfAccuracyLost').from({ ...trained, earlyAccuracy: [0.1, 0.5, 0.75, 1] }, network);
    };
    expect([lost([3]), lost([2, 3])]).toEqual([0.25, null]);
  });

  test('of left and right vectors passes over the first three blocks, if there are more', () => {
    expect(trained({}, { leftRight: [0, 0, 0, 0.8, 0.7, 0.9, 0.9, 0.9] })('leftRight').value).toBe(0.7);
    expect(trained({ depth: 2 }, { leftRight: [0.1, 0.5] })('leftRight').value).toBe(0.5);
    expect(trained({ depth: 2 }, { leftRight: [0.1, 0.5] })('leftRightLast').value).toBe(0.5);
  });

  test('of the fall of σ₁ compares blocks of one stage, and is undefined behind a dead block', () => {
    expect(trained({ stages: [2, 2] }, { sigma1: [4, 2, 8, 6] })('sigma1Fall').value).toBe(0.75);
    expect(trained({ depth: 3 }, { sigma1: [4, 0, 2] })('sigma1Fall').value).toBeNull();
    expect(trained({ depth: 1 })('sigma1Fall').value).toBeNull();
  });

  test('that no block has is null', () => {
    const of = trained({ depth: 2 }, { topEnergy: [null, null], leftRight: [null, null] });
    expect(of('topEnergy')).toEqual({ value: null, spread: null });
    expect(of('leftRight').value).toBeNull();
    expect(of('inverseDepthR2').value).toBeNull();
  });
});
