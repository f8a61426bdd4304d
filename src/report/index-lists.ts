import type { Collection, FoundRun, FoundSweep } from './collection.ts';
import { percent } from './numbers.ts';
import { type Cell, type ColumnOf, type Part, tableOf } from './parts.ts';
import { sweepSentence } from './sweep.ts';
import { together } from './verdicts.ts';

const page = ({ folder, name }: { folder: string; name: string }): Cell => ({
  text: [{ text: name, to: `${folder}/report.html` }],
});
const holding = ({ claims }: Pick<FoundRun, 'claims'>): string =>
  `${claims.filter((c) => c.verdict === 'holds').length} of ${claims.length}`;

/** A row for each sweep. */
export function sweepTable({ sweeps }: Collection): Part {
  if (sweeps.length === 0)
    return { kind: 'text', text: ['None yet: run ', { code: 'npm run reproduce -- all --preset quick' }] };
  const columns: ColumnOf<FoundSweep>[] = [
    ['Sweep', (sweep) => ({ ...page(sweep), small: sweep.record.question })],
    [
      'Runs',
      ({ record: { runs } }) => `${runs.filter((r) => r.status === 'done').length} of ${runs.length}`,
      'numeric',
    ],
    ['Seeds', ({ record }) => `${record.seeds.length}`, 'numeric'],
    ['Result', ({ record }) => sweepSentence(record)],
    ['Claims that hold', holding, 'numeric'],
    ['Verdict', ({ claims }) => ({ text: '', verdict: together(claims) })],
  ];
  return tableOf('All sweeps', columns, sweeps);
}

/** A row for each run that belongs to no sweep. */
export function runTable({ runs }: Collection): Part {
  if (runs.length === 0) return { kind: 'text', text: 'None but those of the sweeps.' };
  const without = ({ claims }: FoundRun): string =>
    claims
      .filter((c) => c.verdict !== 'holds')
      .map((c) => c.title + (c.verdict === 'not measurable' ? ' (not measurable)' : ''))
      .join('; ') || '—';
  const columns: ColumnOf<FoundRun>[] = [
    ['Run', page],
    ['Preset', ({ config }) => config?.preset ?? '—'],
    ['Seed', ({ config }) => (config ? `${config.settings.seed}` : '—'), 'numeric'],
    ['Test accuracy', ({ testAccuracy }) => percent(testAccuracy), 'numeric'],
    ['Claims that hold', holding, 'numeric'],
    ['Does not hold', without],
  ];
  return tableOf('All runs that belong to no sweep', columns, runs);
}
