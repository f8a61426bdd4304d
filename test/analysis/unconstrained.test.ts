import { describe, expect, test } from 'vitest';
import {
  alignmentGrid,
  measureStart,
  type StartMeasures,
  type Triples,
} from '../../src/analysis/unconstrained/measures.ts';
import { type TheoryCell, theoryRecord } from '../../src/experiments/unconstrained/run.ts';
import { theoryPreset } from '../../src/experiments/unconstrained/settings.ts';

/** Triples of one start in three dimensions, a block a row of [σ, turn of u, turn of v] in the plane of the first two axes. */
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

  test('of one triple: cosines, ratio and spread', () => {
    const m = measureStart(triples, { classes: 2, depth: 2, width: 3, starts: 1 }, 0);
    expect(m.top.leftRight).toBeCloseTo(Math.cos(0.2), 6);
    expect(m.top.left).toBeCloseTo(Math.cos(0.3), 6);
    expect(m.top.right).toBeCloseTo(Math.cos(0.1), 6);
    expect(m.rest).toBeCloseTo(0.25, 6);
    expect(m.spread).toBeCloseTo(1 / 1.5, 6);
    expect(m.numericalRank).toEqual([2, 2]);
    expect(m.sigma[0]).toHaveLength(3);
  });

  test('of two triples: the spaces are the same although vectors in them are turned', () => {
    const m = measureStart(triples, { classes: 3, depth: 2, width: 3, starts: 1 }, 0);
    expect(m.top).toMatchObject({ left: expect.closeTo(1, 6), right: expect.closeTo(1, 6) });
    expect(m.ranked).toEqual(m.top);
    expect(m.rest).toBeCloseTo(0.0005, 6);
  });

  test('one block has nothing to be compared with', () => {
    const one = turned([{ s: [1, 0, 0], u: 0, v: 0 }]);
    const sizes = { classes: 2, depth: 1, width: 3, starts: 1 };
    expect(measureStart(one, sizes, 0)).toMatchObject({ top: { left: null, right: null }, spread: 0 });
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
  const good: StartMeasures = {
    ...{ loss: 0.02, objective: 0.03, sigma: [[0.3, 0, 0]], numericalRank: [1], rest: 1e-6, spread: 1e-5 },
    top: { leftRight: 1, left: 1, right: 1 },
    ranked: { leftRight: 1, left: 1, right: 1 },
  };
  const found = (final: StartMeasures[], change: Partial<TheoryCell> = {}): TheoryCell => ({
    ...{ classes: 2, depth: 8, skip: true, course: null, alignment: null, diagonalShare: null },
    predicted: { sigma: 0.3, objective: 0.03, stationary: 1 },
    initial: final.map(() => ({ ...good, top: { leftRight: -0.5, left: 0.1, right: 0.2 } })),
    final,
    ...change,
  });
  const adapter = { name: '', vendor: '', driver: '', kind: 'software', source: 'system' } as const;
  const origin = { adapter: { ...adapter, backend: undefined }, versions: {}, system: '', commit: null };
  const recordOf = (...cells: TheoryCell[]) => {
    const values = (name: 'classes' | 'depth') => [...new Set(cells.map((cell) => cell[name]))];
    const settings = { ...theoryPreset('quick'), classes: values('classes'), depth: values('depth') };
    return theoryRecord('quick', settings, cells, { ...origin, command: '', started: '' });
  };
  const verdicts = (...cells: TheoryCell[]) =>
    Object.fromEntries(recordOf(...cells).claims.map((claim) => [claim.id, claim]));

  test('all hold where all starts are as predicted; of more classes nothing is said', () => {
    const claims = verdicts(found([good, good]));
    expect(Object.values(claims).every(({ verdict }) => verdict === 'holds')).toBe(true);
    expect(Object.keys(claims)).toEqual(['optimum', 'left-right', 'across', 'rank-one', 'equal', 'sigma']);
    expect(claims['left-right']).toMatchObject({
      value: 1,
      atInitialization: -0.5,
      values: [1, 1],
      holding: 2,
    });
  });

  test('one bad start at one depth is enough for a claim not to hold', () => {
    const bad = { ...good, top: { ...good.top, left: 0.99 } };
    const claims = verdicts(found([good, good]), found([bad, good], { depth: 16 }));
    expect(claims.across).toMatchObject({ values: [0.99, 1], verdict: 'does not hold', holding: 1 });
    expect(claims['left-right']).toMatchObject({ verdict: 'holds', holding: 2 });
  });

  test('a start at another stationary point is told from the optimum', () => {
    const claims = verdicts(found([{ ...good, objective: 0.031, sigma: [[0.29, 0, 0]] }]));
    expect(claims.optimum!.verdict).toBe('does not hold');
    expect(claims.sigma!.verdict).toBe('does not hold');
    expect(claims['left-right']!.verdict).toBe('holds');
  });

  test('what is undefined in one block is not measurable', () => {
    const claims = verdicts(found([{ ...good, rest: null }]), found([good], { depth: 16 }));
    expect(claims['rank-one']).toMatchObject({ verdict: 'not measurable', values: [null] });
  });

  test('the control is measured, not judged, and has no predicted optimum', () => {
    const plain = { ...good, top: { leftRight: 0.2, left: 0.1, right: 0.3 } };
    const claims = verdicts(found([good]), found([plain], { skip: false, predicted: null }));
    expect(claims['left-right']).toMatchObject({ control: 0.2, verdict: 'holds', values: [1] });
    expect(claims.across!.control).toBe(0.1);
    expect(claims.optimum!.control).toBeNull();
  });

  test('more classes are judged by the worst of them, those of two apart', () => {
    const [bad, worse] = [0.98, 0.97].map((x) => ({ ...good, ranked: { ...good.ranked, leftRight: x } }));
    const cells = [found([bad!]), found([bad!], { classes: 4 }), found([worse!], { classes: 9, depth: 2 })];
    const claims = verdicts(...cells);
    expect(claims['more-left-right']).toMatchObject({
      values: [0.97],
      verdict: 'does not hold',
      control: null,
    });
    expect(claims['more-across']!.verdict).toBe('holds');
    expect(claims['left-right']!.verdict).toBe('holds');
  });

  test('σ_1 = 2/L is a slope of −1', () => {
    const depths = [4, 8, 16].map((depth) => found([{ ...good, sigma: [[2 / depth, 0, 0]] }], { depth }));
    expect(verdicts(...depths).depth).toMatchObject({ value: expect.closeTo(-1, 10), verdict: 'holds' });
    expect(verdicts(...depths.slice(1)).depth).toBeUndefined();
  });

  test('objectives below that of the aligned solution are remarked on', () => {
    const low = { ...good, objective: 0.02 };
    const cells = [
      found([good]),
      found([good, low], { classes: 4 }),
      found([low], { classes: 4, depth: 16 }),
    ];
    expect(recordOf(...cells).remarks).toEqual([
      'With 4 classes from 8 blocks on, starts end below the solution that uses all C − 1 directions alike: deep models do better with fewer.',
    ]);
    expect(recordOf(cells[0]!).remarks).toEqual([]);
  });
});
