import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { csv } from '../../src/report/csv.ts';
import type { ReportData } from '../../src/report/data.ts';
import { figures } from '../../src/report/figures.ts';
import { html } from '../../src/report/html.ts';
import { pageOf } from '../../src/report/page.ts';
import { render } from '../../src/report/render.ts';
import { runPage } from '../../src/report/run-page.ts';
import { runTables } from '../../src/report/tables.ts';
import { type FixtureOptions, fixture } from './fixture.ts';
import { isAmong, numbersOf, printed } from './numbers-in.ts';
import { bare, visible } from './page-text.ts';
import { elements } from './xml.ts';

const page = (data: ReportData): string => render(pageOf(runPage(data)), html);
const made = (options?: FixtureOptions): string => page(fixture(options));

describe('the report page', () => {
  it('needs nothing from elsewhere', () => {
    const html = made();
    expect(html.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /https?:|\/\/\w|@import|url\(/,
    );
    expect(bare(html)).not.toMatch(/<script|<link rel="stylesheet|<img/);
    for (const [, target] of html.matchAll(/(?:href|src)="([^"]*)"/g))
      expect(target).toMatch(/^(data:,|(figures|control|data)\/[\w.-]+|[\w-]+\.\w+)$/);
  });

  it('allows its one style sheet, by its hash, and nothing else', () => {
    const html = made();
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
    const style = /<style>(.*?)<\/style>/s.exec(html)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy).toContain(`default-src 'none'; style-src 'sha256-${hash}';`);
    expect(policy).not.toContain('unsafe');
    expect(html).not.toMatch(/ style="| on\w+="|<script/);
  });

  it('links every figure to its own file, which a browser can enlarge', () => {
    const html = made();
    for (const { file } of figures(fixture()))
      expect(html).toMatch(new RegExp(`<a href="figures/${file}"[^>]*><svg `));
  });

  it('is the same each time', () => {
    expect(made()).toBe(made());
  });

  it.each<[string, FixtureOptions]>([
    ['one stage', { epochs: 4, course: true }],
    ['several stages', { stages: [5, 2], samples: 3 }],
    ['a dead block', { depth: 5, dead: [2], control: false }],
  ])('prints no number that is not in its CSV files, of %s', (_, options) => {
    const data = fixture(options);
    // A fit is written with the sign of b apart.
    const numbers = numbersOf(runTables(data).map(({ rows }) => csv(rows))).flatMap((n) => [n, -n]);
    const shown = [
      ...[...page(data).matchAll(/<tbody.*?<\/tbody>/gs)].map(([table]) => visible(table)),
      ...figures(data).flatMap(({ svg }) =>
        [...svg.matchAll(/fill-opacity="0.75">([^<]*)</g)].map(([, note]) => note!),
      ),
    ].flatMap((text) => printed(text.replace(/[≥≤] [\d.−]+|R² of/g, '')));
    expect(shown.length).toBeGreaterThan(100);
    expect(shown.filter((number) => !isAmong(number, numbers))).toEqual([]);
  });

  it('says the result in a sentence and every claim in a row', () => {
    const html = made();
    const { claims } = fixture();
    expect(html).toContain('6 of 7 claims of Residual Alignment hold on 16 samples');
    expect(html.match(/class="judged"/g)).toHaveLength(claims.length);
    expect(html.match(/does not hold<\/span>/g)).toHaveLength(
      claims.filter((c) => c.verdict === 'does not hold').length,
    );
    const text = visible(html);
    for (const property of ['RA1', 'RA2', 'RA3', 'RA4'])
      expect(text).toMatch(new RegExp(`\\b${property}\\b`));
    const allHold = fixture();
    for (const claim of allHold.claims) Object.assign(claim, { verdict: 'holds' });
    expect(page(allHold)).toContain('all 7 claims of Residual Alignment hold');
  });

  it('names the blocks, and says how the Frobenius norms were had', () => {
    const text = visible(made({ stages: [3, 2] }));
    expect(text).toContain('3 blocks of 32×32×64, 2 blocks of 16×16×128');
    expect(text).toContain(
      'exact in some stages, estimated in others, with a standard error of at most 0.4%',
    );
    expect(visible(made())).toContain('8 blocks of width 128');
  });

  it('prints enough digits to agree with the verdict', () => {
    const data = fixture();
    Object.assign(data.claims[1]!, {
      ...{ value: 0.98996, threshold: { atLeast: 0.99 }, verdict: 'does not hold' },
    });
    expect(page(data)).toContain('<strong>0.98996</strong>');
  });

  it('says in its row why a claim is not measurable', () => {
    const data = fixture();
    const reason = 'the network has not learned its task: test accuracy 0.82, expected ≥ 0.92';
    const sure = { value: 0.9, threshold: { atLeast: 0.99 }, uncertainty: 1e-5 };
    Object.assign(data.claims[1]!, { ...sure, verdict: 'not measurable', reason });
    expect(visible(page(data))).toMatch(new RegExp(`– not measurable\\s+${reason}`));
    expect(visible(page(data))).not.toContain('singular values lie close');
    Object.assign(data.claims[1]!, { value: 0.989995 });
    expect(visible(page(data))).toContain('singular values lie close');
  });

  it('warns of a network that did not learn its task', () => {
    const data = fixture();
    expect(page(data)).not.toContain('Accuracy is below');
    Object.assign(data.claims.find((c) => c.property === 'training')!, { verdict: 'does not hold' });
    expect(page(data)).toContain('Accuracy is below');
  });

  it.each<[string, FixtureOptions]>([
    ['no control', { control: false }],
    ['almost nothing', { depth: 1, classes: 2, samples: 1, epochs: 0, control: false }],
    ['dead blocks', { depth: 4, dead: [1, 2, 3, 4] }],
  ])('copes with %s', (_, options) => {
    const html = made(options);
    expect(visible(html)).not.toMatch(/NaN|undefined(?! there)|null|Infinity/);
    if (options.control === false) expect(html).not.toContain('No-skip');
    if (options.depth) expect(html).toContain('A dash means');
  });

  it('copes with no claims, settings or deviations', () => {
    const data = { ...fixture(), claims: [], settings: [], provenance: [], deviations: [] };
    expect(page(data)).toContain('No claim was judged');
  });

  it('escapes all text', () => {
    const hostile = "\"><script>alert(1)</script><img src=x onerror='1'>&amp;";
    const data = fixture({ samples: 2 });
    Object.assign(data, { title: hostile, experiment: hostile, deviations: [hostile] });
    data.settings.push([hostile, hostile]);
    data.provenance.push([hostile, hostile]);
    data.network.config[hostile] = { [hostile]: hostile };
    data.run.label = hostile;
    data.control!.label = hostile;
    for (const claim of data.claims) Object.assign(claim, { title: hostile, measure: hostile });
    const html = bare(page(data));
    elements(html);
    expect(html).not.toMatch(/<script|<img|onerror='/);
  });

  it('links the files of the run and of its control', () => {
    const html = made();
    for (const file of ['config.json', 'metrics.jsonl', 'analysis.json', 'checkpoint.safetensors'])
      for (const path of [file, `control/${file}`]) expect(html).toContain(`href="${path}"`);
    for (const { file } of figures(fixture())) expect(html).toContain(`href="figures/${file}"`);
    expect(made({ control: false })).not.toContain('href="control/');
  });

  it('stays small', () => {
    expect(made().length).toBeLessThan(500_000);
  });
});
