import type { SweepClaim, SweepRecord } from '../experiments/sweep-results.ts';
import { format } from '../report/numbers.ts';
import { alignColumns } from './verdict-table.ts';

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

function verdict({ holds, seedsHolding }: SweepClaim, seeds: number): string {
  if (holds === null) return '– not measured';
  const where = seeds > 1 ? `, ${seedsHolding} of ${seeds} seeds` : '';
  return `${holds ? '✓ holds' : '✗ does not hold'}${where}`;
}
