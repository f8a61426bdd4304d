import { describe, expect, test } from 'vitest';
import { type Claim, judge } from '../../src/analysis/claim.ts';
import { verdictOn } from '../../src/analysis/evidence.ts';
import { at as classifier, rowSpace } from '../../src/analysis/measures/classifier.ts';
import { neuralCollapse } from '../../src/analysis/measures/collapse.ts';
import { lineMeasures } from '../../src/analysis/measures/line.ts';
import type { StageAt } from '../../src/analysis/measures/measure.ts';
import { at as rank } from '../../src/analysis/measures/rank.ts';
import { inverseDepthFit } from '../../src/analysis/measures/scale.ts';
import { fitPowerLaw } from '../../src/analysis/power-law.ts';
import type { JudgedRun } from '../../src/analysis/quantity.ts';
import { judgeRun } from '../../src/analysis/run-claims.ts';
import { scalar } from '../../src/analysis/scalars.ts';
import { variation } from '../../src/analysis/statistics.ts';
import { measureStart } from '../../src/analysis/unconstrained/measures.ts';
import { verdictLines } from '../../src/cli/verdict-table.ts';
import { resultSentence } from '../../src/report/run-page.ts';
import { together, verdictSentence } from '../../src/report/verdicts.ts';
import { fixture } from '../report/fixture.ts';

const UNDEFINED = { line: null, straightness: null, lineShape: null, stepCv: null, stepCosine: null };
const points = (...rows: number[][]) => rows.map((row) => Float64Array.from(row));

describe('what is undefined of a path', () => {
  test.each<[string, Float64Array[]]>([
    ['of zeros', points([0, 0], [0, 0], [0, 0])],
    ['that does not move', points([3, -1], [3, -1], [3, -1])],
    ['that moves by its rounding alone', points([3, -1], [3 + 1e-8, -1], [3, -1])],
  ])('%s: everything', (_, path) => {
    expect(lineMeasures(path)).toMatchObject(UNDEFINED);
  });

  test('of one step: what compares steps, and its share on a line', () => {
    expect(lineMeasures(points([1, 0], [2, 0]))).toMatchObject({
      ...UNDEFINED,
      straightness: 1,
      lineShape: 1,
    });
  });

  test('that comes back is its line-shape score', () => {
    const there = lineMeasures(points([1, 0], [2, 0], [1, 0]));
    expect(there).toMatchObject({ straightness: 0, lineShape: null, line: 1, stepCv: 0, stepCosine: -1 });
  });
});

test('no variation of growth where norms are one but for rounding', () => {
  const turning = points([3, 4], [5, 0], [0, 5 + 2e-7], [-3 - 1e-7, 4]);
  expect(lineMeasures(turning)).toMatchObject({ growthCv: null, straightness: expect.any(Number) });
  expect(lineMeasures(points([3, 4], [6, 8], [12, 16])).growthCv).toBeCloseTo(0, 12);
});

test('no variation of one number, or about a mean of 0', () => {
  expect([variation([2]), variation([1, -1]), variation([]), variation([2, 2])]).toEqual([
    null,
    null,
    null,
    0,
  ]);
});

test('no fit through constants, nor through fewer than two points', () => {
  expect(inverseDepthFit([0.1, 0.1, 0.1, 0.1, 0.1], 3)).toBeNull();
  expect(fitPowerLaw([])).toBeNull();
  expect(fitPowerLaw([[2, 3]])).toBeNull();
});

test('no neural collapse where no class mean is apart', () => {
  const features = new Float32Array(12).fill(2);
  const weights = points([1, 0, 0], [0, 1, 0]);
  const labels = [0, 1, 0, 1];
  const collapsed = neuralCollapse({ features, predicted: [0, 0, 1, 1], labels }, weights);
  expect(collapsed).toMatchObject({ nc1: null, nc2Norms: null, nc2Angles: null, nc3: null, nc4: null });
});

test('no variability within classes of one image each', () => {
  const weights = points([1, 0], [0, 1]);
  const nc1Of = (labels: number[], ...features: number[]) =>
    neuralCollapse({ features: Float32Array.from(features), predicted: labels, labels }, weights).nc1;
  expect(nc1Of([0, 1], 1, 0, 0, 1)).toBeNull();
  // Of means (1, 0) and (−1, 0), and a class of variance 1/4 along their line: (1/4 + 0) / 2 over 1, over C.
  expect(nc1Of([0, 0, 1], 1.5, 0, 0.5, 0, -1, 0)).toBeCloseTo(1 / 16, 6);
});

test('what the top C singular values and the classifier hold, where they hold everything by construction, or nothing', () => {
  const block = { dead: false, found: [3, 2, 1], frobenius2: 20, u: () => Float64Array.of(0.6, 0, 0.8) };
  const given = (classes: number, classifier: number[][], size = 3) =>
    ({
      ...{ blocks: [block], classes, shape: [size], triples: 1 },
      classifier: rowSpace(points(...classifier)),
    }) as unknown as StageAt;
  const energy = (classes: number, size?: number) => rank(given(classes, [], size)).topEnergy;
  expect([energy(2), energy(3), energy(3, 4), energy(4, 5)]).toEqual([[13 / 20], [null], [14 / 20], [null]]);
  const [first, second, third] = [
    [2, 0, 0],
    [1, 1, 0],
    [0, 0, 1],
  ] as const;
  const shareOf = (...rows: (readonly number[])[]) =>
    classifier(
      given(
        rows.length,
        rows.map((row) => [...row]),
      ),
    ).classifierShare;
  expect(shareOf(first, second)).toEqual([expect.closeTo(0.36)]);
  expect([shareOf(first, second, third), shareOf([0, 0, 0], [0, 0, 0])]).toEqual([[null], [null]]);
});

test('σ₁ falls neither to nor from a dead block', () => {
  const { run } = fixture({ depth: 3 });
  const { trained, network } = run.analysis;
  const sigma = (...means: number[]) => means.map((mean) => ({ mean, std: 0, min: mean, max: mean }));
  const fall = (...means: number[]) =>
    scalar('sigma1Fall').from(
      { ...trained, summary: { ...trained.summary, sigma1: sigma(...means) } },
      network,
    );
  expect([fall(3, 2, 1), fall(3, 2, 0), fall(3, 0, 1)]).toEqual([2 / 3, null, null]);
});

test('of a model of zeros the theory measures nothing', () => {
  const zeros = new Float32Array(2 * 4);
  const sizes = { classes: 2, depth: 2, width: 2, starts: 1 };
  const values = { loss: 1, objective: 1, aligned: null };
  const { scalars } = measureStart({ s: new Float32Array(4), u: zeros, v: zeros }, sizes, 0, values);
  expect(scalars).toMatchObject({
    ...{ topLeftRight: null, topLeft: null, topRight: null, topOverlap: null },
    ...{ rankedLeftRight: null, rankedLeft: null, rankedRight: null, rankedOverlap: null },
    ...{ rest: null, spread: null, rank: 0, excess: null, sigmaError: null },
  });
});

describe('a claim about an undefined number is not measurable', () => {
  test('whatever it claims', () => {
    for (const threshold of [{ atMost: 0 }, { atLeast: 0 }, { atLeast: 0, atMost: 1 }])
      for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
        expect(verdictOn(value, threshold)).toBe('not measurable');
  });

  test('in the claims of a run, the terminal, and the page', () => {
    const { run, control } = fixture({ depth: 8 });
    const nothing = { mean: null, std: null, min: null, max: null };
    const { summary } = run.analysis.trained;
    Object.assign(summary, { stepCv: nothing, line: { ...summary.line, mean: Number.NaN } });
    const claims = judgeRun(run.analysis, control!.analysis, { trainedAt: undefined, randomLabels: false });
    const vague = claims.filter(({ verdict }) => verdict === 'not measurable');
    expect(vague.map(({ id }) => id)).toEqual(['line', 'step-cv']);
    expect(verdictLines(vague)).toMatch(
      /– not measurable\nNot measurable: the measure is undefined there\.$/,
    );
    expect(verdictSentence(claims)).toMatch(/ of \d+ claims hold; 2 not measurable\.$/);
    expect(together(vague)).toBe('not measurable');
    const data = { ...fixture({ depth: 8 }), claims };
    expect(resultSentence(data)).toContain(
      ' Not measurable: representations lie on a line (RA1); representations are equispaced (RA1).',
    );
  });

  test('in a sweep, apart from what waits for runs', () => {
    const claim: Claim = {
      ...{ property: 'RA4', id: 'x', title: 'x', measure: 'x', threshold: { atMost: 1 } },
      of: { scalar: 'line' },
    };
    const run = (seed: number, status: 'done' | 'missing', line: number | null): JudgedRun => ({
      ...{ seed, status, cell: {}, trained: { line } },
    });
    expect(judge(claim, [run(1, 'done', 0.5), run(2, 'done', null)])).toMatchObject({
      ...{ verdict: 'not measurable', holding: 1, reason: 'the measure is undefined there (1 of 2 seeds)' },
    });
    expect(judge(claim, [run(1, 'done', 0.5), run(2, 'missing', null)])).toMatchObject({
      ...{ verdict: 'not measurable', reason: 'a run is missing (1 of 2 seeds)' },
    });
  });
});
