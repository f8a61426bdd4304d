import { join } from 'node:path';
import { readAnalysis } from '../experiments/analysis-file.ts';
import type { SweepRecord, SweepRun } from '../experiments/sweep-file.ts';
import type { Data } from './csv.ts';
import { type RunDetails, sweepFigures } from './figures/sweep-figures.ts';
import { type Fact, figureParts, headed, link, note, type Part, type Report, section } from './page.ts';
import { below, publish, type Write } from './publish.ts';
import { cellTable, sweepData } from './sweep-tables.ts';
import { plural, verdictNote, verdictSentence, verdicts } from './verdicts.ts';

/** Draws a sweep's figures and page from its record and its runs' files, below a root such as `results`. */
export const writeSweepReport = (root: string, record: SweepRecord): void =>
  drawSweep(below(join(root, 'sweeps', `${record.name}.${record.preset}`)), record, {
    // A run whose files are damaged has failed, and is not drawn.
    analysisOf: ({ id, status }) => (status === 'done' && readAnalysis(join(root, 'runs', id))) || null,
  });

/** What a page shows of single runs, and tables of its own. */
type PageDetails = RunDetails & { readonly tables?: readonly Data[] };

/** The same, given the runs' details. */
export const drawSweep = (write: Write, record: SweepRecord, details: PageDetails): void =>
  publish(write, sweepPage(record, details));

/** A sweep's page: claims over seeds, figures, a row per cell, and how it was made. */
function sweepPage(record: SweepRecord, details: PageDetails): Report {
  const { claims, batched = false } = record;
  const done = record.runs.filter(({ status }) => status === 'done').length;
  const seconds = record.runs.reduce((sum, run) => sum + (run.seconds ?? 0), 0);
  return {
    kicker: `Collimate · sweep ${record.name} · preset ${record.preset}`,
    title: record.title,
    subtitle: `${done} of ${plural(record.runs.length, 'run')}${axesInWords(record)}, seeds ${record.seeds.join(', ')}`,
    result: `${record.question} ${sweepSentence(record)}`,
    sections: [
      section('verdicts', 'Verdicts', [...verdicts(claims, verdictNote(claims, 'seeds')), ...absent(record)]),
      section('figures', 'Figures', figureParts(sweepFigures(record, details))),
      section('runs', 'Runs', [
        cellTable(record),
        note(
          `Means over seeds, ± one standard deviation, of the trained ${batched ? 'models' : 'networks. Each seed links to the page of its run'}.`,
        ),
      ]),
    ],
    method: {
      groups: [
        { title: 'Settings that all runs share', rows: sharedSettings(record) },
        {
          title: 'Provenance',
          rows: [
            ...record.provenance.map(({ name, values }): Fact => [name, values.join('; ')]),
            ...(batched
              ? []
              : [['Training time', `${seconds.toFixed(0)} s in all, without controls`] satisfies Fact]),
          ],
        },
      ],
      deviations: record.notes,
    },
    files: [
      [link('sweep.json'), ': the question, and every run with its measures.'],
      ...(batched ? [] : [[{ text: 'All sweeps and runs', to: '../../index.html' }]]),
    ],
    data: [...sweepData(record), ...(details.tables ?? [])].filter(({ rows }) => rows.length > 0),
  };
}

const axesInWords = ({ axes }: SweepRecord): string =>
  axes.length === 0 ? '' : ` over ${new Intl.ListFormat('en').format(axes.map(({ label }) => label))}`;

/** What came out, in a sentence. */
export const sweepSentence = ({ claims, seeds, remarks = [] }: SweepRecord): string => {
  const verdicts = verdictSentence(claims, {
    where: ` over ${plural(seeds.length, 'seed')}`,
    named: ({ title, holding, values, verdict }) =>
      verdict === 'does not hold' ? `${title} (${holding} of ${plural(values.length, 'seed')})` : title,
  });
  return [verdicts, ...remarks].join(' ');
};

function absent({ runs }: SweepRecord): Part[] {
  const of = (status: SweepRun['status'], words: string): Part[] => {
    const own = runs.filter((run) => run.status === status);
    const items = own.map(({ id, reason }) => (reason === undefined ? id : `${id}: ${reason}`));
    return headed(`${plural(own.length, 'run')} ${words}`, items);
  };
  return [...of('failed', 'failed'), ...of('missing', 'not done yet')];
}

export const sharedSettings = ({ base, axes, batched }: SweepRecord): Fact[] =>
  Object.entries(base)
    .filter(([setting]) => (batched || setting !== 'seed') && !axes.some(({ name }) => name === setting))
    .map(([setting, value]) => [setting, value === null ? 'none' : String(value)]);
