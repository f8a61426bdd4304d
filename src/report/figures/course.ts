import * as Plot from '@observablehq/plot';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import type { CellValue } from '../../experiments/sweep-results.ts';
import { accent } from '../colours.ts';
import type { Figure, ReportData } from '../data.ts';
import { defined, format, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, chart } from './chart.ts';
import { inRows } from './sweep-axis.ts';
import { labelOf, valueAxis } from './sweep-scalars.ts';

/** A scalar of a run at one moment of its training. */
export interface CoursePoint {
  readonly name: ScalarName;
  readonly run: string;
  readonly seed: number | null;
  readonly series: CellValue | null;
  readonly colour: string;
  readonly epoch: number;
  readonly value: number | null;
}

/** What is shown of a single run: training, the properties in their order, neural collapse. */
const shown: readonly ScalarName[] = [
  ...(['trainAccuracy', 'testAccuracy', 'line', 'stepCosine', 'diagonalShare', 'leftRight'] as const),
  ...(['topEnergy', 'sigma1First', 'sigma1Last', 'nc1', 'nc2Angles', 'nc3'] as const),
];

/** How alignment and neural collapse came about, where weights were kept on the way. */
export function course({ run }: ReportData): Figure[] {
  const { course: moments, analysis } = run;
  if (!moments) return [];
  const points = shown.flatMap((name) =>
    moments.map((moment): CoursePoint => {
      const value = scalar(name).from(moment, analysis.network);
      return { name, run: run.label, seed: null, series: null, colour: accent, epoch: moment.epoch, value };
    }),
  );
  return [
    figure(
      {
        file: 'course.svg',
        data: ['course'],
        title: 'Alignment and neural collapse over training',
        caption:
          'Measures at moments of training, from initialization on. Look for alignment (d, e, f, g) that rises while neural ' +
          'collapse (j, k, l) falls to 0. Epochs are placed by their logarithms; each panel has its own scale.',
      },
      coursePanels(shown, points),
    ),
  ];
}

/** A panel for each scalar, a line for each run. */
export function coursePanels(names: readonly ScalarName[], points: readonly CoursePoint[]): Panel[][] {
  const epochs = [...new Set(points.map((p) => p.epoch))].sort((a, b) => a - b);
  const { rows, width } = inRows(names);
  return rows.map((row) =>
    row.map((name) => {
      const known = points.filter((p) => p.name === name && defined(p.value));
      const { log, ...y } = valueAxis(
        name,
        known.map((p) => p.value!),
      );
      const own = known.filter((p) => !log || p.value! > 0);
      const last = spread(own.filter((p) => p.epoch === epochs.at(-1)).map((p) => p.value));
      const place = { x: (p: CoursePoint) => position(p.epoch), y: 'value' };
      return chart({
        title: labelOf(name),
        note: `at the end ${format(last.mean)}`,
        width,
        height: 220,
        x: epochAxis(epochs),
        y,
        marks: [
          Plot.line(own, { ...place, z: 'run', stroke: 'colour', strokeWidth: 1.5 }),
          Plot.dot(own, { ...place, fill: 'colour', r: 2.2 }),
        ],
      });
    }),
  );
}

/** Epochs by their logarithms; initialization, epoch 0, stands where 1/2 would be. */
const position = (epoch: number): number => Math.log10(Math.max(epoch, 0.5));

function epochAxis(epochs: readonly number[]): Plot.ScaleOptions {
  const last = Math.max(2, epochs.at(-1) ?? 1);
  const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((t) => t <= last);
  return {
    ...axis('epoch (0: initialization)'),
    domain: [position(0) - 0.06, position(last) + 0.06],
    ticks: ticks.map(position),
    tickFormat: (_: number, i: number) => String(ticks[i]),
  };
}
