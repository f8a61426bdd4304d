import { expect, test } from 'vitest';
import { thresholdInWords } from '../../src/analysis/evidence.ts';
import type { Fields } from '../../src/analysis/measures/field.ts';
import type { Measure, RunClaim, Scalar } from '../../src/analysis/measures/measure.ts';
import { all } from '../../src/analysis/results.ts';
import { modelScalars } from '../../src/analysis/unconstrained/measures.ts';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0
    ? []
    : [
        ...['', `| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`],
        ...rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`),
      ];

/** Paragraphs in lines that end before column 110; tables as they are. */
const wrapped = (text: string): string =>
  text
    .split('\n\n')
    .map((part) =>
      part.startsWith('|')
        ? part
        : part
            .replaceAll(/\s+/g, ' ')
            .replaceAll(/(.{1,105})( |$)/g, '$1\n')
            .trim(),
    )
    .join('\n\n');

/** The threshold for ten classes in a kind of network; empty if not claimed for it. */
const thresholdOf = ({ kinds, threshold }: RunClaim, kind: 'fc' | 'conv'): string => {
  if (kinds?.includes(kind) === false) return '';
  const facts = { kind, triples: 10, blocks: 8, randomLabels: false };
  return thresholdInWords(typeof threshold === 'function' ? threshold(facts) : threshold);
};

const fieldsIn = (where: string, fields: Fields = {}) =>
  Object.entries(fields).map(([name, { formula }]) => [`\`${where}${name}\``, formula]);

function section(measure: Measure): string[] {
  const { title, property, about, sample, gathered, whole, scalars = {}, claims = [] } = measure;
  const { tables = {}, figures = [] } = measure;
  const files = [
    ...figures.map(({ file }) => `\`figures/${file}\``),
    ...Object.keys(tables).map((name) => `\`data/${name}.csv\``),
  ];
  return [
    ...['', `## ${title}${property ? ` (${property})` : ''}`],
    ...(about ? ['', wrapped(about)] : []),
    ...table(
      ['field', 'formula'],
      [...fieldsIn('samples[].', sample), ...fieldsIn('', gathered), ...fieldsIn('', whole)],
    ),
    ...table(
      ['scalar', 'what it is'],
      Object.entries(scalars).map(([name, { what }]) => [`\`${name}\``, what]),
    ),
    ...table(
      ['claim', 'number', 'of blocks', 'fully connected', 'convolutional'],
      claims.map((claim) => {
        const { title, of, blocks } = claim;
        const number = `\`${String(of.scalar)}\`${of.network ? ' of the control' : ''}`;
        const least = blocks ? `${blocks} or more` : 'any';
        return [title, number, least, thresholdOf(claim, 'fc'), thresholdOf(claim, 'conv')];
      }),
    ),
    ...(files.length > 0 ? ['', `Shown in ${files.join(', ')}.`] : []),
  ];
}

/** docs/measures.md, from the list of measures. */
const page = (): string =>
  [
    '# Measures',
    '',
    wrapped(
      'Every measure with its fields in `analysis.json` (see [Notation](results.md#notation)), its scalars, the names that claims, sweeps and ' +
        'tables use, and its claims, for ten classes; the thresholds are this project’s. Each has a file in ' +
        '`src/analysis/measures/`, and `npx vitest run measures-page -u` writes this page.',
    ),
    ...all.flatMap((measure) => section(measure as Measure)),
    ...['', '## The Unconstrained Jacobians Model', ''],
    'Scalars of a start, and the axis on which figures show them ([theory.md](theory.md)).',
    ...table(
      ['scalar', 'what it is', 'axis'],
      Object.entries<Pick<Scalar, 'label' | 'log' | 'domain'>>(modelScalars).map(
        ([name, { label, log, domain }]) => [
          `\`${name}\``,
          label,
          log ? 'logarithmic' : (domain?.join(' to ') ?? ''),
        ],
      ),
    ),
    '',
  ].join('\n');

test('docs/measures.md is what the measures say of themselves', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/measures.md');
});

test('each measure has a title and each field a formula', () => {
  const titles = all.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  for (const { sample, gathered, whole } of all)
    for (const { formula } of Object.values({ ...sample, ...gathered, ...whole }))
      expect(formula).toMatch(/\S/);
});
