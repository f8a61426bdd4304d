import type { BenchFile, PeerTiming, Row } from '../../bench/result.ts';
import {
  cellsOf,
  checkText,
  digits,
  formatTime,
  heads,
  ratioText,
  remarks,
  rooflineText,
} from '../../bench/table.ts';
import type { Figure } from '../../src/report/page.ts';
import { gflopsFigure, scalingFigure } from './figures.ts';

/** Results of `npm run gpu-day`: its table as Markdown, and its benchmarks as one file. */
export interface Day {
  readonly table: string;
  readonly bench: BenchFile | undefined;
}

/** The page as Markdown, and the figures that it shows from `images/`. The same files give the same page. */
export function benchmarksPage(
  files: readonly BenchFile[],
  days: readonly Day[] = [],
): { markdown: string; figures: Figure[] } {
  const figures: Figure[] = [];
  const slugs = new Set<string>();
  const show = (file: BenchFile) =>
    section(file, freshSlug(file, slugs), (figure) => {
      if (!figure) return '';
      figures.push(figure);
      return `![${figure.caption}](images/${figure.file})`;
    });
  const gpus = days.flatMap(({ table, bench }) => [table, ...(bench ? [show(bench)] : [])]);
  const parts = [intro, ...files.map(show), days.length ? gpusIntro : noGpus, ...gpus];
  return { markdown: `${parts.join('\n\n')}\n`, figures };
}

const intro = `<!-- Made by npm run bench:docs from results of npm run bench. Changes made here are lost. -->

# Benchmarks

All numbers are from \`npm run bench\`. To remake this page: \`npm run bench:docs -- <results.json…>\`.

A time is a median, with quartiles beside it. The clock is the GPU's own, from timestamps (\`gpu\`), the
wall's, around many queued dispatches (\`wall\`), or the host's alone (\`host\`). GFLOPS and GB/s count what the
kernels have to compute, and what they have to move at least once. *Roofline* is the share of the speed that
the ceilings measured in the same run allow at that ratio of operations to bytes; it exceeds 100% where data
stays in caches. Everything timed was checked against float64 in the same run.`;

const gpusIntro = `## GPUs

What \`npm run gpu-day\` found, part by part, and then what it measured.`;

/** Placeholder for GPUs' numbers. */
export const noGpus = `## GPUs

There are no numbers yet: no GPU has run these kernels. On a machine with one, \`npm run gpu-day -- --out day\`
takes them within minutes ([ci.md](ci.md#measuring-a-gpu)), and \`npm run bench:docs -- <results.json…> day\`
puts them here.`;

/** `llvmpipe` of `llvmpipe-llvm-15-0-6-256-bits`; with a number where that is taken. */
function freshSlug({ adapter }: BenchFile, taken: Set<string>): string {
  const first = /[a-z0-9]+/.exec(adapter.name.toLowerCase())?.[0] ?? 'adapter';
  let slug = first;
  for (let i = 2; taken.has(slug); i++) slug = `${first}-${i}`;
  taken.add(slug);
  return slug;
}

function section(file: BenchFile, slug: string, show: (figure: Figure | undefined) => string): string {
  const { adapter, machine, collimate, node, date, command, roofline, rows } = file;
  const facts = [
    ['Adapter', adapter.name],
    ['Driver', adapter.driver],
    [
      'Processor',
      `${machine.cpu}, ${machine.cores} cores, ${digits(machine.memory / 2 ** 30)} GiB, ${machine.platform}`,
    ],
    [
      'Software',
      `Collimate ${collimate.version}${collimate.commit ? ` (${collimate.commit.replace(/^(\w{12})\w+/, '$1')})` : ''}, Node ${node}`,
    ],
    ['Date', date.slice(0, 10)],
  ].map(([name, value]) => `- ${name}: ${value}`);
  const wrong = rows.filter(({ error }) => error).length;
  const suites = [...new Set(rows.map(({ suite }) => suite))];
  return [
    `## ${adapter.name}`,
    facts.join('\n'),
    `To reproduce:\n\n    ${command}`,
    wrong ? `**${wrong} of ${rows.length} rows are errors.**` : '',
    rooflineText(roofline),
    peersTable(rows),
    ...suites.flatMap((suite) => {
      const own = rows.filter((row) => row.suite === suite);
      return [
        `### ${suite}${threadsText(own[0]!)}`,
        show(suite === 'matmul' ? gflopsFigure(file, `bench-${slug}-gflops.svg`) : undefined),
        show(suite === 'scaling' ? scalingFigure(file, `bench-${slug}-scaling.svg`) : undefined),
        suiteTable(own),
        checkText(own),
      ];
    }),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const threadsText = ({ threads }: Row): string => (threads === 'default' ? '' : `, on ${threads} threads`);

const table = (head: readonly string[], rows: readonly (readonly string[])[], left: number): string =>
  [head, head.map((name, i) => (i < left || name === 'remarks' ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');

function suiteTable(rows: readonly Row[]): string {
  const texts = rows.map((row) => remarks({ ...row, peers: [] }).join('; '));
  const remarked = texts.some((text) => text !== '');
  return table(
    [...heads, ...(remarked ? ['remarks'] : [])],
    rows.map((row, i) => [...cellsOf(row), ...(remarked ? [texts[i]!] : [])]),
    1,
  );
}

/** Every row with peers: our time and theirs, and the ratio. */
function peersTable(rows: readonly Row[]): string {
  const timed = rows.filter(({ peers }) => peers?.length);
  if (timed.length === 0) return '';
  const peers = new Map(timed.flatMap((row) => row.peers!.map((peer) => [peer.name, peer])));
  const cell = (peer: PeerTiming | undefined) => {
    if (!peer) return '–';
    const { name, milliseconds, ours, problem } = peer;
    return milliseconds && ours
      ? `${formatTime(milliseconds.median)} (${ratioText('', milliseconds.median / ours.median).trim()})`
      : `${name}: ${problem}`;
  };
  const lines = timed.map((row) => {
    const ours = row.peers!.find((peer) => peer.ours)?.ours;
    return [
      `${row.suite} ${row.name}`,
      row.size,
      ours ? formatTime(ours.median) : '–',
      ...[...peers.keys()].map((name) => cell(row.peers!.find((peer) => peer.name === name))),
    ];
  });
  const who = [...peers.values()].map(({ name, version, device }) => `${name} ${version} on ${device}`);
  return [
    '### Beside peers',
    'In turns with ours on the same machine, each waiting for its result as a user of it would; × is how many\n' +
      'times our time that is.',
    who.map((line) => `- ${line}`).join('\n'),
    table(['work', 'size', 'Collimate', ...peers.keys()], lines, 2),
  ].join('\n\n');
}
