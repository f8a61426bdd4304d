import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runTheory } from '../../src/cli/theory.ts';
import type { Theory } from '../../src/experiments/unconstrained/run.ts';
import { resolveTheory } from '../../src/experiments/unconstrained/settings.ts';
import { elements } from '../report/xml.ts';

const SMALL = { preset: 'smoke', starts: '3', classes: '2,3', depth: '2,4,6', width: '8', steps: '1200' };

let root: string;
let out: string;
let theory: Theory;
let status: number;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-theory-'));
  out = join(root, 'theory');
  status = await quietly(() => runTheory({ ...SMALL, out, strict: true }));
  theory = JSON.parse(fs.readFileSync(join(out, 'theory.json'), 'utf8'));
}, 120_000);
afterAll(() => fs.rmSync(root, { recursive: true }));

async function quietly<T>(body: () => Promise<T>): Promise<T> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    return await body();
  } finally {
    log.mockRestore();
  }
}

describe('the Unconstrained Jacobians Model, optimized', () => {
  test('every conclusion holds from every start', () => {
    expect(theory.claims.filter((claim) => !claim.holds)).toEqual([]);
    expect(theory.claims.map(({ id }) => id)).toEqual([
      ...['optimum', 'left-right', 'across', 'rank-one', 'equal', 'sigma', 'depth'],
      ...['more-rank', 'more-left-right', 'more-across', 'more-equal'],
    ]);
    expect(theory.claims[0]).toMatchObject({ property: 'theory', startsHolding: 3, starts: 3 });
    expect(status).toBe(0);
  });

  test('without skip connections Jacobians have rank one too, but do not align', () => {
    const control = (id: string) => theory.claims.find((claim) => claim.id === id)!.control!;
    expect(control('rank-one')).toBeLessThan(1e-2);
    expect(control('left-right')).toBeLessThan(0.9);
    expect(control('across')).toBeLessThan(0.9);
  });

  test('starts are random and different, and end alike', () => {
    const deepest = theory.cases.find(({ classes, depth }) => classes === 2 && depth === 6)!;
    const first = deepest.initial.map(({ objective }) => objective);
    expect(new Set(first).size).toBe(3);
    for (const { objective } of deepest.final) {
      expect(objective / deepest.predicted!.objective).toBeCloseTo(1, 4);
    }
  });

  test('the page is whole, and its figures and numbers lie beside it', () => {
    const page = fs.readFileSync(join(out, 'report.html'), 'utf8');
    expect(page).toContain('All 11 conclusions hold from 3 random starts.');
    const figures = fs.readdirSync(join(out, 'figures')).filter((name) => name.endsWith('.svg'));
    for (const name of figures) {
      expect(elements(fs.readFileSync(join(out, 'figures', name), 'utf8'))[0]).toBe('svg');
    }
    expect(figures).toEqual([
      'theory-alignment.svg',
      'theory-course.svg',
      'theory-depth.svg',
      'theory-rank.svg',
    ]);
    const rows = (name: string) =>
      fs
        .readFileSync(join(out, 'data', `${name}.csv`), 'utf8')
        .trim()
        .split('\n').length - 1;
    expect(rows('measures')).toBe(7 * 2 * 3);
    expect(rows('blocks')).toBe(3 * (2 * (2 + 4 + 6) + 6));
  });

  test('goes on with what is missing, to the same numbers, and refuses other settings', async () => {
    const cases = join(out, 'cases');
    const kept = join(cases, 'C3-L4.json');
    const before = fs.statSync(kept).mtimeMs;
    fs.rmSync(join(cases, 'C2-L2.json'));
    fs.rmSync(join(out, 'theory.json'));
    await quietly(() => runTheory({ ...SMALL, out, json: true }));
    expect(JSON.parse(fs.readFileSync(join(out, 'theory.json'), 'utf8'))).toEqual(theory);
    expect(fs.statSync(kept).mtimeMs).toBe(before);
    await expect(runTheory({ ...SMALL, seed: '2', out })).rejects.toThrow('holds results of other settings');
  });
});

test('a start that diverges is named, with a remedy', async () => {
  const wild = { ...SMALL, classes: '2', depth: '4', lr: '1e9', steps: '9', out: join(root, 'wild') };
  await expect(quietly(() => runTheory(wild))).rejects.toThrow(/start \d of 2 classes, 4 blocks diverged/);
});

describe('options', () => {
  test('are read, lists in order and each once', () => {
    const { preset, settings } = resolveTheory({ depth: '8,2,8', classes: '3', penalty: '0.1' });
    expect(preset).toBe('quick');
    expect(settings).toMatchObject({ depths: [2, 8], classes: [3], penalty: 0.1, starts: 10 });
  });

  test.each([
    [{ preset: 'huge' }, 'there is no preset huge'],
    [{ width: '12' }, '--width is 12, with up to 10 classes'],
    [{ width: '8' }, '--width is 8, with up to 10 classes'],
    [{ depth: '4,x' }, '--depth is x'],
    [{ penalty: '0' }, '--penalty is 0'],
  ])('%j is refused', (given, message) => {
    expect(() => resolveTheory(given)).toThrow(message);
  });
});
