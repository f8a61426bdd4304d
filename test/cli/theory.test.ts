import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runTheory } from '../../src/cli/theory.ts';
import { SWEEP_FILE, type SweepRecord } from '../../src/experiments/sweep-file.ts';
import { resolveTheory } from '../../src/experiments/unconstrained/settings.ts';
import { readRecord } from '../../src/record.ts';
import { writeIndex } from '../../src/report/index-page.ts';
import { elements } from '../report/xml.ts';

const SMALL = { preset: 'smoke', starts: '3', classes: '2,3', depth: '2,4,6', width: '8', steps: '1200' };

let root: string;
let out: string;
let record: SweepRecord;
let status: number;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-theory-'));
  out = join(root, 'sweeps/unconstrained-jacobians.smoke');
  status = await quietly(() => runTheory({ ...SMALL, out, strict: true }));
  record = readRecord(join(out, 'sweep.json'), SWEEP_FILE);
});
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
  test('every claim holds from every start', () => {
    expect(record.claims.filter(({ verdict }) => verdict !== 'holds')).toEqual([]);
    expect(record.claims.map(({ id }) => id)).toEqual([
      ...['optimum', 'left-right', 'across', 'rank-one', 'equal', 'sigma', 'depth'],
      ...['more-rank', 'more-left-right', 'more-across', 'more-equal'],
    ]);
    expect(record.claims[0]).toMatchObject({ property: 'theory', holding: 3 });
    expect(record.claims[0]!.values).toHaveLength(3);
    expect(status).toBe(0);
  });

  test('without skip connections Jacobians have rank one too, but do not align', () => {
    const control = (id: string) => record.claims.find((claim) => claim.id === id)!.control!;
    expect(control('rank-one')).toBeLessThan(1e-2);
    expect(control('left-right')).toBeLessThan(0.9);
    expect(control('across')).toBeLessThan(0.9);
  });

  test('starts are random and different, and end alike', () => {
    const deepest = record.runs.filter(
      ({ cell }) => cell.classes === 2 && cell.depth === 6 && cell.skip === 'with',
    );
    expect(deepest.map(({ seed }) => seed)).toEqual([1, 2, 3]);
    expect(deepest.map(({ id }) => id)).toEqual(
      [1, 2, 3].map((start) => `${record.name}/classes=2,depth=6,skip=true,start=${start}`),
    );
    expect(new Set(deepest.map(({ initialization }) => initialization!.objective)).size).toBe(3);
    for (const { trained } of deepest) expect(trained!.excess).toBeCloseTo(0, 4);
    expect(deepest[0]!.course!.map(({ step }) => step)).toContain(1200);
  });

  test('the page is whole, and its figures and numbers lie beside it', () => {
    const page = fs.readFileSync(join(out, 'report.html'), 'utf8');
    expect(page).toContain('All 11 claims hold over 3 seeds.');
    expect(page).toContain('21 of 21 runs over classes C, skip connections, and blocks L');
    for (const [, to] of page.matchAll(/ href="((?!data:)[^"#]+)"/g))
      expect(fs.existsSync(join(out, to!)), to).toBe(true);
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
    const table = (name: string) => {
      const [head, ...rows] = fs
        .readFileSync(join(out, 'data', `${name}.csv`), 'utf8')
        .trim()
        .split('\n');
      return rows.map((row) => Object.fromEntries(row.split(',').map((x, i) => [head!.split(',')[i], x])));
    };
    expect(table('runs')).toHaveLength(7 * 2 * 3);
    expect(table('blocks')).toHaveLength(2 * 3 * (2 * (2 + 4 + 6) + 6));
    expect(table('theory-course')).toHaveLength(
      2 * 3 * 3 * record.runs.find(({ course }) => course)!.course!.length,
    );
    // Two or three vectors of six blocks, in three models.
    expect(table('theory-alignment')).toHaveLength(6 * 6 * (4 + 4 + 9));
    const slopes = table('slopes').filter(({ classes }) => classes === '2');
    expect(slopes.map(({ network }) => network)).toEqual(['initialization', 'trained', 'aligned solution']);
    expect(Number(slopes[1]!.slope)).toBeCloseTo(record.claims.find(({ id }) => id === 'depth')!.value!, 4);
  });

  test('the index takes its claims and its figure as those of any sweep', () => {
    writeIndex(root);
    const page = fs.readFileSync(join(root, 'index.md'), 'utf8');
    const about = page.split('<a id="theory"></a>')[1]!.split('\n## ')[0];
    expect(about).toContain('(sweeps/unconstrained-jacobians.smoke/report.html)');
    expect(about).toContain('(sweeps/unconstrained-jacobians.smoke/figures/theory-course.png)');
    expect(about).toContain('All 11 claims hold');
    expect(page).not.toContain('Could not be read');
  });

  test('goes on with what is missing, to the same numbers, and refuses other settings', async () => {
    const cells = join(out, 'cells');
    const kept = join(cells, 'C3-L4.json');
    const before = fs.statSync(kept).mtimeMs;
    fs.rmSync(join(cells, 'C2-L2.json'));
    fs.rmSync(join(out, 'sweep.json'));
    await quietly(() => runTheory({ ...SMALL, out, json: true }));
    expect(readRecord(join(out, 'sweep.json'), SWEEP_FILE)).toEqual(record);
    expect(fs.statSync(kept).mtimeMs).toBe(before);
    await expect(runTheory({ ...SMALL, seed: '2', out })).rejects.toThrow('holds results for other settings');
  });

  test('refuses a folder of an earlier version', async () => {
    const old = join(root, 'old');
    fs.mkdirSync(old);
    fs.writeFileSync(join(old, 'config.json'), '{"schema":"collimate/theory-config@1"}');
    await expect(runTheory({ ...SMALL, out: old })).rejects.toThrow('collimate/theory-config@1');
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
    expect(settings).toMatchObject({ depth: [2, 8], classes: [3], penalty: 0.1, starts: 10, width: 32 });
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
