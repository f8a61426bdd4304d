import type { Claim } from '../analysis/results.ts';
import { format } from '../report/numbers.ts';
import { verdictMarks, verdictOf, verdictWords } from '../report/parts.ts';

/** A verdict with its mark. */
export function verdictCell(claim: Parameters<typeof verdictOf>[0]): string {
  const verdict = verdictOf(claim);
  return `${verdictMarks[verdict]} ${verdictWords[verdict]}`;
}

/** The claims with their verdicts as lines for a terminal; nothing where there are none. */
export function verdictTable(claims: readonly Claim[], control: boolean): string {
  if (claims.length === 0) return '';
  const head = ['', 'claim', 'measured', 'needed', 'at init', ...(control ? ['control'] : []), ''];
  const rows = claims.map((claim) => [
    claim.property,
    claim.title,
    format(claim.value) + (claim.spread === null ? '' : ` ± ${format(claim.spread)}`),
    `${claim.comparison === '>=' ? '≥' : '≤'} ${+claim.threshold.toFixed(3)}`,
    format(claim.atInitialization),
    ...(control ? [format(claim.control)] : []),
    verdictCell(claim),
  ]);
  return alignColumns([head, ...rows]);
}

export function verdictSentence(claims: readonly Pick<Claim, 'holds'>[]): string {
  if (claims.length === 0) return 'No claim was judged.';
  const held = claims.filter((claim) => claim.holds).length;
  if (held === claims.length) return `All ${held} claims hold.`;
  const vague = claims.filter((claim) => claim.holds === null).length;
  return `${held} of ${claims.length} claims hold${vague > 0 ? `; ${vague} not measurable` : ''}.`;
}

export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
