import * as Plot from '@observablehq/plot';
import type { CellValue, SweepFigure, SweepRecord } from '../../experiments/sweep-results.ts';
import { accent } from '../colours.ts';
import type { Data } from '../csv.ts';
import type { Figure } from '../data.ts';
import { defined, format, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, chart } from './chart.ts';
import { inRows, runsAt, seriesColour, valueAt, valueInWords, valuesOf } from './sweep-axis.ts';
import { nothing } from './sweep-blocks.ts';
import { labelOf, valueAxis } from './sweep-scalars.ts';

type Options = Extract<SweepFigure, { kind: 'course' }>;

/** Scalars over the epochs of runs with snapshots, a line a run. */
export function sweepCourse(record: SweepRecord, options: Options): { figure: Figure; data: Data } {
  const { series } = options;
  const runs = runsAt(record).flatMap((run) =>
    run.course ? [{ run, course: run.course, series: (series && valueAt(run, series)) ?? null }] : [],
  );
  const values =
    series === undefined
      ? []
      : valuesOf(
          runs.map((r) => r.run),
          series,
        );
  const colour = (value: CellValue | null) =>
    value === null || values.length === 0 ? accent : seriesColour(values, values.indexOf(value));
  const points = options.scalars.flatMap((name) =>
    runs.flatMap(({ run, course, series: line }) =>
      course.map(({ epoch, scalars }) => ({
        ...{ name, run: run.id, seed: run.seed, series: line, colour: colour(line) },
        ...{ epoch, value: scalars[name] },
      })),
    ),
  );
  const epochs = [...new Set(points.map((p) => p.epoch))].sort((a, b) => a - b);
  const { rows, width } = inRows(options.scalars);
  const draw = (name: Options['scalars'][number]): Panel => {
    const { log, ...y } = valueAxis(
      name,
      points.flatMap((p) => (p.name === name && defined(p.value) ? [p.value] : [])),
    );
    const own = points.filter((p) => p.name === name && defined(p.value) && (!log || p.value > 0));
    const last = spread(own.filter((p) => p.epoch === epochs.at(-1)).map((p) => p.value));
    const place = { x: (p: { epoch: number }) => position(p.epoch), y: 'value' };
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
  };
  const label = record.axes.find((a) => a.name === series)?.label ?? series;
  return {
    figure: figure(
      { file: `${options.file}.svg`, title: options.title, caption: options.caption, data: [options.file] },
      runs.length > 0 ? rows.map((row) => row.map(draw)) : [[nothing()]],
      values.length > 0
        ? { items: values.map((value) => [`${label} ${valueInWords(value)}`, colour(value), 'line']) }
        : undefined,
    ),
    data: {
      name: options.file,
      rows: points.map(({ name, run, seed, series: line, epoch, value }) => ({
        ...{ measure: name, ...(series !== undefined && { [series]: line }), seed, run, epoch, value },
      })),
    },
  };
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
