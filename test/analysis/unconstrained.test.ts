import { describe, expect, test } from 'vitest';
import {
  alignmentGrid,
  type ModelScalars,
  measureStart,
  type Triples,
} from '../../src/analysis/unconstrained/measures.ts';
import type { SweepRun } from '../../src/experiments/sweep-file.ts';
import { theoryRecord } from '../../src/experiments/unconstrained/run.ts';
import { theoryPreset } from '../../src/experiments/unconstrained/settings.ts';

/** One start's triples in 3D, a row per block of [σ, turn of u, turn of v] in the first two axes' plane. */
function turned(blocks: readonly { s: number[]; u: number; v: number }[]): Triples {
  const basis = (angle: number) => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return [c, s, 0, -s, c, 0, 0, 0, 1];
  };
  return {
    s: Float32Array.from(blocks.flatMap(({ s }) => s)),
    u: Float32Array.from(blocks.flatMap(({ u }) => basis(u))),
    v: Float32Array.from(blocks.flatMap(({ v }) => basis(v))),
  };
}

describe('measures of a start', () => {
  const triples = turned([
    { s: [2, 0.5, 0.001], u: 0, v: 0 },
    { s: [1, 0.1, 0], u: 0.3, v: 0.1 },
  ]);

  const values = { loss: 0.3, objective: 0.6, aligned: { sigma: 1.25, objective: 0.5 } };

  test('of one triple: cosines, ratio and spread', () => {
    const sizes = { classes: 2, depth: 2, width: 3, starts: 1 };
    const { scalars: m, blocks } = measureStart(triples, sizes, 0, values);
    expect(m.topLeftRight).toBeCloseTo(Math.cos(0.2), 6);
    expect(m.topLeft).toBeCloseTo(Math.cos(0.3), 6);
    expect(m.topRight).toBeCloseTo(Math.cos(0.1), 6);
    expect(m.topOverlap).toBe(m.topLeft);
    expect(m.rest).toBeCloseTo(0.25, 6);
    expect(m.spread).toBeCloseTo(1 / 1.5, 6);
    expect(blocks.map(({ rank }) => rank)).toEqual([2, 2]);
    expect(blocks[0]!.sigma).toHaveLength(3);
  });

  test('the rank is the number of σ of at least a hundredth of the first', () => {
    const close = turned([
      { s: [1, 0.0101, 0.0099], u: 0, v: 0 },
      { s: [5, 0.3, 0.06], u: 0, v: 0 },
    ]);
    const { blocks } = measureStart(close, { classes: 2, depth: 2, width: 3, starts: 1 }, 0, values);
    expect(blocks.map(({ rank }) => rank)).toEqual([2, 3]);
  });

  test('means over blocks, and what the aligned solution has', () => {
    const sizes = { classes: 2, depth: 2, width: 3, starts: 1 };
    const { scalars: m } = measureStart(triples, sizes, 0, values);
    expect(m).toMatchObject({ loss: 0.3, objective: 0.6, alignedSigma: 1.25, alignedObjective: 0.5 });
    expect(m).toMatchObject({ sigma1: 1.5, sigmaC: expect.closeTo(0.3, 6), rank: 2 });
    expect(m.excess).toBeCloseTo(0.2, 12);
    expect(m.sigmaError).toBeCloseTo(0.6, 6);
    const { scalars: alone } = measureStart(triples, sizes, 0, { ...values, aligned: null });
    expect(alone).toMatchObject({ excess: null, sigmaError: null, alignedSigma: null, sigma1: 1.5 });
  });

  test('of two triples: the spaces are the same although vectors in them are turned', () => {
    const { scalars: m } = measureStart(triples, { classes: 3, depth: 2, width: 3, starts: 1 }, 0, values);
    expect(m).toMatchObject({ topLeft: expect.closeTo(1, 6), topRight: expect.closeTo(1, 6) });
    expect(m.rankedLeftRight).toBe(m.topLeftRight);
    expect([m.rankedLeft, m.rankedRight, m.rankedOverlap]).toEqual([m.topLeft, m.topRight, m.topOverlap]);
    expect(m.rest).toBeCloseTo(0.0005, 6);
  });

  test('triples far below the first are not ranked', () => {
    const faint = turned([
      { s: [1, 0.001, 0], u: 0, v: 0 },
      { s: [1, 0.001, 0], u: 0.3, v: 0.3 },
    ]);
    const { scalars: m } = measureStart(faint, { classes: 3, depth: 2, width: 3, starts: 1 }, 0, values);
    expect(m.topOverlap).toBeCloseTo(1, 6);
    expect(m.rankedOverlap).toBeCloseTo(Math.cos(0.3), 6);
  });

  test('one block has nothing to be compared with', () => {
    const one = turned([{ s: [1, 0, 0], u: 0, v: 0 }]);
    const sizes = { classes: 2, depth: 1, width: 3, starts: 1 };
    const { scalars } = measureStart(one, sizes, 0, values);
    expect(scalars).toMatchObject({ topLeft: null, topRight: null, topOverlap: null, topLeftRight: 1 });
    expect(scalars.spread).toBe(0);
    expect(alignmentGrid(one, sizes, 0)).toEqual({
      alignment: [
        [
          [
            [1, 0],
            [0, 0],
          ],
        ],
      ],
      diagonalShare: null,
    });
  });

  test('the grid is U_jᵀ J_i V_j over σ_1', () => {
    const { alignment, diagonalShare } = alignmentGrid(
      triples,
      { classes: 2, depth: 2, width: 3, starts: 1 },
      0,
    );
    const [c, s] = [Math.cos, Math.sin];
    // J_1 = diag(2, 0.5) between u turned by 0.3 and v turned by 0.1.
    const cell = [
      [c(0.3) * c(0.1) + 0.25 * s(0.3) * s(0.1), -c(0.3) * s(0.1) + 0.25 * s(0.3) * c(0.1)],
      [-s(0.3) * c(0.1) + 0.25 * c(0.3) * s(0.1), s(0.3) * s(0.1) + 0.25 * c(0.3) * c(0.1)],
    ];
    cell.forEach((line, a) => {
      line.forEach((x, b) => {
        expect(alignment[0]![1]![a]![b]).toBeCloseTo(Math.abs(x), 6);
      });
    });
    expect(diagonalShare).toBeGreaterThan(0.8);
    expect(diagonalShare).toBeLessThan(1);
  });
});

describe('verdicts', () => {
  const good = { excess: 1e-6, sigmaError: 1e-5, sigma1: 0.3, rest: 1e-6, spread: 1e-5 };
  const aligned = { topLeftRight: 1, topOverlap: 1, rankedLeftRight: 1, rankedOverlap: 1 };
  /** Models of one cell, each optimal except in what is given. */
  const found = (
    starts: Partial<ModelScalars>[],
    { classes = 2, depth = 8, skip = true }: { classes?: number; depth?: number; skip?: boolean } = {},
  ) => ({
    runs: starts.map(
      (scalars, start): SweepRun => ({
        ...{ id: '', seed: start + 1, settings: {}, status: 'done', seconds: null, control: null },
        cell: { classes, depth, skip: skip ? 'with' : 'without' },
        trained: { ...good, ...aligned, ...scalars },
        initialization: { ...good, ...aligned, topLeftRight: -0.5 },
        ...{ validationAccuracy: null, course: null, claims: [] },
      }),
    ),
  });
  const adapter = { name: '', vendor: '', driver: '', kind: 'software', source: 'system' } as const;
  const origin = { adapter: { ...adapter, backend: undefined }, versions: {}, system: '', commit: null };
  const recordOf = (...cells: ReturnType<typeof found>[]) => {
    const values = (axis: string) => [
      ...new Set(cells.flatMap(({ runs }) => runs.map(({ cell }) => Number(cell[axis])))),
    ];
    const settings = { ...theoryPreset('quick'), classes: values('classes'), depth: values('depth') };
    return theoryRecord('quick', settings, cells, { ...origin, command: '', started: '' });
  };
  const verdicts = (...cells: ReturnType<typeof found>[]) =>
    Object.fromEntries(recordOf(...cells).claims.map((claim) => [claim.id, claim]));

  test('all hold where all starts are as predicted; of more classes nothing is said', () => {
    const claims = verdicts(found([{}, {}]));
    expect(Object.values(claims).every(({ verdict }) => verdict === 'holds')).toBe(true);
    expect(Object.keys(claims)).toEqual(['optimum', 'left-right', 'across', 'rank-one', 'equal', 'sigma']);
    const leftRight = { value: 1, atInitialization: -0.5, values: [1, 1], holding: 2 };
    expect(claims['left-right']).toMatchObject(leftRight);
  });

  test('one bad start at one depth is enough for a claim not to hold', () => {
    const claims = verdicts(found([{}, {}]), found([{ topOverlap: 0.99 }, {}], { depth: 16 }));
    expect(claims.across).toMatchObject({ values: [0.99, 1], verdict: 'does not hold', holding: 1 });
    expect(claims['left-right']).toMatchObject({ verdict: 'holds', holding: 2 });
  });

  test('a start at another stationary point is told from the optimum', () => {
    const claims = verdicts(found([{ excess: 0.03, sigmaError: 0.03 }]));
    expect(claims.optimum!.verdict).toBe('does not hold');
    expect(claims.sigma!.verdict).toBe('does not hold');
    expect(claims['left-right']!.verdict).toBe('holds');
  });

  test('what is undefined at one depth is not measurable', () => {
    const claims = verdicts(found([{ rest: null }]), found([{}], { depth: 16 }));
    expect(claims['rank-one']).toMatchObject({ verdict: 'not measurable', values: [null] });
  });

  test('the control is measured, not judged, and has no predicted optimum', () => {
    const plain = { topLeftRight: 0.2, topOverlap: 0.1, excess: null };
    const claims = verdicts(found([{}]), found([plain], { skip: false }));
    expect(claims['left-right']).toMatchObject({ control: 0.2, verdict: 'holds', values: [1] });
    expect(claims.across!.control).toBe(0.1);
    expect(claims.optimum!.control).toBeNull();
  });

  test('more classes are judged by the worst of them, those of two apart', () => {
    const bad = (rankedLeftRight: number) => [{ rankedLeftRight }];
    const cells = [
      found(bad(0.98)),
      found(bad(0.98), { classes: 4 }),
      found(bad(0.97), { classes: 9, depth: 2 }),
    ];
    const claims = verdicts(...cells);
    const worst = { values: [0.97], verdict: 'does not hold', control: null };
    expect(claims['more-left-right']).toMatchObject(worst);
    expect(claims['more-across']!.verdict).toBe('holds');
    expect(claims['left-right']!.verdict).toBe('holds');
  });

  test('σ_1 = 2/L is a slope of −1', () => {
    const depths = [4, 8, 16].map((depth) => found([{ sigma1: 2 / depth }], { depth }));
    expect(verdicts(...depths).depth).toMatchObject({ value: expect.closeTo(-1, 10), verdict: 'holds' });
    expect(verdicts(...depths.slice(1)).depth).toBeUndefined();
  });

  test('objectives below that of the aligned solution are remarked on', () => {
    const low = { excess: -0.1 };
    const cells = [
      found([{}]),
      found([{}, low], { classes: 4 }),
      found([low, low], { classes: 4, depth: 16 }),
    ];
    expect(recordOf(...cells).remarks).toEqual([
      'With 4 classes from 8 blocks on, starts end below the solution that uses all C − 1 directions alike: deep models do better with fewer.',
    ]);
    expect(recordOf(cells[0]!).remarks).toEqual([]);
  });
});
