import { join } from 'node:path';
import * as v from 'valibot';
import { writeAtomically } from '../../src/atomic-write.ts';
import { readRecord } from '../../src/record.ts';
import { finite } from '../../src/schema.ts';

const SCHEMA = 1;
const FILE = 'summary.json';

const part = v.object({
  name: v.string(),
  outcome: v.picklist(['done', 'failed', 'cut off', 'stopped', 'not started']),
  /** Why it is not `done`, and the error that its log ends with. */
  reason: v.string(),
  /** Seconds that it took, and that it was given. */
  seconds: finite,
  limit: finite,
  /** What it found, a line each. */
  found: v.array(v.string()),
});

const summary = v.object({
  schema: v.literal(SCHEMA),
  /** When it began, ISO 8601. */
  date: v.string(),
  /** As typed. */
  command: v.string(),
  minutes: finite,
  adapter: v.string(),
  parts: v.array(part),
});

export type PartSummary = Readonly<v.InferOutput<typeof part>>;
export type Summary = Readonly<v.InferOutput<typeof summary>>;

export const newSummary = (about: Omit<Summary, 'schema' | 'parts'>, parts: PartSummary[]): Summary => ({
  schema: SCHEMA,
  ...about,
  parts,
});

/** Writes `summary.json` and `summary.md`. */
export function writeSummary(folder: string, day: Summary): void {
  writeAtomically(join(folder, FILE), `${JSON.stringify(day, null, 1)}\n`);
  writeAtomically(join(folder, 'summary.md'), `# A day on ${day.adapter}\n\n${summaryTable(day)}\n`);
}

/** @throws CollimateError if it is unreadable or no summary */
export const readSummary = (folder: string): Summary =>
  readRecord(join(folder, FILE), {
    schema: summary,
    remedy: 'Give a folder that `npm run gpu-day` wrote.',
  });

const cellsOf = ({
  name,
  outcome,
  reason,
  seconds,
  found,
}: PartSummary): [string, string, string, string[]] => [
  name,
  outcome,
  outcome === 'not started' ? '–' : `${seconds.toFixed(1)} s`,
  [...(reason ? [reason] : []), ...found],
];

/** As Markdown. */
export function summaryTable({ parts }: Summary): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = parts
    .map(cellsOf)
    .map(([name, outcome, time, lines]) => [...[name, outcome, time, lines.map(cell).join('<br>')]]);
  const table = [['part', 'outcome', 'time', 'what was found'], ['---', '---', '---:', '---'], ...rows];
  return table.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** As lines for a terminal. */
export function summaryLines({ parts }: Summary): string {
  const rows = parts.map(cellsOf);
  const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .flatMap(([name, outcome, time, lines]) => {
      const head = `${name.padEnd(widths[0]!)}  ${outcome.padEnd(widths[1]!)}  ${time.padStart(widths[2]!)}`;
      const [first = '', ...more] = lines;
      return [`${head}  ${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(head.length)}  ${line}`)];
    })
    .join('\n');
}
