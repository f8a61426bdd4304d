import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepRecord } from '../../src/experiments/sweep-file.ts';
import { sharedSettings, writeSweepReport } from '../../src/report/sweep.ts';
import { isAmong, numbersOf, printed } from './numbers-in.ts';
import { bare, visible } from './page-text.ts';
import { type SweepOptions, writeSweep } from './sweep-fixture.ts';
import { elements } from './xml.ts';

const root = mkdtempSync(join(tmpdir(), 'collimate-sweep-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A sweep's page and files. */
function made(name: string, options: SweepOptions = {}) {
  const record = writeSweep(root, { name, ...options });
  writeSweepReport(root, record);
  return { record, ...filesOf(record) };
}

function filesOf({ name, preset }: SweepRecord) {
  const folder = join(root, 'sweeps', `${name}.${preset}`);
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');
  const data = Object.fromEntries(
    readdirSync(join(folder, 'data')).map((file) => [file, read(`data/${file}`)]),
  );
  return {
    html: read('report.html'),
    markdown: read('report.md'),
    data,
    figures: existsSync(join(folder, 'figures')) ? readdirSync(join(folder, 'figures')) : [],
    read,
  };
}

it('names the settings that all runs share: not their seed, but where one run has all seeds, and no axis', () => {
  const record = writeSweep(root, { name: 'shared' });
  const names = (of: SweepRecord) => sharedSettings(of).map(([name]) => name);
  const all = Object.keys(record.base);
  const axes = record.axes.map(({ name }) => name);
  expect(axes).toContain('depth');
  expect(names(record)).toEqual(all.filter((name) => name !== 'seed' && !axes.includes(name)));
  expect(names({ ...record, batched: true })).toEqual(all.filter((name) => !axes.includes(name)));
});

describe('the page of a sweep', () => {
  let whole: ReturnType<typeof made>;
  beforeAll(() => {
    whole = made('ra4-depth');
  });

  it('is well formed and needs nothing from elsewhere', () => {
    expect(elements(bare(whole.html))[0]).toBe('html');
    expect(bare(whole.html).replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /https?:|@import|url\(| style=| on\w+=/,
    );
  });

  it('has a row a claim, with value, spread or interval, threshold, seeds, and what the control is', () => {
    const text = visible(whole.html);
    expect(text).toContain('−1.012 [−1.093, −0.928]');
    expect(text).toContain('−1.5 … −0.8');
    expect(text).toMatch(/3 of 3\s+✓\s+holds/);
    expect(text).toMatch(/1 of 3\s+✗\s+does not hold/);
    expect(text).toContain('the same without skip connections');
    expect(text).toContain('1 of 2 claims hold over 3 seeds');
    expect(text).not.toMatch(/runs? failed|not done yet/); // None is.
  });

  it('prints no number that is not in its CSV files', () => {
    const numbers = numbersOf(Object.values(whole.data));
    const tables = [...whole.html.matchAll(/<tbody.*?<\/tbody>/gs)].map(([table]) =>
      visible(table).replace(/[≥≤] [\d.−]+/g, ''),
    );
    const captions = [...whole.html.matchAll(/slope (−?[\d.]+)/g)].length;
    expect(captions).toBe(2); // The slopes of figures are those of lines through their own data.
    const all = tables.flatMap(printed);
    expect(all.length).toBeGreaterThan(40);
    for (const number of all) expect(isAmong(number, numbers), number).toBe(true);
  });

  it('has a row of CSV for each dot of a figure', () => {
    const rows = (file: string) => whole.data[file]!.trim().split('\n').length - 1;
    const dots = (file: string) => whole.read(`figures/${file}`).match(/<circle/g)?.length ?? 0;
    expect(rows('ra4-depth.csv')).toBe(2 * 9 * 3); // scalars × runs × networks
    expect(dots('ra4-depth.svg')).toBe(rows('ra4-depth.csv') + 1); // and one in the legend
    expect(dots('blocks.svg')).toBe(rows('blocks.csv'));
    expect(rows('blocks.csv')).toBe(3 * (4 + 8 + 16));
    expect(dots('course.svg')).toBe(rows('course.csv'));
    expect(rows('course.csv')).toBe(3 * 9 * 4); // scalars × runs × moments
    expect(rows('runs.csv')).toBe(9 * 3);
  });

  it('has every figure as SVG and PNG, and links them', () => {
    const names = whole.record.figures.map((f) => f.file);
    expect(whole.figures.sort()).toEqual(names.flatMap((n) => [`${n}.png`, `${n}.svg`]).sort());
    for (const name of names)
      for (const path of [`figures/${name}.svg`, `figures/${name}.png`, `data/${name}.csv`]) {
        expect(whole.html).toContain(`href="${path}"`);
        expect(whole.markdown).toContain(`(${path})`);
      }
  });

  it('links the pages of its runs', () => {
    expect(whole.html).toContain('href="../../runs/mnist-fc.quick/depth%3D4%2Cseed%3D2/report.html"');
  });

  it('says the same in Markdown', () => {
    expect(whole.markdown).toMatch(/^# The top singular value against total depth\n/);
    expect(whole.markdown).toContain(
      '| **−1.012** \\[−1.093, −0.928\\] | −1.5 … −0.8 | 0.021 | — | 3 of 3 | ✓ holds |',
    );
    for (const row of whole.markdown.match(/^\|.*$/gm)!) expect(row).toMatch(/\|$/);
  });

  it('names runs that are missing or failed, with reasons', () => {
    const { html, markdown, data } = made('partly', { missing: ['4,2'], failed: ['8,3'] });
    const text = visible(html);
    expect(text).toContain('7 of 9 runs');
    expect(text).toMatch(/[^-−\d]88 s in all/); // Each of them took 12.5 s.
    expect(text).toContain('mnist-fc.quick/depth=8,seed=3: loss is NaN at step 12 &#60;b&#62;');
    expect(markdown).toContain('loss is NaN at step 12 \\<b\\>');
    expect(text).toContain('2\u00a0(missing)');
    expect(data['runs.csv']).toMatch(/depth=8,seed=3",8,identity,3,failed,loss is NaN/);
    elements(bare(html));
  });

  it.each<[string, SweepOptions]>([
    ['one seed', { seeds: [5], control: false }],
    ['nothing done', { depths: [4], seeds: [1], missing: ['4,1'] }],
    ['no claims', { claims: [], depths: [4] }],
    ['no figures', { figures: [], depths: [4], seeds: [1] }],
  ])('copes with %s', (name, options) => {
    const { html, markdown } = made(name.replace(' ', '-'), options);
    expect(visible(html) + markdown).not.toMatch(/NaN(?! at)|undefined(?! there)|null|Infinity/);
    elements(bare(html));
  });

  it('does not fit or draw what is not positive on a logarithmic scale', () => {
    const { record } = made('dead', { depths: [4, 8], seeds: [1, 2] });
    const runs = record.runs.map((run) => ({
      ...run,
      trained: { ...run.trained!, sigma1Last: run.seed === 1 ? 0 : null, nc1: null },
    }));
    writeSweepReport(root, { ...record, runs });
    const { html, data } = filesOf(record);
    expect(visible(html)).not.toMatch(/NaN|null|Infinity/);
    expect(data['ra4-depth.csv']).toMatch(/sigma1Last,trained,4,1,[^\n]*,0\n/);
  });

  it.each([
    [
      'wraps names that one line has no room for',
      ['none', 'before the last norm', 'behind the last norm', 'both of them'],
      false,
    ],
    [
      'tilts names with longer words',
      [
        'MNIST, convolutional',
        'CIFAR-10, convolutional',
        'CIFAR-100, convolutional',
        'ImageNette, convolutional',
        'all',
      ],
      true,
    ],
  ])('%s', (_, names, tilted) => {
    const { record } = made('names', {
      depths: [4, 5, 6, 7, 8].slice(0, names.length),
      seeds: [1],
      control: false,
    });
    const runs = record.runs.map((run, i) => ({ ...run, cell: { name: names[i]! } }));
    const scalars = ['line', 'nc1', 'stepCv'] as const;
    writeSweepReport(root, {
      ...{ ...record, runs, axes: [{ name: 'name', label: 'name' }] },
      figures: [{ kind: 'scalars', file: 'names', title: 'Names', caption: 'Look.', x: 'name', scalars }],
    });
    const svg = filesOf(record).read('figures/names.svg');
    expect(svg.includes('rotate(-45)')).toBe(tilted);
    expect(svg.match(/<tspan[^>]*>[^<]*<\/tspan>/g)!.length).toBeGreaterThan(3 * names.length);
  });

  it('takes seeds for an axis, and values too close for words', () => {
    const { html } = made('axes', {
      depths: [4, 5, 100],
      figures: [
        {
          kind: 'scalars',
          file: 'by-seed',
          title: 'By seed',
          caption: 'Look.',
          x: 'seed',
          scalars: ['line'],
        },
      ],
    });
    expect(html).toContain('>seed<');
    expect(html.match(/<circle/g)).toHaveLength(9 + 1);
  });

  it('draws one scalar against others, one dot per run that has both', () => {
    const { html, record } = made('points', {
      depths: [4, 8],
      missing: ['8,3'],
      figures: [
        {
          ...{ kind: 'points', file: 'points', title: 'Points', caption: 'Look.' },
          ...{ x: ['diagonalShare', 'stepCv', 'keptLinear'], y: 'line', series: 'depth' },
        },
      ],
    });
    // And one for each depth in the legend; these networks have no replaced blocks.
    expect(html.match(/<circle/g)).toHaveLength(2 * 5 + 2);
    const rows = filesOf(record).read('data/points.csv').trim().split('\n').slice(1);
    const [first] = record.runs;
    expect(rows).toHaveLength(2 * 5);
    const { diagonalShare, line } = first!.trained!;
    expect(rows[0]).toBe(`diagonalShare,4,1,"${first!.id}",${diagonalShare},${line}`);
  });
});
