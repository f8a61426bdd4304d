import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../command.ts';
import type { Collection } from './collection.ts';
import type { Gathered } from './gather.ts';
import { type ColumnOf, type FigurePart, type Inline, note, type Part, tableOf } from './page.ts';
import type { Statement } from './statements.ts';
import { inlined } from './svg.ts';
import { numberColumns, plural, verdictNote, verdictSentence, verdictTable } from './verdicts.ts';

/** A row for each statement of the paper, with its most telling number. */
export function glance(all: readonly Gathered[]): Part[] {
  const telling = ({ evidence }: Gathered) =>
    evidence.find((c) => c.verdict !== 'not measurable') ?? evidence[0];
  const claim = (one: Gathered) => {
    const { statement, evidence } = one;
    const first = telling(one);
    const more = evidence.length > 1 ? `; and ${plural(evidence.length - 1, 'other number')}` : '';
    return {
      text: [{ text: headline(statement), to: `#${statement.property}` }],
      small: first ? [`${first.measure}, in `, first.source!, more] : remedy(statement.sweeps),
    };
  };
  const columns: ColumnOf<Gathered>[] = [
    ['Claim', claim],
    ...numberColumns(all.flatMap((one) => telling(one) ?? [])).map(
      ([label, of, numeric]): ColumnOf<Gathered> => [
        label,
        (one) => (telling(one) ? of(telling(one)!) : ''),
        numeric,
      ],
    ),
    [
      'Verdict',
      ({ verdict, evidence }) => ({
        ...{ text: '', verdict },
        ...(verdict === 'not measurable' && { small: evidence[0]!.reason! }),
      }),
    ],
  ];
  const evidence = all.flatMap((one) => one.evidence);
  const meaning = verdictNote(evidence, 'seeds');
  const single = all.some((one) => one.single && one.evidence.length > 0);
  const judged = single
    ? 'Where no sweep has evidence, single runs are judged; ± is over their samples.'
    : '';
  return [
    { ...tableOf('The claims of the paper, each with its most telling number', columns, all), cards: true },
    note([meaning, judged, 'The verdict is over all evidence: it holds in part where some does.'].join(' ')),
  ];
}

export function statementParts({ statement, evidence, single }: Gathered, figure: Part | undefined): Part[] {
  const { sweeps, statement: words } = statement;
  if (evidence.length === 0) return [{ kind: 'text', text: words }, note(remedy(sweeps))];
  const where = single ? ', in single runs: no sweep has evidence yet' : ', each for every seed';
  return [
    { kind: 'text', text: `${words} What to look at: ${lower(statement.evidence)}` },
    verdictTable(evidence),
    note(verdictSentence(evidence, { where })),
    ...(figure ? [figure] : []),
  ];
}

const lower = (text: string): string => text.replace(/^[A-Z](?=[a-z ])/, (c) => c.toLowerCase());

const remedy = (sweeps: readonly string[]): Inline => [
  'Not measured: run ',
  { code: command('reproduce', sweeps[0]) },
];

export const headline = ({ mark, short }: Statement): string => (mark ? `${mark}: ${short}` : short);

/** The figure that shows a statement best, from the files of its sweep or of a run. */
export function figureOf(
  found: Collection,
  { statement, sweeps }: Gathered,
  number: number,
): FigurePart | undefined {
  const { figure: file, property } = statement;
  if (file === null) return undefined;
  const ran = sweeps.flatMap(({ record }) => record.runs.filter(({ status }) => status === 'done'));
  const candidates = [
    ...sweeps.map(({ folder, name }) => ({ folder, data: [file], source: `the sweep ${name}` })),
    ...[...ran.map(({ id }) => `runs/${id}`), ...found.runs.map(({ folder }) => folder)].map((folder) => ({
      ...{ folder, data: [], source: `the run ${folder}` },
    })),
  ];
  const chosen = candidates.find(({ folder }) => existsSync(join(found.root, folder, `figures/${file}.svg`)));
  if (!chosen) return undefined;
  const { folder, data, source } = chosen;
  const svg = readFileSync(join(found.root, folder, `figures/${file}.svg`), 'utf8');
  if (!svg.startsWith('<svg ')) return undefined;
  const textOf = (element: string) =>
    (new RegExp(`<${element}[^>]*>([^<]*)<`).exec(svg)?.[1] ?? '').replace(/&#(\d+);/g, (_, code) =>
      String.fromCodePoint(Number(code)),
    );
  const caption = `${textOf('desc')} From ${source}.`;
  return {
    ...{ kind: 'figure', number, folder: `${folder}/` },
    figure: { file: `${file}.svg`, title: textOf('title'), caption, data, svg: inlined(svg, property) },
  };
}
