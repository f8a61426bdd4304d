import type { Drawing, Mark, Row } from '../../analysis/measures/figure.ts';
import type { EpochMetrics } from '../../analysis/results.ts';
import { defined, format, percent, range } from '../../numbers.ts';
import { accent, contrast } from '../colors.ts';
import type { ReportData, RunData } from '../data.ts';
import { logDomain } from '../numbers.ts';
import type { Figure } from '../page.ts';
import { figure } from '../svg.ts';
import { panel } from './kinds.ts';

type Run = RunData & { readonly color: string };

/** How the networks were trained: loss and accuracy, one point per epoch. */
export function training(data: ReportData): Figure {
  const runs = [
    { ...data.run, color: accent },
    ...(data.control ? [{ ...data.control, color: contrast }] : []),
  ];
  const loss = points(runs, (m) => (m.loss > 0 ? m.loss : null));
  const test = points(runs, (m) => m.testAccuracy && 100 * m.testAccuracy);
  const train = points(runs, (m) => 100 * m.trainAccuracy);
  const minimum = Math.min(100, ...[...test, ...train].map(({ value }) => value));
  const low = Math.min(99, Math.max(0, Math.floor(minimum - 0.1 * (100 - minimum))));
  const epochs = runs.flatMap((run) => run.metrics.map(({ epoch }) => epoch));
  const [first, last] = epochs.length ? [Math.min(...epochs), Math.max(...epochs)] : [0, 1];
  const step = Math.ceil((last - first + 1) / 10);
  const x = {
    label: 'epoch',
    domain: [first - 0.3, last + 0.3],
    ticks: range(last - first + 1, first).filter((epoch) => epoch % step === 0 || last - first < 10),
  } as const;
  const empty: Mark[] = [
    { mark: 'text', rows: [{ text: 'no epoch was recorded' }], text: 'text', frameAnchor: 'middle' },
  ];
  const marks = (...drawn: Mark[]) => (epochs.length > 0 ? drawn : empty);
  const of = (title: string, drawing: Pick<Drawing, 'note' | 'y' | 'marks'>) =>
    panel(
      { title, network: data.run.analysis.network },
      { ...drawing, x, width: 528 },
      logDomain(loss.map(({ value }) => value)),
    );
  return figure(
    {
      file: 'training.svg',
      data: ['training'],
      title: 'Training',
      caption:
        'Loss (mean over the epoch’s batches, logarithmic scale) and accuracy after each epoch. Alignment says something only ' +
        `about networks that learned their task: look for ${data.control ? 'a network and a control that end alike.' : 'curves that have levelled off.'}`,
    },
    [
      [
        of('Training loss', {
          note: final(runs, 'loss', (m) => format(m.loss, 4)),
          y: { label: 'cross-entropy (nats)', log: 1e-7 },
          marks: marks(...curves(loss, true)),
        }),
        of('Accuracy', {
          note: final(runs, 'test', ({ testAccuracy: t }) => (t === null ? '—' : percent(t, 2))),
          y: { label: 'accuracy (%)', domain: [low, 100] },
          marks: marks(...curves(train, true), ...curves(test, false)),
        }),
      ],
    ],
    {
      items: runs.flatMap(({ label, color }) => [
        [`${label}, test`, color, 'line'],
        [`${label}, training`, color, 'dashed'],
      ]),
    },
  );
}

const points = (runs: readonly Run[], pick: (m: EpochMetrics) => number | null) =>
  runs.flatMap(({ label, color, metrics }) =>
    metrics.flatMap((m) => {
      const value = pick(m);
      return defined(value) ? [{ epoch: m.epoch, value, run: label, color }] : [];
    }),
  );

const final = (runs: readonly Run[], what: string, show: (m: EpochMetrics) => string): string =>
  runs.map((r) => `${r.label}: ${what} ${r.metrics.length ? show(r.metrics.at(-1)!) : '—'}`).join('; ');

function curves(rows: readonly Row[], dashed: boolean): Mark[] {
  const place = { rows, x: 'epoch', y: 'value' };
  const pen = dashed ? { strokeWidth: 1.25, strokeDasharray: '4 3' } : { strokeWidth: 1.75 };
  const dots: Mark = { mark: 'dot', ...place, fill: 'color', r: dashed ? 1.75 : 2.5 };
  // Points, while they are distinguishable.
  return [
    { mark: 'line', ...place, z: 'run', stroke: 'color', ...pen },
    ...(rows.length > 120 ? [] : [dots]),
  ];
}
