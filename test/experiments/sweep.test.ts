import { describe, expect, test } from 'vitest';
import { scalars } from '../../src/analysis/scalars.ts';
import { defaultSeeds, LEVELS, planSweep } from '../../src/experiments/sweep.ts';
import { joinRunClaims, judgeClaim, slopeOver } from '../../src/experiments/sweep-claims.ts';
import type { Cell, Scalars, SweepRun } from '../../src/experiments/sweep-results.ts';
import { fcBase } from '../../src/experiments/sweeps/bases.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';

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
        const used = { scalars: ['x', 'series'], blocks: ['panels'], course: ['series'] }[figure.kind];
        for (const key of used) {
          const axis = (figure as unknown as Record<string, string | undefined>)[key];
          if (axis !== undefined) expect(names).toContain(axis);
        }
        if (figure.kind !== 'blocks')
          for (const name of figure.scalars)
            expect([...Object.keys(scalars), 'validationAccuracy']).toContain(name);
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
    expect(() => plan('ra4-depth', { depth: 4 })).toThrow('ra4-depth decides depth itself');
  });
});

const nothing = Object.fromEntries(Object.keys(scalars).map((name) => [name, null])) as unknown as Scalars;

/** A run that was made, whose networks have these measures. */
function made(cell: Cell, seed: number, trained: Partial<Scalars>, more: Partial<SweepRun> = {}): SweepRun {
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

describe('claims', () => {
  test('are judged in every seed', () => {
    const runs = [0.9, 0.8, 0.7].map((line, i) => made({}, i + 1, { line }));
    const spec = {
      ...words,
      comparison: '>=',
      threshold: 0.75,
      of: (r: { get: (n: 'line') => number | null }) => r.get('line'),
    } as const;
    const claim = judgeClaim(spec, runs, [1, 2, 3]);
    expect(claim).toMatchObject({
      values: [0.9, 0.8, 0.7],
      seedsHolding: 2,
      holds: false,
      atInitialization: 0.5,
      control: null,
    });
    expect(claim.value).toBeCloseTo(0.8, 12);
    expect(claim.spread).toBeCloseTo(Math.sqrt(0.02 / 3), 12);
    expect(judgeClaim({ ...spec, threshold: 0.7 }, runs, [1, 2, 3]).holds).toBe(true);
  });

  test('have no verdict where a run that they need is missing or has failed', () => {
    const spec = {
      ...words,
      comparison: '>=',
      threshold: 0,
      of: (r: { get: (n: 'line') => number | null }) => r.get('line'),
    } as const;
    for (const status of ['missing', 'failed'] as const) {
      const runs = [made({}, 1, { line: 1 }), made({}, 2, {}, { status, trained: null })];
      expect(judgeClaim(spec, runs, [1, 2])).toMatchObject({ holds: null, values: [1, null] });
    }
    // Undefined in a run that is there.
    expect(judgeClaim(spec, [made({}, 1, {})], [1])).toMatchObject({ holds: null, incomplete: false });
  });

  test('a slope is between its bounds, with the interval of all seeds', () => {
    const runs = [1, 2].flatMap((seed) =>
      [2, 4, 8].map((depth) => made({ depth }, seed, { sigma1Last: seed / depth })),
    );
    const spec = {
      ...words,
      comparison: 'between',
      threshold: [-1.5, -0.8],
      ...slopeOver('depth', 'sigma1Last'),
    } as const;
    const claim = judgeClaim(spec, runs, [1, 2]);
    expect(claim.values).toEqual([expect.closeTo(-1, 9), expect.closeTo(-1, 9)]);
    expect(claim).toMatchObject({ holds: true, seedsHolding: 2 });
    expect(claim.interval![0]).toBeLessThan(-1.2);
    expect(claim.interval![1]).toBeGreaterThan(-0.8);
    expect(judgeClaim({ ...spec, threshold: [-0.9, 0] }, runs, [1, 2]).holds).toBe(false);
  });

  test('choose by validation, the same for all seeds', () => {
    const accuracies = { 0: [0.9, 0.6], 1: [0.8, 0.8] };
    const runs = Object.entries(accuracies).flatMap(([decay, each]) =>
      each.map((validationAccuracy, i) =>
        made({ weightDecay: +decay }, i + 1, { line: +decay }, { validationAccuracy }),
      ),
    );
    const of: Parameters<typeof judgeClaim>[0]['of'] = (r) =>
      r.get('line', { weightDecay: r.best('weightDecay')! });
    expect(judgeClaim({ ...words, comparison: '>=', threshold: 1, of }, runs, [1, 2]).values).toEqual([1, 1]);
  });

  test('correlate over the moments of a run', () => {
    const course = [1, 2, 3, 4].map((epoch) => ({
      epoch,
      scalars: { ...nothing, diagonalShare: epoch, nc1: Math.exp(-2 * epoch) },
    }));
    const of: Parameters<typeof judgeClaim>[0]['of'] = (r) => r.correlationWithLog('diagonalShare', 'nc1');
    const judged = judgeClaim(
      { ...words, comparison: '<=', threshold: -0.5, of },
      [made({}, 1, {}, { course })],
      [1],
    );
    expect(judged.value).toBeCloseTo(-1, 12);
    expect(
      judgeClaim({ ...words, comparison: '<=', threshold: -0.5, of }, [made({}, 1, {})], [1]),
    ).toMatchObject({ value: null, holds: null });
  });

  test('of single runs are joined over seeds', () => {
    const claim = (value: number) => ({
      ...({ property: 'RA1', id: 'control-line', title: 't', measure: 'm', spread: null } as const),
      ...({
        value,
        atInitialization: 0.5,
        control: value / 2,
        comparison: '<=',
        threshold: 0.6,
        holds: value <= 0.6,
      } as const),
    });
    const runs = [0.4, 0.6].map((value, i) => made({}, i + 1, {}, { claims: [claim(value)] }));
    const [joined] = joinRunClaims(runs, {});
    expect(joined).toMatchObject({
      property: 'no-skip',
      values: [0.4, 0.6],
      holds: true,
      seedsHolding: 2,
      atInitialization: 0.5,
    });
    expect(joined!.control).toBeCloseTo(0.25, 12);
    expect(joinRunClaims([...runs, made({}, 3, {}, { status: 'missing' })], {})[0]!.holds).toBeNull();
  });
});
