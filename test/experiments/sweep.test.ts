import { describe, expect, test } from 'vitest';
import { type Claim, joined, judge } from '../../src/analysis/claim.ts';
import { type Evidence, verdictOn } from '../../src/analysis/evidence.ts';
import type { Cell } from '../../src/analysis/quantity.ts';
import { type ScalarName, scalars } from '../../src/analysis/scalars.ts';
import { LEVELS } from '../../src/experiments/experiment.ts';
import { defaultSeeds, planSweep } from '../../src/experiments/sweep.ts';
import type { Scalars, SweepRun } from '../../src/experiments/sweep-file.ts';
import { fcBase } from '../../src/experiments/sweeps/bases.ts';
import { sweeps, sweepsNamed } from '../../src/experiments/sweeps/catalog.ts';

const plan = (name: string, changes = {}) =>
  planSweep(sweeps[name]!, { level: 'quick', seeds: [1, 2, 3], changes });

describe('planning', () => {
  test.each(LEVELS)('all sweeps can be planned at %s, each run with a folder of its own', (level) => {
    for (const sweep of Object.values(sweeps)) {
      const runs = planSweep(sweep, { level, seeds: defaultSeeds(level), changes: {} });
      expect(runs.length).toBeGreaterThan(0);
      expect(new Set(runs.map(({ id }) => id)).size).toBe(runs.length);
      for (const { id } of runs) expect(id).toMatch(/^[\w.+-]+\/[\w.=,+-]+$/);
      expect(level === 'smoke' || new Set(runs.map(({ seed }) => seed)).size >= 3).toBe(true);
    }
  });

  test('every axis of a cell is declared, and every figure speaks of axes and scalars that there are', () => {
    for (const { axes, cells, figures } of Object.values(sweeps)) {
      const names = new Set([...axes.map(({ name }) => name), 'seed']);
      for (const { cell } of LEVELS.flatMap((level) => cells(level)))
        for (const axis of Object.keys(cell)) expect(names).toContain(axis);
      for (const figure of figures) {
        const used = {
          ...{ scalars: ['x', 'series'], course: ['series'] },
          ...{ blocks: ['panels'], matrices: ['panels'], points: ['series'] },
        }[figure.kind];
        for (const key of used) {
          const axis = (figure as unknown as Record<string, string | undefined>)[key];
          if (axis !== undefined) expect(names).toContain(axis);
        }
        if ('scalars' in figure)
          for (const name of figure.scalars)
            expect([...Object.keys(scalars), 'validationAccuracy']).toContain(name);
        if (figure.kind === 'points')
          for (const name of [...figure.x, figure.y]) expect(Object.keys(scalars)).toContain(name);
      }
      expect(new Set(figures.map(({ file }) => file)).size).toBe(figures.length);
    }
  });

  test('the same settings are the same run, whichever sweep asks for it', () => {
    const ids = (name: string) => new Set(plan(name).map(({ id }) => id));
    const base = `${fcBase('quick').name}/seed=1`;
    for (const name of ['ra4-depth', 'width', 'dataset', 'stochastic-depth', 'weight-decay'])
      expect(ids(name)).toContain(base);
    expect([...ids('seed')]).toEqual([...ids('emergence')]);
  });

  test('each sweep is one of the paper’s or goes beyond it', () => {
    const names = (suite: string) => sweepsNamed(suite).map(({ name }) => name);
    expect([...names('all'), ...names('beyond')].sort()).toEqual(Object.keys(sweeps).sort());
    expect(names('all')).toContain('ra4-depth');
    expect(names('beyond')).toContain('recurrent-depth');
    expect(names('width')).toEqual(['width']);
    expect(names('toString')).toEqual([]);
  });

  test('runs of one id have the same settings', () => {
    const known = new Map<string, unknown>();
    for (const name of Object.keys(sweeps)) {
      for (const { id, settings, experiment } of plan(name)) {
        const own = { settings, experiment: experiment.name };
        expect(known.get(id) ?? own).toEqual(own);
        known.set(id, own);
      }
    }
  });

  test('given settings go to all runs and into their names', () => {
    const runs = plan('ra4-depth', { epochs: 20 });
    expect(runs.every(({ settings, id }) => settings.epochs === 20 && id.includes('epochs=20'))).toBe(true);
  });

  test('what an axis decides cannot be given', () => {
    expect(() => plan('ra4-depth', { depth: 4 })).toThrow('ra4-depth sets depth itself');
  });
});

const nothing = Object.fromEntries(Object.keys(scalars).map((name) => [name, null])) as unknown as Scalars;

/** A run that was made, whose networks have these measures. */
function made(cell: Cell, seed: number, trained: Scalars, more: Partial<SweepRun> = {}): SweepRun {
  return {
    id: `${JSON.stringify(cell)}/${seed}`,
    ...{ cell, seed, settings: {} as SweepRun['settings'], status: 'done', seconds: 1 },
    trained: { ...nothing, ...trained },
    initialization: { ...nothing, line: 0.5 },
    control: null,
    ...{ validationAccuracy: null, course: null, claims: [] },
    ...more,
  };
}

const words = { property: 'RA1', id: 'x', title: 't', measure: 'm' } as const;
type Line = Claim<ScalarName>;

test('a figure’s axis along which numbers grow tenfold is logarithmic', () => {
  for (const { name, axes, cells, figures } of Object.values(sweeps))
    for (const axis of axes) {
      const values = cells('paper').map(({ cell }) => cell[axis.name]);
      const numbers = values.filter((value) => typeof value === 'number');
      const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
      const grows = least > 0 && most >= 10 * least;
      if (grows && figures.some((figure) => 'x' in figure && figure.x === axis.name))
        expect(axis.log, `${name}: ${axis.name}`).toBe(true);
    }
});

describe('claims', () => {
  test('are judged in every seed', () => {
    const runs = [0.9, 0.8, 0.7].map((line, i) => made({}, i + 1, { line }));
    const claim: Line = { ...words, threshold: { atLeast: 0.75 }, of: { scalar: 'line' } };
    const judged = judge(claim, runs);
    expect(judged).toMatchObject({
      values: [0.9, 0.8, 0.7],
      ...{ holding: 2, verdict: 'does not hold' },
      atInitialization: 0.5,
      control: null,
    });
    expect(judged.value).toBeCloseTo(0.8, 12);
    expect(judged.spread).toBeCloseTo(Math.sqrt(0.02 / 3), 12);
    expect(judge({ ...claim, threshold: { atLeast: 0.7 } }, runs).verdict).toBe('holds');
  });

  test('are not measurable where a run that they need is missing or has failed', () => {
    const claim: Line = { ...words, threshold: { atLeast: 0 }, of: { scalar: 'line' } };
    for (const [status, reason] of [
      ['missing', 'a run is missing (1 of 2 seeds)'],
      ['failed', 'a run failed (1 of 2 seeds)'],
    ] as const) {
      const runs = [made({}, 1, { line: 1 }), made({}, 2, {}, { status, trained: null })];
      expect(judge(claim, runs)).toMatchObject({ verdict: 'not measurable', reason, values: [1, null] });
    }
  });

  test('a slope is between its bounds, with the interval of all seeds, over a range of the axis', () => {
    const runs = [1, 2].flatMap((seed) =>
      [2, 4, 8, 16].map((depth) => made({ depth }, seed, { sigma1Last: depth === 16 ? 5 : seed / depth })),
    );
    const claim: Line = {
      ...{ ...words, threshold: { atLeast: -1.5, atMost: -0.8 } },
      of: { scalar: 'sigma1Last', at: { depth: [2, 8] }, over: 'depth', take: 'slope' },
    };
    const judged = judge(claim, runs);
    expect(judged.values).toEqual([expect.closeTo(-1, 9), expect.closeTo(-1, 9)]);
    expect(judged).toMatchObject({ verdict: 'holds', holding: 2 });
    expect(judged.interval![0]).toBeLessThan(-1.2);
    expect(judged.interval![1]).toBeGreaterThan(-0.8);
    expect(judge({ ...claim, threshold: { atLeast: -0.9, atMost: 0 } }, runs).verdict).toBe('does not hold');
  });

  test('take the minimum or an end of an axis or of a part of it, and differences, with a control elsewhere', () => {
    const runs = [0.3, 0.9, 0.5].map((line, i) => made({ depth: i }, 1, { line }));
    const value = (of: Partial<Line['of']>, control?: Line['control']) => {
      const claim = { ...words, threshold: {}, of: { scalar: 'line', over: 'depth', ...of } as Line['of'] };
      const judged = judge<ScalarName>({ ...claim, ...(control && { control }) }, runs);
      return control ? [judged.value, judged.control, judged.controlLabel] : judged.value;
    };
    const from1 = { take: 'min', at: { depth: [1, 2] } } as const;
    expect([value({ take: 'min' }), value({ take: 'max' }), value(from1)]).toEqual([0.3, 0.9, 0.5]);
    const control = { label: 'at first', at: { depth: 0 } };
    expect(value({ take: 'max', at: { depth: [1, 2] } }, control)).toEqual([0.9, 0.3, 'at first']);
    const elsewhere = { label: 'above', at: { depth: [1, 2] } } as const;
    expect(value({ take: 'max', at: { depth: 0 } }, elsewhere)).toEqual([0.3, 0.9, 'above']);
    expect(value({ at: { depth: 1 }, less: { depth: 2 } })).toBeCloseTo(0.4, 12);
    expect(value({ take: 'min', at: { depth: [7, 8] } })).toBeNull();
  });

  test('may be about networks before training, and are then compared with others before training', () => {
    const untrained = (line: number) => ({ initialization: { ...nothing, line } });
    const runs = [
      made({ blocks: 'tied' }, 1, { line: 0.1 }, untrained(0.9)),
      made({ blocks: 'own' }, 1, { line: 0.2 }, untrained(0.3)),
    ];
    const of = { scalar: 'line', network: 'initialization', at: { blocks: 'tied' } } as const;
    const control = { label: 'own', at: { blocks: 'own' } };
    expect(judge<ScalarName>({ ...words, threshold: { atLeast: 0.9 }, of, control }, runs)).toMatchObject({
      ...{ value: 0.9, verdict: 'holds', atInitialization: 0.9, control: 0.3 },
    });
  });

  test('choose by validation, the same for all seeds', () => {
    const accuracies = { 0: [0.9, 0.6], 1: [0.8, 0.8] };
    const runs = Object.entries(accuracies).flatMap(([decay, each]) =>
      each.map((validationAccuracy, i) =>
        made({ weightDecay: +decay }, i + 1, { line: +decay }, { validationAccuracy }),
      ),
    );
    const of = { scalar: 'line', over: 'weightDecay', take: 'best' } as const;
    expect(judge({ ...words, threshold: { atLeast: 1 }, of }, runs).values).toEqual([1, 1]);
  });

  test('correlate over the snapshots of a run', () => {
    const claim: Line = {
      ...{ ...words, threshold: { atMost: -0.5 } },
      of: { scalar: 'diagonalShare', withLog: 'nc1' },
    };
    /** Of `diagonalShare` 1, 2, … and such logarithms of `nc1`. */
    const of = (...logs: number[]) => {
      const course = logs.map((log, i) => ({
        epoch: i,
        scalars: { ...nothing, diagonalShare: i + 1, nc1: Math.exp(log) },
      }));
      return judge(claim, [made({}, 1, {}, { course })]);
    };
    expect(of(-2, -4, -6, -8).value).toBeCloseTo(-1, 12);
    expect(of(1, 3, 2).value).toBeCloseTo(0.5, 12);
    const none = { value: null, verdict: 'not measurable' };
    expect(of(1, 3)).toMatchObject(none);
    expect(of(2, 2, 2, 2)).toMatchObject(none);
    expect(judge(claim, [made({}, 1, {})])).toMatchObject(none);
  });

  test('correlate the ranks of runs, with an interval by the bootstrap over cells', () => {
    // Monotone but for one swap in the second seed; a run elsewhere does not count.
    const run = (depth: number, seed: number, line: number, stepCv: number) =>
      made({ depth, skip: 'with' }, seed, { line, stepCv });
    const runs = [
      ...[1, 2, 3, 4, 5].map((depth) => run(depth, 1, depth ** 3, Math.exp(depth))),
      ...[1, 2, 3, 5, 4].map((depth, i) => run(i + 1, 2, depth, i)),
      made({ depth: 1, skip: 'without' }, 1, { line: -9, stepCv: 99 }),
    ];
    const of = { scalar: 'line', withRank: 'stepCv', at: { skip: 'with' } } as const;
    const claim: Line = { ...words, threshold: { atLeast: 0.95 }, of };
    const found = judge(claim, runs);
    expect(found.values).toEqual([expect.closeTo(1, 12), expect.closeTo(0.9, 12)]);
    expect(found.verdict).toBe('does not hold');
    expect(found.interval![0]).toBeGreaterThan(0.4);
    expect(found.interval![0]).toBeLessThan(0.9);
    expect(found.interval![1]).toBeCloseTo(1, 12);
    expect(judge(claim, runs.slice(0, 4)).value).toBeCloseTo(1, 12);
    expect(judge(claim, runs.slice(0, 2))).toMatchObject({ value: null, verdict: 'not measurable' });
    // Ties share their ranks: those of 2, 2, 1, 3 against 1, 2, 3, 4.
    const tied = [2, 2, 1, 3].map((line, i) => run(i, 1, line, i));
    expect(judge(claim, tied).value).toBeCloseTo(1.5 / Math.sqrt(4.5 * 5), 12);
    const still = [1, 2, 3].map((depth) => run(depth, 1, 7, depth));
    expect(judge(claim, still)).toMatchObject({ value: null, verdict: 'not measurable' });
    const failed = { ...run(6, 2, 6, 6), status: 'failed' as const, trained: null };
    expect(judge(claim, [...runs, failed])).toMatchObject({ reason: 'a run failed (1 of 2 seeds)' });
  });

  test('presuppose what they say of every run that they take, and of no other', () => {
    const labels = 'generalization';
    const [, comparison] = sweeps[labels]!.claims('smoke');
    const training = 'momentum 0.9, decay 0.01';
    const runs = (known: number, elsewhere: number) => [
      made({ training, labels: 'true' }, 1, { diagonalShare: 0.5, trainAccuracy: 0.99 }),
      made({ training, labels: 'random' }, 1, { diagonalShare: 0.2, trainAccuracy: known }),
      made({ training: 'another', labels: 'random' }, 1, { diagonalShare: 0.2, trainAccuracy: elsewhere }),
    ];
    // What `all --preset smoke` has.
    expect(judge(comparison!, runs(0.106, 1))).toMatchObject({
      ...{ property: labels, verdict: 'not measurable', value: expect.closeTo(0.3, 12) },
      reason: expect.stringMatching(
        /labels are not known by heart: training accuracy 0\.106, expected ≥ 0\.95/,
      ),
    });
    expect(judge(comparison!, runs(0.96, 0.1)).verdict).toBe('holds');
    expect(judge(comparison!, [])).toMatchObject({ verdict: 'not measurable', values: [] });
    expect(judge(comparison!, [made({}, 1, {})]).reason).toBe('the preset has no such run');
  });

  test('of single runs are joined over seeds', () => {
    const evidence = (value: number): Evidence => ({
      ...{ ...words, threshold: { atMost: 0.6 }, value, values: [value], spread: null },
      ...{
        atInitialization: 0.5,
        control: value / 2,
        holding: 1,
        verdict: verdictOn(value, { atMost: 0.6 }),
      },
    });
    const both = [0.4, 0.6].map(evidence);
    expect(joined(both)).toMatchObject({
      ...{ values: [0.4, 0.6], verdict: 'holds', holding: 2, atInitialization: 0.5 },
      control: expect.closeTo(0.25, 12),
    });
    expect(joined([...both, evidence(0.7)])).toMatchObject({ verdict: 'does not hold', holding: 2 });
    expect(joined([both[0]])).toMatchObject({
      ...{ verdict: 'not measurable', reason: 'too few seeds: 1, expected ≥ 2', value: 0.4 },
    });
    expect(joined([{ ...both[0]!, property: 'training' }]).verdict).toBe('holds');
    expect(joined([...both, undefined])).toMatchObject({
      ...{ verdict: 'not measurable', reason: 'a run is missing (1 of 3 seeds)', holding: 2 },
    });
  });
});

test('every claim but those about training, what precedes it and what it breaks presupposes that it worked', () => {
  for (const { claims } of Object.values(sweeps))
    for (const { id, property, of, presupposes = [] } of claims('quick')) {
      const trained = property !== 'training' && of.network !== 'initialization';
      expect(presupposes.length > 0, id).toBe(trained && !id.startsWith('dead-'));
    }
});
