import * as Plot from '@observablehq/plot';
import type { Analysis, Measures } from '../../analysis/results.ts';
import type { CellValue, SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { classColour } from '../colours.ts';
import type { Figure } from '../data.ts';
import { blockTicks, defined, format, logDomain, range, spread } from '../numbers.ts';
import { figure, type Panel } from '../svg.ts';
import { axis, blockAxis, chart, logAxis } from './chart.ts';
import { inRows, runsAt, valueAt, valueInWords, valuesOf } from './sweep-axis.ts';

type Options = Extract<SweepFigure, { kind: 'blocks' }>;

interface Measure {
  readonly label: string;
  readonly log: boolean;
  /** Per block; of paths, per length from 0 on. */
  readonly from: (m: Measures) => readonly (number | null)[] | null;
}

const measures: Record<Options['measure'], Measure> = {
  sigma1: { label: 'σ₁(Jᵢ)', log: true, from: (m) => m.summary.sigma1.map((s) => s.mean) },
  branchRatio: { label: '‖Fᵢ(h)‖ / ‖h‖', log: true, from: (m) => m.summary.branchRatio.map((s) => s.mean) },
  blockLoss: { label: 'test accuracy lost without block i', log: false, from: (m) => m.blockLoss },
  pathShares: {
    ...{ label: 'share of the output', log: false },
    from: (m) => m.summary.pathShares?.map((s) => s.mean) ?? null,
  },
};

/** A measure of each block of the trained networks, a panel for each value of an axis, a line a run. */
export function sweepBlocks(
  record: SweepRecord,
  options: Options,
  analysisOf: (run: SweepRun) => Analysis | null,
): Figure {
  const measure = measures[options.measure];
  const first = options.measure === 'pathShares' ? 0 : 1;
  const lines = runsAt(record, options.where).flatMap((run) => {
    const analysis = analysisOf(run);
    const values = analysis && measure.from(analysis.trained);
    const panel = valueAt(run, options.panels);
    if (!values || panel === undefined) return [];
    return [
      {
        run,
        panel,
        rows: values.flatMap((value, i) => (defined(value) ? [{ i: i + first, value, seed: run.seed }] : [])),
      },
    ];
  });
  const panels = valuesOf(
    lines.map(({ run }) => run),
    options.panels,
  );
  const all = lines.flatMap(({ rows }) => rows.map((r) => r.value));
  const label = record.axes.find((a) => a.name === options.panels)?.label ?? options.panels;
  const { rows, width } = inRows(panels);
  const seeds = [...new Set(lines.map(({ run }) => run.seed))].sort((a, b) => a - b);
  const draw = (value: CellValue): Panel => {
    const own = lines.filter((l) => l.panel === value).flatMap((l) => l.rows);
    const depth = Math.max(1, ...own.map((r) => r.i));
    const shown = measure.log ? own.filter((r) => r.value > 0) : own;
    const ends = spread(own.filter((r) => r.i === depth).map((r) => r.value));
    const { min = 0, max = 1 } = spread(all) as { min?: number | null; max?: number | null };
    const [low, high] = [Math.min(0, min ?? 0), max ?? 1];
    const x = first === 1 ? blockAxis(depth) : pathAxis(depth);
    return chart({
      title: `${label} = ${valueInWords(value)}`,
      note: `${first === 1 ? 'last block' : 'longest path'} ${format(ends.mean)}`,
      width,
      x,
      y: {
        ...(measure.log
          ? logAxis(measure.label, logDomain(all))
          : {
              ...axis(measure.label),
              domain: [low - 0.03 * (high - low), high + 0.03 * (high - low) || 1],
              ticks: 5,
            }),
        grid: true,
      },
      marks: [
        Plot.line(shown, { x: 'i', y: 'value', z: 'seed', stroke: colour, strokeWidth: 1.5 }),
        Plot.dot(shown, { x: 'i', y: 'value', fill: colour, r: depth > 20 ? 1.5 : 2.5 }),
      ],
    });
  };
  const colour = ({ seed }: { seed: number }) => classColour(seeds.indexOf(seed), seeds.length);
  return figure(
    {
      ...options,
      file: `${options.file}.svg`,
      data: [
        {
          name: options.file,
          rows: lines.flatMap(({ run, panel, rows }) =>
            rows.map(({ i, value }) => ({
              ...{ measure: options.measure, [options.panels]: panel, seed: run.seed, run: run.id },
              ...(first === 1 ? { block: i } : { length: i }),
              value,
            })),
          ),
        },
      ],
    },
    rows.length > 0 ? rows.map((row) => row.map(draw)) : [[nothing()]],
    { items: seeds.map((seed) => [`seed ${seed}`, colour({ seed }), 'line']) },
  );
}

/** Lengths of paths. */
export const pathAxis = (depth: number): Plot.ScaleOptions => ({
  ...axis('blocks on the path'),
  domain: [-0.5, depth + 0.5],
  ticks: [0, ...blockTicks(depth)],
  tickFormat: String,
});

/** Where no run has what a figure shows. */
export const nothing = (): Panel =>
  chart({
    title: 'Nothing to show yet',
    note: 'no run has this measure',
    x: { axis: null, domain: range(2) },
    y: { axis: null, domain: range(2) },
    marks: [Plot.text(['not measured'], { frameAnchor: 'middle', fillOpacity: 0.6 })],
  });
