import { join } from 'node:path';
import { pieces, type Table, verdictMarks } from '../report/page.ts';
import { type Shown, verdictSentence, verdictTable } from '../report/verdicts.ts';

/** Claims and verdicts as terminal lines, then the reasons for not measurable ones; empty without claims. */
export function verdictLines(claims: readonly Shown[], beside?: string): string {
  if (claims.length === 0) return '';
  const reasons = new Set(claims.flatMap(({ reason }) => reason ?? []));
  const lines = [...reasons].map((why) => `Not measurable: ${why}.`);
  return [tableLines(verdictTable(claims, undefined, beside)), ...lines].join('\n');
}

/** Prints the verdicts of a folder at the end of a command. Returns the exit status. */
export function conclude(
  claims: readonly Shown[],
  folder: string,
  { json, strict }: { readonly json?: boolean | undefined; readonly strict?: boolean | undefined },
): number {
  const holds = claims.every(({ verdict }) => verdict === 'holds');
  if (json) console.log(JSON.stringify({ event: 'done', folder, holds, claims }));
  else {
    const report = join(folder, 'report.html');
    console.log(`\n${verdictLines(claims)}\n\n${verdictSentence(claims)}\nReport: ${report}`);
  }
  return strict && !holds ? 1 : 0;
}

/** A table without its small print; the mark of a group stands in front of its rows. */
export function tableLines({ columns, groups }: Table): string {
  const marked = groups.some(({ title }) => title);
  const rows = groups.flatMap(({ title, rows }) =>
    rows.map((cells) => [
      ...(marked ? [title?.mark ?? ''] : []),
      ...cells.map(({ text, after = '', verdict }) =>
        verdict
          ? `${verdictMarks[verdict]} ${verdict}`
          : pieces(text)
              .map((p) => (typeof p === 'string' ? p : 'code' in p ? p.code : p.text))
              .join('') + after,
      ),
    ]),
  );
  return alignColumns([[...(marked ? [''] : []), ...columns.map(({ label }) => label)], ...rows]);
}

export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}
