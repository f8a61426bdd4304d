import { describe, expect, test } from 'vitest';
import { judge } from '../../src/analysis/claims.ts';
import type { Analysis, Claim, Spread } from '../../src/analysis/results.ts';
import { fixture } from '../report/fixture.ts';

const known = (mean: number): Spread => ({ mean, std: 0, min: mean, max: mean });

/** Two analyses of networks of this depth, the first with some of its trained means replaced. */
function analyses(depth: number, means: Partial<Analysis['trained']['summary']> = {}) {
  const { run, control } = fixture({ depth });
  const analysis = structuredClone(run.analysis);
  Object.assign(analysis.trained.summary, means);
  return { analysis, control: control!.analysis };
}

const find = (claims: readonly Claim[], id: string): Claim | undefined => claims.find((c) => c.id === id);

describe('a claim', () => {
  test('holds at its threshold and no further', () => {
    for (const [value, holds] of [
      [0.99, true],
      [0.9899, false],
    ] as const) {
      const { analysis, control } = analyses(8, { line: known(value) });
      expect(find(judge(analysis, control), 'line')).toMatchObject({ value, threshold: 0.99, holds });
    }
    for (const [value, holds] of [
      [0.2, true],
      [0.2001, false],
    ] as const) {
      const { analysis, control } = analyses(8, { stepCv: known(value) });
      expect(find(judge(analysis, control), 'step-cv')).toMatchObject({ value, holds });
    }
  });

  test('about every block is as strong as its weakest', () => {
    const topEnergy = [1, 1, 0.7, 1, 1, 1, 1, 1].map(known);
    const { analysis, control } = analyses(8, { topEnergy });
    expect(find(judge(analysis, control), 'top-energy')).toMatchObject({ value: 0.7, holds: false });
  });

  test('about left and right vectors is about the blocks from the fourth on', () => {
    const leftRight = [0.1, 0.2, 0.3, 0.8, 0.9, 0.9, 0.9, 0.9].map(known);
    const { analysis, control } = analyses(8, { leftRight });
    expect(find(judge(analysis, control), 'left-right')).toMatchObject({ value: 0.8, holds: true });
  });

  test('of accuracy can be given the threshold of a data set', () => {
    const { analysis, control } = analyses(8);
    const claims = judge(analysis, control, { 'test-accuracy': 0.6, 'control-accuracy': 0.55 });
    expect(find(claims, 'test-accuracy')).toMatchObject({ threshold: 0.6, holds: true });
    expect(find(claims, 'control-accuracy')).toMatchObject({ threshold: 0.55 });
    expect(find(claims, 'line')).toMatchObject({ threshold: 0.99 });
  });

  test('without a value is not measurable', () => {
    const nothing = { mean: null, std: null, min: null, max: null };
    const { analysis, control } = analyses(8, { diagonalShare: nothing });
    expect(find(judge(analysis, control), 'diagonal-share')).toMatchObject({ value: null, holds: null });
  });

  test('that needs more blocks than there are is not made', () => {
    const ids = (depth: number) => {
      const { analysis, control } = analyses(depth);
      return judge(analysis, control).map((c) => c.id);
    };
    expect(ids(5)).toContain('inverse-depth');
    expect(ids(4)).not.toContain('inverse-depth');
    expect(ids(1)).toEqual([
      'test-accuracy',
      'control-accuracy',
      'line',
      'control-line',
      'left-right',
      'top-energy',
    ]);
  });
});

describe('a convolutional network', () => {
  const judged = (stages: number[]) => {
    const { run, control } = fixture({ stages });
    return judge(run.analysis, control!.analysis);
  };

  test('is judged by its own thresholds, and by its last block', () => {
    const claims = judged([3, 3, 5, 2]);
    const thresholds = Object.fromEntries(claims.map(({ id, threshold }) => [id, threshold]));
    expect(thresholds).toMatchObject({ 'test-accuracy': 0.975, 'diagonal-share': 0.45, 'step-cosine': 0.65 });
    expect(thresholds).toMatchObject({ 'left-right-last': 0.45, 'control-step-cosine': 0 });
    expect(thresholds).toMatchObject({ line: 0.99, 'top-energy': 0.99, 'inverse-depth': 0.95 });
    expect(find(claims, 'left-right')).toBeUndefined();
    expect(find(claims, 'control-line')).toBeUndefined();
  });

  test('may have a larger σ₁ in the first block of a stage than in the last of the stage before', () => {
    const { run, control } = fixture({ stages: [2, 2] });
    run.analysis.trained.summary.sigma1 = [3, 2, 5, 4].map(known);
    expect(find(judge(run.analysis, control!.analysis), 'monotone')).toMatchObject({
      value: 0.8,
      holds: true,
    });
  });

  test('of short stages is not judged by a fit', () => {
    expect(find(judged([3, 4]), 'inverse-depth')).toBeUndefined();
  });
});

describe('the control', () => {
  test('is judged with chance in mind: random matrices have a diagonal share of 1/K', () => {
    const { analysis, control } = analyses(8);
    for (const [triples, threshold] of [
      [10, 0.2],
      [2, 0.6],
    ] as const) {
      const few = { ...control, settings: { ...control.settings, triples } };
      expect(find(judge(analysis, few), 'control-diagonal-share')!.threshold).toBeCloseTo(threshold, 12);
    }
  });

  test('is not judged where there is none', () => {
    const { analysis } = analyses(8);
    const claims = judge(analysis, undefined);
    expect(claims.filter((c) => c.id.startsWith('control'))).toEqual([]);
    expect(claims.every((c) => c.control === null)).toBe(true);
  });
});
