import { isIncomplete, type SweepRecord } from '../experiments/sweep-results.ts';
import type { Figure } from './data.ts';
import { howItWasMade, links } from './page.ts';
import type { Page, Part, Row, Section } from './parts.ts';
import { figureParts } from './publish.ts';
import { cellTable } from './sweep-tables.ts';
import { capitalized, failedInWords, fromSweep, plural, verdictNote, verdictTable } from './verdicts.ts';

/** The page of a sweep: the claims over seeds, the figures, a row for each place on its axes, and how it was made. */
export function sweepPage(record: SweepRecord, figures: readonly Figure[], tables: readonly string[]): Page {
  const claims = record.claims.map(fromSweep);
  const done = record.runs.filter(({ status }) => status === 'done').length;
  return {
    kicker: `Collimate · sweep ${record.name} · preset ${record.preset}`,
    title: record.title,
    subtitle: `${done} of ${plural(record.runs.length, 'run')}${axesInWords(record)}, seeds ${record.seeds.join(', ')}`,
    result: `${record.question} ${sweepSentence(record)}`,
    sections: [
      {
        id: 'verdicts',
        title: 'Verdicts',
        parts:
          claims.length > 0
            ? [
                verdictTable(claims),
                { kind: 'text', text: verdictNote(claims, 'seeds'), note: true },
                ...absent(record),
              ]
            : [{ kind: 'text', text: 'No claim was judged.' }, ...absent(record)],
      },
      ...(figures.length > 0 ? [{ id: 'figures', title: 'Figures', parts: figureParts(figures) }] : []),
      {
        id: 'runs',
        title: 'Runs',
        parts: [
          cellTable(record),
          {
            kind: 'text',
            text: 'Means over seeds, ± one standard deviation, of the trained networks. Each seed is a link to the page of its run.',
            note: true,
          },
        ],
      },
      method(record),
      {
        id: 'files',
        title: 'Files',
        parts: [
          {
            kind: 'list',
            items: [
              [
                { text: 'sweep.json', to: 'sweep.json' },
                ': what was asked, and every run with its measures.',
              ],
              ['Every number as CSV: ', ...links(tables.map((name) => `data/${name}.csv`))],
              ['This page as ', { text: 'report.md', to: 'report.md' }],
              [{ text: 'All sweeps and runs', to: '../../index.html' }],
            ],
          },
        ],
      },
    ],
  };
}

const axesInWords = ({ axes }: SweepRecord): string =>
  axes.length === 0 ? '' : ` over ${axes.map(({ label }) => label).join(' and ')}`;

/** What came out, in a sentence. */
export function sweepSentence({ claims, runs, seeds }: SweepRecord): string {
  const judged = claims.filter((c) => !isIncomplete(c));
  const open = claims.length - judged.length;
  const failed = judged.filter((c) => !c.holds);
  const over = ` over ${plural(seeds.length, 'seed')}`;
  const waiting = open > 0 ? ` ${plural(open, 'claim')} could not be judged yet: runs are missing.` : '';
  if (judged.length === 0) {
    const done = runs.filter(({ status }) => status === 'done').length;
    return `No claim is judged yet: ${done} of ${plural(runs.length, 'run')} are there.`;
  }
  if (failed.length === 0) {
    const all = judged.length === 1 ? 'The one claim holds' : `All ${judged.length} claims hold`;
    return `${open > 0 ? all.replace('All', 'The').replace('claims', 'claims judged') : all}${over}.${waiting}`;
  }
  const names = judged.map((c) => `${c.title} (${c.seedsHolding} of ${plural(c.values.length, 'seed')})`);
  return `${judged.length - failed.length} of ${plural(judged.length, 'claim')} hold${judged.length === 1 ? 's' : ''}${over}.${failedInWords(judged, names)}${waiting}`;
}

/** The runs that are not there, with their reasons. */
function absent({ runs }: SweepRecord): Part[] {
  const failed = runs.filter(({ status }) => status === 'failed');
  const missing = runs.filter(({ status }) => status === 'missing');
  return [
    ...(failed.length > 0
      ? ([
          { kind: 'heading', text: `${capitalized(plural(failed.length, 'run'))} failed` },
          { kind: 'list', items: failed.map(({ id, reason }) => `${id}: ${reason ?? 'no reason is known'}`) },
        ] satisfies Part[])
      : []),
    ...(missing.length > 0
      ? ([
          { kind: 'heading', text: `${plural(missing.length, 'run')} not there yet` },
          {
            kind: 'list',
            items: missing.map(({ id, reason }) => (reason === undefined ? id : `${id}: ${reason}`)),
          },
        ] satisfies Part[])
      : []),
  ];
}

/** Settings that no axis changes. */
export const sharedSettings = ({ base, axes }: SweepRecord): Row[] =>
  Object.entries(base)
    .filter(([setting]) => setting !== 'seed' && !axes.some(({ name }) => name === setting))
    .map(([setting, value]) => [setting, value === null ? 'none' : String(value)]);

function method(record: SweepRecord): Section {
  const { provenance, notes, runs } = record;
  const seconds = runs.reduce((sum, run) => sum + (run.seconds ?? 0), 0);
  return howItWasMade(
    [
      {
        title: 'Settings that all runs share',
        rows: sharedSettings(record),
      },
      {
        title: 'Provenance',
        rows: [
          ...provenance.map(({ name, values }): Row => [name, values.join('; ')]),
          ['Training time', `${seconds.toFixed(0)} s in all, controls aside`],
        ],
      },
    ],
    notes,
  );
}
