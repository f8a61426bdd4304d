import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Evidence } from '../../src/analysis/evidence.ts';
import { findExperiment } from '../../src/experiments/given-settings.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { describeRun } from '../../src/experiments/run-config.ts';
import type { SweepRecord } from '../../src/experiments/sweep-file.ts';
import { figures } from '../../src/report/figures.ts';
import { writeIndex } from '../../src/report/index-page.ts';
import { statements } from '../../src/report/statements.ts';
import { standalone } from '../../src/report/svg.ts';
import { writeSweepReport } from '../../src/report/sweep.ts';
import { fixture } from './fixture.ts';
import { isAmong, numbersOf, printed } from './numbers-in.ts';
import { bare, visible } from './page-text.ts';
import { write, writeSweep } from './sweep-fixture.ts';
import { elements } from './xml.ts';

const roots: string[] = [];
const newRoot = () => roots[roots.push(mkdtempSync(join(tmpdir(), 'collimate-index-'))) - 1]!;
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true });
});

/** The index over a root, and the part of its text about each claim of the paper. */
function made(root: string) {
  writeIndex(root);
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const html = read('index.html');
  elements(bare(html));
  expect(visible(html)).not.toMatch(/NaN|undefined(?! there)|(?<!got )null|Infinity/);
  const about = (property: string): string =>
    visible(new RegExp(`<section aria-labelledby="${property}">.*?</section>`, 's').exec(html)![0]);
  const glance = visible(/<section aria-labelledby="claims">.*?<\/section>/s.exec(html)![0]);
  return { html, markdown: read('index.md'), data: read('data/claims.csv'), about, glance };
}

const claim = (property: Evidence['property'], changes: Partial<Evidence> = {}): Evidence => ({
  ...{ property, id: property, title: `claim of ${property}`, measure: 'a measure' },
  ...{
    threshold: { atLeast: 0.95 },
    values: [0.97, 0.98, 0.99],
    value: 0.98,
    spread: 0.0082,
    atInitialization: 0.1201,
  },
  ...{ control: 0.2302, controlLabel: 'the same without skip connections', holding: 3, verdict: 'holds' },
  ...changes,
});

const experiment = findExperiment('mnist-fc');
const { settings } = experiment.presets.smoke;
const config = {
  ...describeRun(experiment, { preset: 'smoke', settings, command: '' }, await loadTask('mnist', settings), {
    name: 'any',
    vendor: '',
    driver: '',
    backend: undefined,
    kind: 'software',
    source: 'system',
  }),
};
/** A sweep without runs of its own. */
const sweep = (root: string, name: string, claims: Evidence[], preset = 'quick'): SweepRecord =>
  writeSweep(root, { name, preset, claims, depths: [], figures: [] });

describe('the index', () => {
  it('of nothing says of every claim what to run', () => {
    const { html, markdown, about } = made(newRoot());
    for (const { property, sweeps } of statements) {
      expect(about(property)).toContain('– not measured');
      expect(about(property)).toContain(`Not measured: run npm run reproduce -- ${sweeps[0]}`);
    }
    expect(visible(html)).toContain('Nothing is measured yet');
    expect(markdown).toContain('`npm run reproduce -- no-skip`');
  });

  it('says of RA1–RA4 whether they hold, how strongly, against what, over how many seeds', () => {
    const root = newRoot();
    sweep(root, 'seed', [
      claim('RA1'),
      claim('RA2'),
      claim('RA2', { verdict: 'does not hold', holding: 1, value: 0.9431 }),
      claim('RA3', { verdict: 'does not hold', holding: 0, value: 0.5512 }),
      claim('training'),
    ]);
    sweep(root, 'ra4-depth', [
      claim('RA4', {
        threshold: { atLeast: -1.5, atMost: -0.8 },
        value: -1.0421,
        interval: [-1.1521, -0.9321],
      }),
    ]);
    const { html, glance, about, data } = made(root);
    expect(visible(html)).toContain(
      'RA1 holds; RA2 holds in part; RA3 does not hold; RA4 holds. The paper’s other claims: not measured (5).',
    );
    expect(glance).toMatch(
      /RA1: .* 0\.980 ± 0\.008 ≥ 0\.95 0\.120 0\.230 the same without skip connections 3 of 3 ✓ holds RA2:/,
    );
    expect(glance).toMatch(/RA2: .*; and 1 other number .* ◐ holds in part RA3:/);
    expect(glance).toMatch(/RA4: .* −1\.042 \[−1\.152, −0\.932\] −1\.5 … −0\.8 .* 3 of 3 ✓ holds/);
    expect(about('RA2')).toContain('1 of 2 claims hold, each for every seed.');
    expect(html).toContain('href="sweeps/seed.quick/report.html"');
    const numbers = numbersOf([data]);
    for (const number of printed(glance.replace(/[≥≤] [\d.−]+/g, '')))
      expect(isAmong(number, numbers), number).toBe(true);
  });

  it('judges by the longest preset, and by the sweep that says most first', () => {
    const root = newRoot();
    sweep(root, 'seed', [claim('RA1', { verdict: 'does not hold', value: 0.51 })], 'smoke');
    sweep(root, 'seed', [claim('RA1', { value: 0.97 })], 'quick');
    sweep(root, 'seed', [claim('RA1', { value: null, verdict: 'not measurable', values: [null] })], 'paper');
    sweep(root, 'seed', [claim('RA1', { value: 0.12 })], 'another');
    sweep(root, 'dataset', [claim('RA1', { value: 0.96 })]);
    const { about, glance, html } = made(root);
    expect(about('RA1')).toContain('✓ holds');
    expect(glance).toMatch(/RA1: .* 0\.970 ± .* ✓ holds RA2:/);
    expect(about('RA1')).toMatch(/0\.970.*seed · quick.*0\.960.*dataset · quick/);
    expect(html).toContain('href="sweeps/seed.smoke/report.html"');
  });

  it('judges by the latest single run where no sweep has evidence, and shows its figures', () => {
    const root = newRoot();
    for (const [folder, value] of [
      ['mnist-fc/20260101-100000-1', 0.91],
      ['mnist-fc/20260102-100000-1', 0.92],
    ] as const) {
      const { run, claims } = fixture({ depth: 4, samples: 2, control: false });
      Object.assign(claims.find((c) => c.id === 'line')!, { value });
      write(root, `${folder}/analysis.json`, { ...run.analysis, claims });
      const [, day] = /202601(\d\d)/.exec(folder)!;
      write(root, `${folder}/config.json`, { ...config, started: `2026-01-${day}T10:00:00.000Z` });
      mkdirSync(join(root, folder, 'figures'));
      for (const { file, svg } of figures(fixture({ depth: 2, samples: 1 })))
        writeFileSync(join(root, folder, 'figures', file), standalone(svg));
    }
    const { about, html, markdown } = made(root);
    expect(about('RA1')).toContain('0.920');
    expect(about('RA1')).not.toContain('0.910');
    expect(about('RA1')).toContain('in single runs: no sweep has evidence yet');
    expect(about('RA1')).toContain('Figure 1. RA1: representations through the network.');
    expect(about('RA2')).toContain('Figure 2. RA2 and RA3');
    expect(html.match(/ id="([^"]*)"/g)).toHaveLength(new Set(html.match(/ id="([^"]*)"/g)).size);
    expect(html).not.toContain('style="');
    expect(markdown).toContain('(mnist-fc/20260101-100000-1/figures/ra1-trajectories.png)');
    expect(html).toContain('href="mnist-fc/20260102-100000-1/report.html"');
  });

  it('shows the first figure of the first sweep of a claim', () => {
    const root = newRoot();
    writeSweepReport(root, writeSweep(root, { depths: [4, 8], seeds: [1] }));
    const { html, about } = made(root);
    expect(about('RA4')).toContain(
      'σ₁ against depth. Look for a slope of −1. From the sweep ra4-depth · quick.',
    );
    expect(html).toContain('href="sweeps/ra4-depth.quick/data/ra4-depth.csv"');
  });

  it('says of each note which sweeps have it, models apart from networks', () => {
    const root = newRoot();
    const first = sweep(root, 'seed', []);
    const models = { ...first, name: 'models', batched: true, notes: ['Of models.'] };
    write(root, 'sweeps/models.quick/sweep.json', models);
    const { about } = made(root);
    expect(about('method')).toContain(`${first.notes[0]} (all sweeps of networks)`);
    expect(about('method')).toContain('Of models. (models)');
  });

  it('says how to judge runs of an earlier version again', () => {
    const root = newRoot();
    const { run } = fixture({ depth: 4, samples: 2, control: false });
    const folder = 'mnist-fc/20260101-100000-1';
    write(root, `${folder}/analysis.json`, { ...run.analysis, schema: 'collimate/analysis@2' });
    write(root, `${folder}/config.json`, config);
    expect(made(root).markdown).not.toContain('Could not be read');
    write(root, `${folder}/report.html`, '');
    expect(made(root).about('damaged')).toMatch(
      /analysis\.json: its claims are of an earlier version: `npm run reproduce -- mnist-fc --resume \S*20260101-100000-1`/,
    );
  });

  it('names files that it cannot read, and goes on', () => {
    const root = newRoot();
    sweep(root, 'seed', [claim('RA1')]);
    mkdirSync(join(root, 'sweeps/torn.quick'), { recursive: true });
    writeFileSync(join(root, 'sweeps/torn.quick/sweep.json'), '{"schema": "colli');
    write(root, 'sweeps/old.quick/sweep.json', { schema: 'collimate/sweep@0' });
    const { html, about } = made(root);
    expect(about('damaged')).toContain('sweeps/torn.quick/sweep.json');
    expect(about('damaged')).toContain('it has the format collimate/sweep@0');
    expect(about('RA1')).toContain('✓ holds');
    expect(visible(html)).toContain('1 sweep');
  });

  const damages = ['', 'null', '[]', '3', '{}', '{"sch', `${'['.repeat(200_000)}${']'.repeat(200_000)}`];
  it.each([
    [
      'sweeps/torn.quick/sweep.json',
      ...damages,
      JSON.stringify({ schema: 'collimate/sweep@2', name: 'torn' }),
    ],
    [
      'mnist-fc/20260102-100000-1/analysis.json',
      ...damages,
      '{"schema":"collimate/analysis@4","claims":[null]}',
    ],
    [
      'mnist-fc/20260101-100000-1/config.json',
      ...damages,
      JSON.stringify({ ...config, settings: { depth: 4e8 } }),
    ],
  ])('names a damaged %s, and shows the others', (path, ...contents) => {
    const root = newRoot();
    sweep(root, 'seed', [claim('RA1')]);
    const { run, claims } = fixture({ depth: 4, samples: 2, control: false });
    for (const folder of ['mnist-fc/20260101-100000-1', 'mnist-fc/20260103-100000-1']) {
      write(root, `${folder}/analysis.json`, { ...run.analysis, claims });
      write(root, `${folder}/config.json`, config);
    }
    mkdirSync(join(root, path, '..'), { recursive: true });
    for (const text of contents) {
      writeFileSync(join(root, path), text);
      const { html, about } = made(root);
      expect(about('damaged')).toContain(`${path}: it`);
      expect(about('RA1')).toContain('✓ holds');
      expect(html).toContain('href="mnist-fc/20260103-100000-1/report.html"');
      expect(html).toContain('href="mnist-fc/20260101-100000-1/report.html"');
    }
    rmSync(join(root, path));
    mkdirSync(join(root, path)); // a folder in the place of the file
    expect(made(root).about('damaged')).toContain(`${path}: cannot read it`);
  });

  it('escapes all text', () => {
    const root = newRoot();
    const hostile = '"><script>alert(1)</script>&amp;|`*';
    const record = sweep(root, 'seed', [
      claim('RA1', { title: hostile, measure: hostile, controlLabel: hostile }),
    ]);
    const question = hostile;
    write(root, 'sweeps/seed.quick/sweep.json', {
      ...record,
      name: hostile,
      question,
      notes: [hostile],
      provenance: [{ name: hostile, values: [hostile] }],
    });
    const { html, markdown } = made(root);
    expect(bare(html)).not.toContain('<script');
    expect(markdown).not.toMatch(/(?<!\\)<script/);
  });
});
