import * as Plot from '@observablehq/plot';
import type { Analysis, Measures } from '../../analysis/results.ts';
import type { ScalarName } from '../../analysis/scalars.ts';
import type { CellValue, SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { accent, classColour } from '../colours.ts';
import type { Observation } from '../csv.ts';
import { blockTicks, defined, format, logDomain, spread } from '../numbers.ts';
import type { Figure } from '../parts.ts';
import type { Panel } from '../svg.ts';
import { axis, blockAxis, chart, logAxis } from './chart.ts';
import * as sweep from './sweep-axis.ts';
import { labelOf, valueAxis } from './sweep-scalars.ts';

type Blocks = Extract<SweepFigure, { kind: 'blocks' }>;

interface Measure {
  readonly label: string;
  readonly log: boolean;
  /** Per block; of paths, per length from 0 on. */
  readonly from: (m: Measures) => readonly (number | null)[] | null;
}

const measures: Record<Blocks['measure'], Measure> = {
  sigma1: { label: 'σ₁(Jᵢ)', log: true, from: (m) => m.summary.sigma1.map((s) => s.mean) },
  branchRatio: { label: '‖Fᵢ(h)‖ / ‖h‖', log: true, from: (m) => m.summary.branchRatio.map((s) => s.mean) },
  blockLoss: { label: 'test accuracy lost without block i', log: false, from: (m) => m.blockLoss },
  pathShares: {
    ...{ label: 'share of the output', log: false },
    from: (m) => m.summary.pathShares?.map((s) => s.mean) ?? null,
  },
};

/** A measure of each block of the trained networks: a panel for each value of an axis, one line per seed. */
export function sweepBlocks(
  record: SweepRecord,
  options: Blocks,
  analysisOf: (run: SweepRun) => Analysis | null,
): Figure[] {
  const { measure, panels } = options;
  const { label, log, from } = measures[measure];
  const paths = measure === 'pathShares';
  const [at, first] = paths ? (['length', 0] as const) : (['block', 1] as const);
  const runs = sweep.runsAt(record, options.where).filter((run) => sweep.valueAt(run, panels) !== undefined);
  const rows = runs.flatMap((run) => {
    const analysis = analysisOf(run);
    return ((analysis && from(analysis.trained)) ?? []).flatMap((value, i): sweep.Row[] =>
      defined(value) ? [{ measure, ...sweep.placeOf(run, panels), [at]: i + first, value }] : [],
    );
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

/** Scalars over the epochs of runs with snapshots, a panel each: one line per run. */
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
      run.course!.map(({ epoch, scalars: { [measure]: value } }) => ({
        ...{ measure, ...sweep.placeOf(run, ...(series === undefined ? [] : [series])), epoch, value },
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

type CourseRow = Observation & { readonly epoch: number; readonly value: number | null };

/** Scalars over training, a panel each: one line per run. */
export function coursePanels(
  names: readonly ScalarName[],
  all: readonly CourseRow[],
  colour: (row: Observation) => string = () => accent,
): Panel[][] {
  const last = Math.max(1, ...all.map((r) => r.epoch));
  const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((t) => t <= last);
  const scale = { type: 'symlog', domain: [-0.1, 1.1 * last], ticks } as const;
  const x = { ...axis('epoch (0: initialization)'), ...scale };
  return sweep.inRows(names, (name, width) => {
    const own = all.flatMap((r) =>
      r.measure === name && defined(r.value) ? [{ ...r, value: r.value }] : [],
    );
    const { log, ...y } = valueAxis(name, own);
    const end = spread(own.filter((r) => r.epoch === last).map((r) => r.value)).mean;
    const note = `at the end ${format(end)}`;
    return lines(own, 'epoch', colour, { title: labelOf(name), note, width, height: 220, x, y, log });
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
    Plot.dot(rows, { ...place, fill: colour, r: rows.length > 40 ? 1.5 : 2.3 }),
  ];
  return chart({ ...options, marks });
}

/** Lengths of paths. */
export const pathAxis = (depth: number): Plot.ScaleOptions => ({
  ...axis('blocks on the path'),
  domain: [-0.5, depth + 0.5],
  ticks: [0, ...blockTicks(depth)],
  tickFormat: String,
});
