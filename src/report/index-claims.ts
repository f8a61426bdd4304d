import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { thresholdInWords } from '../analysis/evidence.ts';
import type { Collection } from './collection.ts';
import type { Gathered } from './evidence.ts';
import { defined, format } from './numbers.ts';
import type { PaperClaim } from './paper-claims.ts';
import { type Cell, type FigurePart, type Inline, type Part, pieces, type Table } from './parts.ts';
import { inlined } from './svg.ts';
import { capitalized, plural, seedsInWords, valueInWords, verdictNote, verdictTable } from './verdicts.ts';

/** A row for each claim of the paper with its most telling number. */
export function glance(evidence: readonly Gathered[]): Part[] {
  const rows = evidence.map(({ claim, judged, verdict, single }): Cell[] => {
    const name: Inline = [{ text: headline(claim), to: `#${claim.property}` }];
    const first = judged.find((c) => c.verdict !== 'not measurable') ?? judged[0];
    if (!first) {
      const none = Array.from({ length: 5 }, (): Cell => ({ text: '' }));
      return [{ text: name, small: remedy(claim.sweeps) }, ...none, { text: '', verdict }];
    }
    const { value, spread } = valueInWords(first);
    const more = judged.length - 1;
    return [
      {
        text: name,
        small: [
          `${first.measure}, in `,
          ...pieces(first.source ?? ''),
          more > 0 ? `; and ${plural(more, 'other number')}` : '',
        ],
      },
      { text: value, strong: true, after: spread },
      { text: thresholdInWords(first.threshold) },
      { text: format(first.atInitialization) },
      {
        text: format(first.control),
        ...(defined(first.control) && first.controlLabel && { small: first.controlLabel }),
      },
      { text: single ? 'one run' : seedsInWords(first) },
      { text: '', verdict, ...(verdict === 'not measurable' && first.reason && { small: first.reason }) },
    ];
  });
  const numeric = { numeric: true };
  const table: Table = {
    ...{ kind: 'table', caption: 'The claims of the paper, each with its most telling number', cards: true },
    columns: [
      { label: 'Claim' },
      { label: 'Measured', ...numeric },
      { label: 'Threshold', ...numeric },
      { label: 'At initialization', ...numeric },
      { label: 'Control', ...numeric },
      { label: 'Seeds that hold', ...numeric },
      { label: 'Verdict' },
    ],
    groups: [{ rows }],
  };
  const over = evidence.some((e) => e.single)
    ? ' A claim that no sweep speaks to is judged from single runs; ± is over their samples.'
    : '';
  return [
    table,
    {
      ...{ kind: 'text', note: true },
      text: `${verdictNote(
        evidence.flatMap((e) => e.judged),
        'seeds',
      )}${over} The verdict is over all numbers that speak to a claim: it holds in part where some do.`,
    },
  ];
}

export function claimParts({ claim, judged, single }: Gathered, figure: Part | undefined): Part[] {
  const words: Part[] = [
    {
      kind: 'text',
      text: `${claim.statement} ${judged.length > 0 ? `What to look at: ${lower(claim.evidence)}` : ''}`.trim(),
    },
  ];
  if (judged.length === 0) return [...words, { kind: 'text', text: remedy(claim.sweeps), note: true }];
  const holding = judged.filter((c) => c.verdict === 'holds').length;
  const vague = judged.filter((c) => c.verdict === 'not measurable').length;
  const measured = judged.length - vague;
  const count =
    `${holding} of ${plural(measured, 'number')} on the right side of ${measured === 1 ? 'its threshold' : 'their thresholds'}` +
    `${single ? ', in single runs: no sweep speaks to it yet' : ' in every seed'}${vague > 0 ? `; ${vague} not measurable` : ''}.`;
  return [
    ...words,
    verdictTable(judged),
    { kind: 'text', text: capitalized(count), note: true },
    ...(figure ? [figure] : []),
  ];
}

const lower = (text: string): string => text.replace(/^[A-Z](?=[a-z ])/, (c) => c.toLowerCase());

const remedy = (sweeps: readonly string[]): Inline => [
  'Not measured: run ',
  { code: `npm run reproduce -- ${sweeps[0]}` },
];

/** A claim as a title. */
export const headline = ({ mark, short }: PaperClaim): string => (mark ? `${mark}: ${short}` : short);

/** The figure that says most of a claim, from the files of its sweep or of a run. */
export function figureOf(
  found: Collection,
  { claim, sweeps, theory }: Gathered,
  number: number,
): FigurePart | undefined {
  const { figure: file } = claim;
  if (file === null) return undefined;
  const ran = sweeps.flatMap(({ record }) => record.runs.filter(({ status }) => status === 'done'));
  const candidates = [
    ...sweeps.map(({ folder, name }) => ({ folder, data: [file], source: `the sweep ${name}` })),
    ...theory.map(({ folder, name }) => ({ folder, data: [], source: name })),
    ...[...ran.map(({ id }) => `runs/${id}`), ...found.runs.map(({ folder }) => folder)].map((folder) => ({
      ...{ folder, data: [], source: `the run ${folder}` },
    })),
  ];
  const chosen = candidates.find(({ folder }) => existsSync(join(found.root, folder, `figures/${file}.svg`)));
  if (!chosen) return undefined;
  const { folder, data, source } = chosen;
  const svg = readFileSync(join(found.root, folder, `figures/${file}.svg`), 'utf8');
  if (!svg.startsWith('<svg ')) return undefined;
  const said = (element: string) =>
    (new RegExp(`<${element}[^>]*>([^<]*)<`).exec(svg)?.[1] ?? '').replace(/&#(\d+);/g, (_, code) =>
      String.fromCodePoint(Number(code)),
    );
  const caption = `${said('desc')} From ${source}.`;
  return {
    ...{ kind: 'figure', number, folder: `${folder}/` },
    figure: { file: `${file}.svg`, title: said('title'), caption, data, svg: inlined(svg, claim.property) },
  };
}
