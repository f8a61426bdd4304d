import type { Collection } from './collection.ts';
import { percent } from './numbers.ts';
import type { Cell, Part } from './parts.ts';
import { sweepSentence } from './sweep-page.ts';
import { type Shown, together } from './verdicts.ts';

/** A row a sweep, and the theory. */
export function sweepTable({ sweeps, theory }: Collection): Part {
  const counted = (claims: readonly Shown[]): Cell[] => [
    { text: `${claims.filter((c) => c.verdict === 'holds').length} of ${claims.length}` },
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
    return {
      kind: 'text',
      text: ['There are none yet: run ', { code: 'npm run reproduce -- all --preset quick' }],
    };
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

/** A row for each run that belongs to no sweep. */
export function runTable({ runs }: Collection): Part {
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
          const failed = claims.filter((c) => c.verdict !== 'holds');
          return [
            { text: [{ text: folder, to: `${folder}/report.html` }] },
            { text: config?.preset ?? '—' },
            { text: config ? `${config.settings.seed}` : '—' },
            { text: percent(testAccuracy) },
            { text: `${claims.length - failed.length} of ${claims.length}` },
            {
              text:
                failed
                  .map((c) => c.title + (c.verdict === 'not measurable' ? ' (not measurable)' : ''))
                  .join('; ') || '—',
            },
          ];
        }),
      },
    ],
  };
}
