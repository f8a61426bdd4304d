import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Collection, collect } from './collection.ts';
import { type Evidence, gather } from './evidence.ts';
import { format, percent } from './numbers.ts';
import type { Cell, Files, Inline, Page, Part, Section, Table, Verdict } from './parts.ts';
import { verdictWords } from './parts.ts';
import { publish } from './publish.ts';
import { inlined } from './svg.ts';
import { writerTo } from './sweep.ts';
import { sweepSentence } from './sweep-page.ts';
import {
  capitalized,
  type Judged,
  plural,
  thresholdInWords,
  together,
  valueInWords,
  verdictNote,
  verdictTable,
} from './verdicts.ts';

/** Writes the page over all that lies below a root: each claim of the paper with what was measured of it, then all sweeps and runs. */
export function writeIndex(root: string): void {
  const found = collect(root);
  const evidence = gather(found);
  publish(writerTo(root), indexPage(found, evidence), {
    name: 'index',
    data: [{ name: 'claims', rows: evidence.flatMap(observations) }],
  });
}

function observations({ claim, judged }: Evidence) {
  return judged.map(({ threshold, interval, seeds, source, ...row }) => {
    const [low, high] = typeof threshold === 'number' ? [threshold] : threshold;
    return {
      ...{ mark: claim.mark, source: typeof source === 'string' ? source : pathOf(source) },
      ...{
        ...row,
        threshold: low,
        thresholdHigh: high,
        interval: interval?.[0],
        intervalHigh: interval?.[1],
      },
      ...{ seedsHolding: seeds?.[0], seeds: seeds?.[1] },
    };
  });
}

const pathOf = (source: Judged['source']): string => {
  const [first] = source ?? [];
  return typeof first === 'object' ? first.text : '';
};

function indexPage(found: Collection, evidence: readonly Evidence[]): Page {
  const { sweeps, runs, theory, damaged } = found;
  let figures = 0;
  const claims = evidence.map((e): Section => {
    const figure = figureOf(found, e, figures + 1);
    if (figure) figures++;
    return {
      id: e.claim.property,
      title: `${e.claim.mark} ${e.claim.short}`.trim(),
      verdict: e.verdict,
      parts: claimParts(e, figure),
    };
  });
  return {
    kicker: 'Collimate · all results',
    title: 'Residual Alignment: what the paper claims, and what was measured',
    subtitle: `${plural(sweeps.length, 'sweep')}, ${plural(runs.length, 'single run')}${theory.length > 0 ? ', the theory' : ''}`,
    result: resultOf(evidence),
    sections: [
      { id: 'claims', title: 'The claims at a glance', parts: glance(evidence) },
      ...claims,
      { id: 'sweeps', title: 'Sweeps', parts: [sweepTable(found)] },
      { id: 'runs', title: 'Single runs', parts: [runTable(found)] },
      ...(damaged.length > 0
        ? [
            {
              ...{ id: 'damaged', title: 'Could not be read' },
              parts: [{ kind: 'list', items: damaged.map((d) => `${d.path}: ${d.reason}`) }] satisfies Part[],
            },
          ]
        : []),
      provenance(found),
    ],
  };
}

/** Which of RA1–RA4 hold, and how many of the other claims. */
function resultOf(evidence: readonly Evidence[]): string {
  const properties = evidence.filter((e) => e.claim.mark !== '');
  if (evidence.every((e) => e.verdict === 'open'))
    return 'Nothing is measured yet: run `npm run reproduce -- all --preset quick`.';
  const said = properties.map((e) => `${e.claim.mark} ${verdictWords[e.verdict]}`).join('; ');
  const others = evidence.filter((e) => e.claim.mark === '' && e.claim.property !== 'training');
  const counts = (['holds', 'part', 'fails', 'open'] as const).flatMap((verdict) => {
    const n = others.filter((e) => e.verdict === verdict).length;
    return n > 0 ? [`${n} ${manyWords[verdict][n === 1 ? 0 : 1]}`] : [];
  });
  return `${said}. Of the paper’s ${others.length} other claims ${enumerated(counts)}.`;
}

const manyWords: Record<Verdict, [string, string]> = {
  holds: ['holds', 'hold'],
  part: ['holds in part', 'hold in part'],
  fails: ['does not hold', 'do not hold'],
  open: ['is not measured', 'are not measured'],
};

const enumerated = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;

/** A row for each claim of the paper with its most telling number. */
function glance(evidence: readonly Evidence[]): Part[] {
  const rows = evidence.map(({ claim, judged, verdict }): Cell[] => {
    const name: Inline = [
      { text: claim.mark ? `${claim.mark} ${claim.short}` : claim.short, to: `#${claim.property}` },
    ];
    const first = judged.find((c) => c.holds !== null) ?? judged[0];
    if (!first) {
      const none = Array.from({ length: 5 }, (): Cell => ({ text: '—' }));
      return [{ text: name, small: remedy(claim.sweeps) }, ...none, { text: '', verdict }];
    }
    const { value, spread } = valueInWords(first);
    const more = judged.length - 1;
    return [
      { text: name, small: `${first.measure}${more > 0 ? `; and ${plural(more, 'other number')}` : ''}` },
      { text: value, strong: true, after: spread },
      { text: thresholdInWords(first) },
      { text: format(first.atInitialization) },
      { text: format(first.control), ...(first.controlLabel && { small: first.controlLabel }) },
      { text: first.seeds ? first.seeds.join(' of ') : 'one run' },
      { text: '', verdict },
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
      { label: 'All numbers' },
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

function claimParts({ claim, judged, single }: Evidence, figure: Part | undefined): Part[] {
  const words: Part[] = [
    {
      kind: 'text',
      text: `${claim.statement} ${judged.length > 0 ? `What to look at: ${lower(claim.evidence)}` : ''}`.trim(),
    },
  ];
  if (judged.length === 0)
    return [...words, { kind: 'text', text: capitalized(remedy(claim.sweeps)), note: true }];
  const holding = judged.filter((c) => c.holds).length;
  const open = judged.filter((c) => c.holds === null).length;
  const count =
    `${holding} of ${plural(judged.length - open, 'number')} on the right side of ${judged.length - open === 1 ? 'its threshold' : 'their thresholds'}` +
    `${single ? ', in single runs: no sweep speaks to it yet' : ' in every seed'}${open > 0 ? `; ${open} not there yet` : ''}.`;
  return [
    ...words,
    verdictTable(judged),
    { kind: 'text', text: capitalized(count), note: true },
    ...(figure ? [figure] : []),
  ];
}

const lower = (text: string): string => text.replace(/^[A-Z](?=[a-z ])/, (c) => c.toLowerCase());

const remedy = (sweeps: readonly string[]): string =>
  `not measured: run \`npm run reproduce -- ${sweeps[0]}\``;

/** The figure that says most of a claim, from the files of its sweep or of a run. */
function figureOf(found: Collection, { claim, sweeps }: Evidence, number: number): Part | undefined {
  const runs = [
    ...sweeps.flatMap(({ record }) =>
      record.runs.flatMap(({ id, status }) => (status === 'done' ? [`runs/${id}`] : [])),
    ),
    ...found.runs.map(({ folder }) => folder),
  ];
  const candidates = claim.figure
    ? runs.map((folder) => ({ folder, file: claim.figure!, data: [], source: `the run ${folder}` }))
    : sweeps.flatMap(({ record, folder, name }) =>
        record.figures
          .slice(0, 1)
          .map(({ file }) => ({ folder, file, data: [file], source: `the sweep ${name}` })),
      );
  const chosen = candidates.find(({ folder, file }) =>
    existsSync(join(found.root, folder, `figures/${file}.svg`)),
  );
  if (!chosen) return undefined;
  const { folder, file, data, source } = chosen;
  const svg = readFileSync(join(found.root, folder, `figures/${file}.svg`), 'utf8');
  if (!svg.startsWith('<svg ')) return undefined;
  const said = (element: string) =>
    (new RegExp(`<${element}[^>]*>([^<]*)<`).exec(svg)?.[1] ?? '').replace(/&#(\d+);/g, (_, code) =>
      String.fromCodePoint(Number(code)),
    );
  const files: Files = {
    svg: `${folder}/figures/${file}.svg`,
    png: `${folder}/figures/${file}.png`,
    data: data.map((name) => `${folder}/data/${name}.csv`),
  };
  const caption = `${said('desc')} From ${source}.`;
  return {
    ...{ kind: 'figure', number, files },
    figure: { file: `${file}.svg`, title: said('title'), caption, svg: inlined(svg, claim.property) },
  };
}

function sweepTable({ sweeps, theory }: Collection): Part {
  const counted = (claims: readonly Judged[]): Cell[] => [
    { text: `${claims.filter((c) => c.holds).length} of ${claims.length}` },
    { text: '', verdict: together(claims) },
  ];
  const rows = [
    ...sweeps.map(({ folder, name, record, claims }): Cell[] => [
      { text: [{ text: name, to: `${folder}/report.html` }], small: record.question },
      { text: `${record.runs.filter((r) => r.status === 'done').length} of ${record.runs.length}` },
      { text: `${record.seeds.length}` },
      { text: sweepSentence(record) },
      ...counted(claims),
    ]),
    ...theory.map(({ folder, name, claims }): Cell[] => [
      { text: [{ text: name, to: `${folder}/report.html` }] },
      ...[
        { text: '—' },
        { text: '—' },
        { text: 'The model of the paper’s theory, optimized from many starts.' },
      ],
      ...counted(claims),
    ]),
  ];
  if (rows.length === 0)
    return { kind: 'text', text: 'There are none yet: run `npm run reproduce -- all --preset quick`.' };
  return {
    ...{ kind: 'table', caption: 'All sweeps, and the theory' },
    columns: [
      { label: 'Sweep' },
      { label: 'Runs', numeric: true },
      { label: 'Seeds', numeric: true },
      { label: 'Result' },
      { label: 'Claims that hold', numeric: true },
      { label: 'Verdict' },
    ],
    groups: [{ rows }],
  };
}

function runTable({ runs }: Collection): Part {
  if (runs.length === 0) return { kind: 'text', text: 'There are none beside those of the sweeps.' };
  return {
    ...{ kind: 'table', caption: 'All runs that belong to no sweep' },
    columns: [
      { label: 'Run' },
      { label: 'Preset' },
      { label: 'Seed', numeric: true },
      { label: 'Test accuracy', numeric: true },
      { label: 'Claims that hold', numeric: true },
      { label: 'Does not hold' },
    ],
    groups: [
      {
        rows: runs.map(({ folder, config, claims, testAccuracy }) => {
          const failed = claims.filter((c) => !c.holds);
          return [
            { text: [{ text: folder, to: `${folder}/report.html` }] },
            { text: config?.preset ?? '—' },
            { text: config ? `${config.settings.seed}` : '—' },
            { text: percent(testAccuracy) },
            { text: `${claims.length - failed.length} of ${claims.length}` },
            { text: failed.map((c) => c.title).join('; ') || '—' },
          ];
        }),
      },
    ],
  };
}

function provenance({ sweeps }: Collection): Section {
  const values = new Map<string, Set<string>>();
  for (const { record } of sweeps)
    for (const { name, values: own } of record.provenance)
      values.set(name, new Set([...(values.get(name) ?? []), ...own]));
  const notes = [...new Set(sweeps.flatMap(({ record }) => record.notes))];
  return {
    id: 'method',
    title: 'How it was made',
    parts: [
      {
        kind: 'text',
        text: 'Each page has the settings, the adapter and the commit of its own runs, and every number as CSV.',
      },
      {
        kind: 'facts',
        groups: [
          { title: 'Provenance', rows: [...values].map(([name, all]) => [name, [...all].join('; ')]) },
        ],
      },
      ...(notes.length > 0
        ? ([
            { kind: 'heading', text: 'Deviations from the paper, and choices made by rule' },
            { kind: 'list', items: notes },
          ] satisfies Part[])
        : []),
      {
        kind: 'list',
        items: [
          ['All claims with their numbers: ', { text: 'data/claims.csv', to: 'data/claims.csv' }],
          ['This page as ', { text: 'index.md', to: 'index.md' }],
        ],
      },
    ],
  };
}
