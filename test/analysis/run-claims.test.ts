import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../src/analysis/evidence.ts';
import type { Analysis } from '../../src/analysis/results.ts';
import { judgeRun } from '../../src/analysis/run-claims.ts';
import type { Spread } from '../../src/analysis/statistics.ts';
import { fixture } from '../report/fixture.ts';

const known = (mean: number): Spread => ({ mean, std: 0, min: mean, max: mean });

/** Two analyses of networks of this depth, the first with some of its trained means replaced. */
function analyses(depth: number, means: Partial<Analysis['trained']['summary']> = {}) {
  const { run, control } = fixture({ depth });
  const analysis = structuredClone(run.analysis);
  Object.assign(analysis.trained.summary, means);
  return { analysis, control: control!.analysis };
}

const MNIST = { trainedAt: undefined, randomLabels: false };
const judge = (analysis: Analysis, control: Analysis | undefined, data = {}) =>
  judgeRun(analysis, control, { ...MNIST, ...data });
const find = (claims: readonly Evidence[], id: string): Evidence | undefined =>
  claims.find((c) => c.id === id);

describe('a claim', () => {
  test('holds at its threshold and no further', () => {
    for (const [value, verdict] of [
      [0.99, 'holds'],
      [0.9899, 'does not hold'],
    ] as const) {
      const { analysis, control } = analyses(8, { line: known(value) });
      expect(find(judge(analysis, control), 'line')).toMatchObject({
        ...{ value, threshold: { atLeast: 0.99 }, verdict },
      });
    }
    for (const [value, verdict] of [
      [0.2, 'holds'],
      [0.2001, 'does not hold'],
    ] as const) {
      const { analysis, control } = analyses(8, { stepCv: known(value) });
      expect(find(judge(analysis, control), 'step-cv')).toMatchObject({ value, verdict });
    }
  });

  test('about every block is as strong as its weakest', () => {
    const topEnergy = [1, 1, 0.7, 1, 1, 1, 1, 1].map(known);
    const { analysis, control } = analyses(8, { topEnergy });
    expect(find(judge(analysis, control), 'top-energy')).toMatchObject({
      value: 0.7,
      verdict: 'does not hold',
    });
  });

  test('about left and right vectors is about the blocks from the fourth on', () => {
    const leftRight = [0.1, 0.2, 0.3, 0.8, 0.9, 0.9, 0.9, 0.9].map(known);
    const { analysis, control } = analyses(8, { leftRight });
    expect(find(judge(analysis, control), 'left-right')).toMatchObject({ value: 0.8, verdict: 'holds' });
  });

  test('of accuracy has the threshold of its data', () => {
    const { analysis, control } = analyses(8);
    const claims = judge(analysis, control, { trainedAt: 0.6 });
    expect(find(claims, 'test-accuracy')).toMatchObject({ threshold: { atLeast: 0.6 }, verdict: 'holds' });
    expect(find(claims, 'control-accuracy')).toMatchObject({ threshold: { atLeast: 0.6 } });
    expect(find(claims, 'line')).toMatchObject({ threshold: { atLeast: 0.99 } });
  });

  test('without a value is not measurable', () => {
    const nothing = { mean: null, std: null, min: null, max: null };
    const { analysis, control } = analyses(8, { diagonalShare: nothing });
    expect(find(judge(analysis, control), 'diagonal-share')).toMatchObject({
      ...{ value: null, verdict: 'not measurable', reason: 'the measure is undefined there' },
    });
  });
});

describe('what a claim presupposes', () => {
  /** The reasons of claims that are not measurable, by their ids. */
  const reasons = (claims: readonly Evidence[]) =>
    Object.fromEntries(claims.flatMap(({ id, reason }) => (reason === undefined ? [] : [[id, reason]])));
  /** Accuracies of the trained network and of its control on the test images. */
  const learned = (accuracy: number, controlAccuracy: number, data = {}) => {
    const { analysis, control } = analyses(8);
    Object.assign(analysis.trained, { testAccuracy: accuracy });
    const plain = structuredClone(control);
    Object.assign(plain.trained, { testAccuracy: controlAccuracy });
    return judge(analysis, plain, data);
  };

  test('of a network that has not learned its task nothing but its accuracy is measurable', () => {
    const claims = learned(0.82, 0.97);
    expect(find(claims, 'test-accuracy')).toMatchObject({ value: 0.82, verdict: 'does not hold' });
    for (const { property, verdict, reason, value } of claims.filter(
      ({ id }) => !/control|accuracy/.test(id),
    )) {
      expect([verdict, property]).toEqual(['not measurable', expect.stringMatching(/^RA[1-4]$/)]);
      expect(reason).toBe('the network has not learned its task: test accuracy 0.82, expected ≥ 0.92');
      expect(value).toEqual(expect.any(Number));
    }
    expect(find(claims, 'control-line')!.verdict).not.toBe('not measurable');
  });

  test('of a control that has not, nothing of the control', () => {
    const ids = Object.keys(reasons(learned(0.98, 0.43)));
    expect(ids).toEqual(['control-line', 'control-diagonal-share']);
    expect(reasons(learned(0.98, 0.43))['control-line']).toBe(
      'the control has not learned its task: test accuracy 0.43, expected ≥ 0.92',
    );
  });

  test('what counts as learned depends on the data', () => {
    expect(reasons(learned(0.46, 0.46, { trainedAt: 0.45 }))).toEqual({});
    // Random labels cannot be predicted, only learned by heart.
    expect(reasons(learned(0.1, 0.1, { randomLabels: true }))).toEqual({});
    const { analysis, control } = analyses(8);
    Object.assign(analysis.trained, { trainAccuracy: 0.106 });
    expect(reasons(judge(analysis, control, { randomLabels: true })).line).toBe(
      'random labels are not known by heart: training accuracy 0.106, expected ≥ 0.95',
    );
  });

  test('a claim that compares blocks is not measurable of too few', () => {
    const of = (depth: number) => {
      const { analysis, control } = analyses(depth);
      return reasons(judge(analysis, control));
    };
    expect(of(5)).toEqual({});
    expect(of(4)).toEqual({ 'inverse-depth': 'too few blocks in a stage: 4, expected ≥ 5' });
    expect(Object.keys(of(1))).toEqual([
      ...['step-cosine', 'step-cv', 'diagonal-share', 'monotone', 'inverse-depth', 'control-diagonal-share'],
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
    expect(thresholds).toMatchObject({
      ...{ 'test-accuracy': { atLeast: 0.975 }, 'diagonal-share': { atLeast: 0.45 } },
      ...{ 'step-cosine': { atLeast: 0.65 }, 'left-right-last': { atLeast: 0.45 } },
      ...{ 'control-step-cosine': { atMost: 0 }, line: { atLeast: 0.99 } },
      ...{ 'top-energy': { atLeast: 0.99 }, 'inverse-depth': { atLeast: 0.95 } },
    });
    expect(find(claims, 'left-right')).toBeUndefined();
    expect(find(claims, 'control-line')).toBeUndefined();
  });

  test('may have a larger σ₁ in the first block of a stage than in the last of the stage before', () => {
    const { run, control } = fixture({ stages: [2, 2] });
    run.analysis.trained.summary.sigma1 = [3, 2, 5, 4].map(known);
    expect(find(judge(run.analysis, control!.analysis), 'monotone')).toMatchObject({
      value: 0.8,
      verdict: 'holds',
    });
  });

  test('of short stages is not judged by a fit', () => {
    expect(find(judged([3, 4]), 'inverse-depth')).toMatchObject({ verdict: 'not measurable' });
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
      expect(find(judge(analysis, few), 'control-diagonal-share')!.threshold.atMost).toBeCloseTo(
        threshold,
        12,
      );
    }
  });

  test('is not judged where there is none', () => {
    const { analysis } = analyses(8);
    const claims = judge(analysis, undefined);
    expect(claims.filter((c) => c.id.startsWith('control'))).toEqual([]);
    expect(claims.every((c) => c.control === null)).toBe(true);
  });
});
