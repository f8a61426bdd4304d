import { isIncomplete, type SweepClaim, type SweepRecord } from '../experiments/sweep-results.ts';
import { format } from '../report/numbers.ts';
import { alignColumns, verdictCell } from './verdict-table.ts';

/** The claims of a sweep with their verdicts as lines for a terminal. */
export function sweepTable({ claims, runs, seeds }: SweepRecord): string {
  const rows = claims.map((claim) => [
    claim.property,
    claim.title,
    format(claim.value) + (claim.spread === null ? '' : ` ± ${format(claim.spread)}`),
    needed(claim),
    format(claim.atInitialization),
    format(claim.control),
    verdict(claim, seeds.length),
  ]);
  const failed = runs.filter(({ status }) => status === 'failed');
  const lines = failed.map(({ id, reason }) => `${id} failed: ${reason}`);
  const head = ['', 'claim', 'measured', 'needed', 'at init', 'control', ''];
  return [...(rows.length > 0 ? [alignColumns([head, ...rows])] : []), ...lines].join('\n');
}

function needed({ comparison, threshold }: SweepClaim): string {
  if (typeof threshold !== 'number') return `${threshold.map((x) => format(x, 2)).join(' to ')}`;
  return `${comparison === '>=' ? '≥' : '≤'} ${+threshold.toFixed(3)}`;
}

function verdict(claim: SweepClaim, seeds: number): string {
  const where = seeds > 1 && claim.holds !== null ? `, ${claim.seedsHolding} of ${seeds} seeds` : '';
  return verdictCell({ ...claim, incomplete: isIncomplete(claim) }) + where;
}
