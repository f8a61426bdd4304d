import * as Plot from '@observablehq/plot';
import type { EpochMetrics } from '../../analysis/results.ts';
import { accent, contrast } from '../colours.ts';
import type { Figure, ReportData, RunData } from '../data.ts';
import { defined, format, logDomain, percent, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';

type Point = { epoch: number; value: number; run: string; colour: string };

/** How the networks were trained: loss and accuracy, an epoch a point. */
export function training(data: ReportData): Figure {
  const runs = [
    { ...data.run, colour: accent },
    ...(data.control ? [{ ...data.control, colour: contrast }] : []),
  ];
  return figure(
    {
      file: 'training.svg',
      data: ['training'],
      title: 'Training',
      caption:
        'Loss (mean over the epoch’s batches, logarithmic scale) and accuracy after each epoch. Alignment says something only ' +
        'about networks that learned their task: ' +
        (data.control
          ? 'look for a network and a control that end alike.'
          : 'look for curves that have levelled off.'),
    },
    [[lossPanel(runs), accuracyPanel(runs)]],
    {
      items: runs.flatMap(({ label, colour }) => [
        [`${label}, test`, colour, 'line'],
        [`${label}, training`, colour, 'dashed'],
      ]),
    },
  );
}

type Run = RunData & { colour: string };

const points = (runs: Run[], pick: (m: EpochMetrics) => number | null): Point[] =>
  runs.flatMap(({ label, colour, metrics }) =>
    metrics.flatMap((m) => {
      const value = pick(m);
      return defined(value) ? [{ epoch: m.epoch, value, run: label, colour }] : [];
    }),
  );

function lossPanel(runs: Run[]): Panel {
  const loss = points(runs, (m) => m.loss).filter((p) => p.value > 0);
  const y = { ...logAxis('cross-entropy (nats)', logDomain(loss.map((p) => p.value))), grid: true };
  const note = final(runs, 'loss', (m) => format(m.loss, 4));
  return panel('Training loss', note, y, runs, curves(loss, true));
}

function accuracyPanel(runs: Run[]): Panel {
  const test = points(runs, (m) => m.testAccuracy && 100 * m.testAccuracy);
  const train = points(runs, (m) => 100 * m.trainAccuracy);
  const least = Math.min(100, ...[...test, ...train].map((p) => p.value));
  const low = Math.max(0, Math.floor(least - 0.1 * (100 - least)));
  const y = { ...axis('accuracy (%)'), domain: [Math.min(low, 99), 100], ticks: 6, grid: true };
  const note = final(runs, 'test', (m) => (m.testAccuracy === null ? '—' : percent(m.testAccuracy, 2)));
  return panel('Accuracy', note, y, runs, [...curves(train, true), ...curves(test, false)]);
}

const final = (runs: Run[], what: string, show: (m: EpochMetrics) => string): string =>
  runs.map((r) => `${r.label}: ${what} ${r.metrics.length ? show(r.metrics.at(-1)!) : '—'}`).join('; ');

function curves(rows: Point[], dashed: boolean): Plot.Markish[] {
  const place = { x: 'epoch', y: 'value' };
  const pen = dashed ? { strokeWidth: 1.25, strokeDasharray: '4 3' } : { strokeWidth: 1.75 };
  const line = Plot.line(rows, { ...place, z: 'run', stroke: 'colour', ...pen });
  // Points only while they can be told apart.
  return rows.length > 120
    ? [line]
    : [line, Plot.dot(rows, { ...place, fill: 'colour', r: dashed ? 1.75 : 2.5 })];
}

function panel(title: string, note: string, y: Plot.ScaleOptions, runs: Run[], marks: Plot.Markish[]): Panel {
  const epochs = runs.flatMap((r) => r.metrics.map((m) => m.epoch));
  const { min, max } = spread(epochs);
  const [first, last] = [min ?? 0, max ?? 1];
  const empty = Plot.text(['no epoch was recorded'], { frameAnchor: 'middle', fillOpacity: 0.6 });
  const ticks = Math.min(10, last - first + 1);
  return chart({
    title,
    note,
    width: 528,
    x: { ...axis('epoch'), domain: [first - 0.3, last + 0.3], interval: 1, ticks, tickFormat: String },
    y,
    marks: epochs.length > 0 ? marks : [empty],
  });
}
