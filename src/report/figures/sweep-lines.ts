import * as Plot from '@observablehq/plot';
import type { Analysis } from '../../analysis/results.ts';
import { allSeries, type ShownName } from '../../analysis/scalars.ts';
import type { CellValue, SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { accent, classColour } from '../colours.ts';
import type { Observation } from '../csv.ts';
import { defined, format, logDomain, spread } from '../numbers.ts';
import type { Figure } from '../parts.ts';
import type { Panel } from '../svg.ts';
import { axis, blockAxis, chart, logAxis, pathAxis } from './chart.ts';
import * as sweep from './sweep-axis.ts';
import { labelOf, valueAxis } from './sweep-scalars.ts';

type Blocks = Extract<SweepFigure, { kind: 'blocks' }>;

/** A measure of each block of the trained networks: a panel for each value of an axis, one line per seed. */
export function sweepBlocks(
  record: SweepRecord,
  options: Blocks,
  analysisOf: (run: SweepRun) => Analysis | null,
): Figure[] {
  const { measure, panels } = options;
  const { label, log = false, first = 1, from } = allSeries[measure];
  const paths = first === 0;
  const at = paths ? 'length' : 'block';
  const runs = sweep.runsAt(record, options.where).filter((run) => sweep.valueAt(run, panels) !== undefined);
  const rows = runs.flatMap((run) => {
    const analysis = analysisOf(run);
    return ((analysis && from(analysis.trained)) ?? []).flatMap((found, i): sweep.Row[] => {
      const value = found?.mean;
      return defined(value) ? [{ measure, ...sweep.placeOf(run, panels), [at]: i + first, value }] : [];
    });
  });
  const values = rows.map((r) => r.value);
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const room = 0.03 * (high - low) || 1;
  const y = log
    ? logAxis(label, logDomain(values))
    : { ...axis(label), domain: [low - room, high + room], ticks: 5 };
  const { values: seeds } = sweep.axisOf(record, runs, 'seed');
  const colour = (seed: CellValue) => classColour(seeds.indexOf(seed), seeds.length);
  const { label: name, values: shown } = sweep.axisOf(record, runs, panels);
  const draw = (value: CellValue, width: number): Panel => {
    const own = rows.filter((r) => r[panels] === value);
    const depth = Math.max(...own.map((r) => r[at] as number));
    const ends = spread(own.filter((r) => r[at] === depth).map((r) => r.value));
    return lines(own, at, (r) => colour(r.seed!), {
      title: `${name} = ${sweep.valueInWords(value)}`,
      note: `${paths ? 'longest path' : 'last block'} ${format(ends.mean)}`,
      width,
      x: paths ? pathAxis(depth) : blockAxis(depth),
      y: { ...y, grid: true },
      log,
    });
  };
  return sweep.sweepFigure(
    options,
    rows,
    sweep.inRows(
      shown.filter((value) => rows.some((r) => r[panels] === value)),
      draw,
    ),
    seeds.map((seed) => [`seed ${seed}`, colour(seed), 'line']),
  );
}

/** Scalars over the epochs or steps of runs with snapshots, a panel each: one line per run. */
export function sweepCourse(
  record: SweepRecord,
  options: Extract<SweepFigure, { kind: 'course' }>,
): Figure[] {
  const { series, scalars } = options;
  const runs = sweep.runsAt(record).filter((run) => run.course);
  const { label, values } = sweep.axisOf(record, series === undefined ? [] : runs, series ?? '');
  const hue = values.length > 0 ? sweep.colours(values) : () => accent;
  const rows = scalars.flatMap((measure) =>
    runs.flatMap((run) =>
      run.course!.map(({ scalars: { [measure]: value = null }, ...at }) => ({
        ...{ measure, ...sweep.placeOf(run, ...(series === undefined ? [] : [series])), ...at, value },
      })),
    ),
  );
  return sweep.sweepFigure(
    options,
    rows,
    coursePanels(scalars, rows, (row) => hue(row[series ?? ''] as CellValue)),
    values.map((value) => [`${label} ${sweep.valueInWords(value)}`, hue(value), 'line']),
  );
}

type CourseRow = Observation & { readonly value: number | null };

/** Scalars over training, a panel each: one line per run. */
export function coursePanels(
  names: readonly ShownName[],
  all: readonly CourseRow[],
  colour: (row: Observation) => string = () => accent,
): Panel[][] {
  const at = all.some((r) => 'step' in r) ? 'step' : 'epoch';
  const time = (r: Observation) => r[at] as number;
  const last = Math.max(1, ...all.map(time));
  const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((t) => t <= last);
  const scale = { type: 'symlog', domain: [-0.1, 1.1 * last], ticks } as const;
  const x = { ...axis(`${at} (0: initialization)`), ...scale };
  return sweep.inRows(names, (name, width) => {
    const own = all.flatMap((r) =>
      r.measure === name && defined(r.value) ? [{ ...r, value: r.value }] : [],
    );
    const { log, ...y } = valueAxis(name, own);
    const end = spread(own.filter((r) => time(r) === last).map((r) => r.value)).mean;
    const note = `at the end ${format(end)}`;
    return lines(own, at, colour, { title: labelOf(name), note, width, height: 220, x, y, log });
  });
}

/** One line per run through its values, and a dot for each. */
function lines<R extends { readonly value: number }>(
  all: readonly R[],
  x: string,
  colour: (row: R) => string,
  { log, ...options }: Parameters<typeof chart>[0] & { log: boolean },
): Panel {
  const rows = log ? all.filter((r) => r.value > 0) : all;
  const place = { x, y: 'value' };
  const marks = [
    Plot.line(rows, { ...place, z: 'run', stroke: colour, strokeWidth: 1.5 }),
    rows.length > 400 ? null : Plot.dot(rows, { ...place, fill: colour, r: rows.length > 40 ? 1.5 : 2.3 }),
  ];
  return chart({ ...options, marks });
}
