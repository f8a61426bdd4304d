import type { SweepRecord } from '../experiments/sweep-results.ts';
import { type Report, verdicts } from './page.ts';
import { type Figure, figureParts, type Part, type Row } from './parts.ts';
import { cellTable, sweepData } from './sweep-tables.ts';
import { capitalized, plural, verdictNote, verdictSentence } from './verdicts.ts';

/** The page of a sweep: the claims over seeds, the figures, a row for each cell, and how it was made. */
export function sweepPage(record: SweepRecord, figures: readonly Figure[]): Report {
  const { claims } = record;
  const done = record.runs.filter(({ status }) => status === 'done').length;
  const seconds = record.runs.reduce((sum, run) => sum + (run.seconds ?? 0), 0);
  return {
    kicker: `Collimate · sweep ${record.name} · preset ${record.preset}`,
    title: record.title,
    subtitle: `${done} of ${plural(record.runs.length, 'run')}${axesInWords(record)}, seeds ${record.seeds.join(', ')}`,
    result: `${record.question} ${sweepSentence(record)}`,
    sections: [
      {
        id: 'verdicts',
        title: 'Verdicts',
        parts: [...verdicts(claims, verdictNote(claims, 'seeds')), ...absent(record)],
      },
      ...(figures.length > 0 ? [{ id: 'figures', title: 'Figures', parts: figureParts(figures) }] : []),
      {
        id: 'runs',
        title: 'Runs',
        parts: [
          cellTable(record),
          {
            kind: 'text',
            text: 'Means over seeds, ± one standard deviation, of the trained networks. Each seed links to the page of its run.',
            note: true,
          },
        ],
      },
    ],
    method: {
      groups: [
        { title: 'Settings that all runs share', rows: sharedSettings(record) },
        {
          title: 'Provenance',
          rows: [
            ...record.provenance.map(({ name, values }): Row => [name, values.join('; ')]),
            ['Training time', `${seconds.toFixed(0)} s in all, without controls`],
          ],
        },
      ],
      deviations: record.notes,
    },
    files: [
      [{ text: 'sweep.json', to: 'sweep.json' }, ': the question, and every run with its measures.'],
      [{ text: 'All sweeps and runs', to: '../../index.html' }],
    ],
    data: sweepData(record),
  };
}

const axesInWords = ({ axes }: SweepRecord): string =>
  axes.length === 0 ? '' : ` over ${axes.map(({ label }) => label).join(' and ')}`;

/** What came out, in a sentence. */
export const sweepSentence = ({ claims, seeds }: SweepRecord): string =>
  verdictSentence(claims, {
    where: ` over ${plural(seeds.length, 'seed')}`,
    named: ({ title, holding, values, verdict }) =>
      verdict === 'does not hold' ? `${title} (${holding} of ${plural(values.length, 'seed')})` : title,
  });

/** The runs that failed or are missing, with their reasons. */
function absent({ runs }: SweepRecord): Part[] {
  const of = (status: 'failed' | 'missing', title: (count: string) => string): Part[] => {
    const own = runs.filter((run) => run.status === status);
    if (own.length === 0) return [];
    const items = own.map(({ id, reason }) => (reason === undefined ? id : `${id}: ${reason}`));
    return [
      { kind: 'heading', text: capitalized(title(plural(own.length, 'run'))) },
      { kind: 'list', items },
    ];
  };
  return [
    ...of('failed', (count) => `${count} failed`),
    ...of('missing', (count) => `${count} not done yet`),
  ];
}

/** Settings that no axis changes. */
export const sharedSettings = ({ base, axes }: SweepRecord): Row[] =>
  Object.entries(base)
    .filter(([setting]) => setting !== 'seed' && !axes.some(({ name }) => name === setting))
    .map(([setting, value]) => [setting, value === null ? 'none' : String(value)]);
