import { type Evidence, thresholdInWords } from '../analysis/evidence.ts';
import { format } from '../report/numbers.ts';
import { verdictMarks } from '../report/parts.ts';
import { type Shown, seedsInWords, valueInWords } from '../report/verdicts.ts';

/** Claims with their verdicts as lines for a terminal, and below them why some are not measurable; empty where there are none. */
export function verdictTable(claims: readonly Shown[]): string {
  if (claims.length === 0) return '';
  const control = claims.some((claim) => claim.control !== null);
  const head = ['', 'claim', 'measured', 'expected', 'at init', ...(control ? ['control'] : []), ''];
  const rows = claims.map((claim) => {
    const { value, spread } = valueInWords(claim);
    const seeds = seedsInWords(claim);
    return [
      ...[claim.property, claim.title, value + spread, thresholdInWords(claim.threshold)],
      format(claim.atInitialization),
      ...(control ? [format(claim.control)] : []),
      `${verdictMarks[claim.verdict]} ${claim.verdict}${seeds === '—' ? '' : `, ${seeds}`}`,
    ];
  });
  const reasons = [...new Set(claims.flatMap(({ reason }) => reason ?? []))];
  return [alignColumns([head, ...rows]), ...reasons.map((reason) => `Not measurable: ${reason}.`)].join('\n');
}

export function verdictSentence(claims: readonly Pick<Evidence, 'verdict'>[]): string {
  if (claims.length === 0) return 'No claim was judged.';
  const count = (verdict: Evidence['verdict']) => claims.filter((claim) => claim.verdict === verdict).length;
  const [held, vague] = [count('holds'), count('not measurable')];
  if (held === claims.length) return `All ${held} claims hold.`;
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
