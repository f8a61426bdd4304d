import * as Plot from '@observablehq/plot';
import type { EpochMetrics } from '../../analysis/results.ts';
import { accent, contrast } from '../colours.ts';
import type { Figure, ReportData, RunData } from '../data.ts';
import { defined, logDomain, percent } from '../numbers.ts';
import { figure, type Panel, plot } from '../svg.ts';
import { axis, frame, logAxis, margins } from './axes.ts';

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
      title: 'Training',
      caption:
        'Loss (mean over the epoch’s batches, logarithmic scale) and accuracy after each epoch. Alignment says something only ' +
        'about networks that learned their task: ' +
        (data.control
          ? 'look for a network and a control that end alike.'
          : 'look for curves that have levelled off.'),
    },
    [[lossPanel(runs), accuracyPanel(runs)]],
    [
      {
        items: runs.flatMap(({ label, colour }) => [
          { label: `${label}, test`, colour, shape: 'line' as const },
          { label: `${label}, training`, colour, shape: 'dashed' as const },
        ]),
      },
    ],
  );
}

type Run = RunData & { colour: string };

const size = { width: 528, height: 270 };

const points = (runs: Run[], pick: (m: EpochMetrics) => number): Point[] =>
  runs.flatMap(({ label, colour, metrics }) =>
    metrics
      .map((m) => ({ epoch: m.epoch, value: pick(m), run: label, colour }))
      .filter((p) => defined(p.value)),
  );

function lossPanel(runs: Run[]): Panel {
  const loss = points(runs, (m) => m.loss).filter((p) => p.value > 0);
  const y = { ...logAxis('cross-entropy (nats)', logDomain(loss.map((p) => p.value))), grid: true };
  return panel(
    'Training loss',
    final(runs, 'loss', (m) => m.loss.toPrecision(3)),
    y,
    runs,
    curves(loss, true),
  );
}

function accuracyPanel(runs: Run[]): Panel {
  const test = points(runs, (m) => 100 * m.testAccuracy);
  const train = points(runs, (m) => 100 * m.trainAccuracy);
  const least = Math.min(100, ...[...test, ...train].map((p) => p.value));
  const y = {
    ...axis('accuracy (%)'),
    domain: [Math.max(0, Math.floor(least - 0.1 * (100 - least))), 100],
    ticks: 6,
    grid: true,
  };
  const last = final(runs, 'test', (m) => percent(m.testAccuracy, 2));
  return panel('Accuracy', last, y, runs, [...curves(train, true), ...curves(test, false)]);
}

const final = (runs: Run[], what: string, show: (m: EpochMetrics) => string): string =>
  runs
    .map(({ label, metrics }) => `${label}: ${what} ${metrics.length ? show(metrics.at(-1)!) : '—'}`)
    .join('; ');

const curves = (rows: Point[], dashed: boolean): Plot.Markish[] => [
  Plot.line(rows, {
    x: 'epoch',
    y: 'value',
    z: 'run',
    stroke: 'colour',
    strokeWidth: dashed ? 1.25 : 1.75,
    ...(dashed && { strokeDasharray: '4 3' }),
  }),
  // Points only while they can be told apart.
  rows.length <= 120
    ? Plot.dot(rows, { x: 'epoch', y: 'value', fill: 'colour', r: dashed ? 1.75 : 2.5 })
    : null,
];

function panel(title: string, note: string, y: Plot.ScaleOptions, runs: Run[], marks: Plot.Markish[]): Panel {
  const epochs = runs.flatMap((r) => r.metrics.map((m) => m.epoch));
  const [first, last] = epochs.length ? [Math.min(...epochs), Math.max(...epochs)] : [0, 1];
  const empty = Plot.text(['no epoch was recorded'], { frameAnchor: 'middle', fillOpacity: 0.6 });
  return {
    title,
    note,
    ...size,
    body: plot({
      ...size,
      ...margins,
      x: {
        ...axis('epoch'),
        domain: [first - 0.3, last + 0.3],
        interval: 1,
        ticks: Math.min(10, last - first + 1),
        tickFormat: String,
      },
      y,
      marks: [frame(), ...(epochs.length ? marks : [empty])],
    }),
  };
}
