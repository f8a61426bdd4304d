import * as Plot from '@observablehq/plot';
import type { Matrix } from '../../analysis/measures/figure.ts';
import type { NetworkInfo } from '../../analysis/network-info.ts';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import type { CellValue } from '../../analysis/quantity.ts';
import type { Analysis } from '../../analysis/results.ts';
import { type ShownName, series } from '../../analysis/scalars.ts';
import type { SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-file.ts';
import { accent, classColor, contrast, neutral } from '../colors.ts';
import type { Observation } from '../csv.ts';
import { defined, format, groupBy, logDomain, spread } from '../numbers.ts';
import type { Figure } from '../page.ts';
import { figure, type LegendItem, type Panel } from '../svg.ts';
import { axis, chart, counted, logAxis } from './chart.ts';
import { matrixPanel, shades } from './matrix.ts';
import * as sweep from './sweep-axis.ts';
import { type Drawing, labelOf, panel, type ValueAxis, valueAxis } from './sweep-panel.ts';

type Kind<K> = Extract<SweepFigure, { kind: K }>;

const networks = {
  control: { label: 'control', color: contrast },
  initialization: { label: 'at initialization', color: neutral },
  trained: { label: 'trained, one dot per seed', color: accent },
};
type Network = keyof typeof networks;

/** Scalars over an axis, a panel each: one dot per seed, and the means over seeds or a fit. */
export function sweepScalars(record: SweepRecord, options: Kind<'scalars'>): Figure[] {
  const { scalars, series = '' } = options;
  const axes = [options.x, ...(series ? [series] : [])];
  const runs = sweep
    .runsAt(record, options.where)
    .filter((run) => axes.every((name) => sweep.valueAt(run, name) !== undefined));
  const shown = options.beside ? (Object.keys(networks) as Network[]) : ['trained' as const];
  const rows = scalars.flatMap((measure) =>
    shown.flatMap((network) =>
      runs.flatMap((run): sweep.Row[] => {
        const held = network === 'trained' ? run.validationAccuracy : null;
        const value = measure === 'validationAccuracy' ? held : run[network]?.[measure];
        return defined(value) ? [{ measure, network, ...sweep.placeOf(run, ...axes), value }] : [];
      }),
    ),
  );
  const x = sweep.axisOf(record, runs, options.x);
  const lines = sweep.axisOf(record, runs, series);
  const hue = sweep.colors(lines.values);
  const drawing: Drawing = {
    x,
    lineOf: (r) => `${r.network} ${series && r[series]}`,
    color: (r) =>
      series && r.network === 'trained' ? hue(r[series]!) : networks[r.network as Network].color,
    quiet: (r) => r.network !== 'trained',
  };
  const fits = options.slope === true && x.kind === 'log';
  const draw = (name: (typeof scalars)[number], width: number) => {
    const own = rows.filter((r) => r.measure === name);
    const y = valueAxis(name, own);
    const trained = own.filter((r) => r.network === 'trained' && (!y.log || r.value > 0));
    const slopes = fits ? slopesInWords(trained, x.name, series) : '';
    const note = slopes || meansInWords(trained, x.name, series);
    return panel({ title: labelOf(name), note, y }, own, { ...drawing, fits: slopes !== '' }, width);
  };
  const seeds = x.name === 'seed';
  const through: LegendItem = [fits ? 'fitted power law' : 'mean over seeds', accent, 'line'];
  const beside = [...shown]
    .reverse()
    .filter((n) => (n !== 'trained' || !series) && rows.some((r) => r.network === n));
  return sweep.sweepFigure(options, rows, sweep.inRows(scalars, draw), [
    ...(series
      ? lines.values.map((v): LegendItem => [`${lines.label} ${sweep.valueInWords(v)}`, hue(v), 'dot'])
      : []),
    ...beside.flatMap((network): LegendItem[] => {
      const { label, color } = networks[network];
      if (network !== 'trained') return [[label, color, seeds ? 'dot' : 'dashed']];
      return [[label, color, 'dot'], ...(seeds ? [] : [through])];
    }),
  ]);
}

/** The slopes of power laws, as in `slope −1.01 [−1.09, −0.93]`; empty without a fit. */
function slopesInWords(trained: readonly sweep.Row[], x: string, series: string): string {
  const lines = [...groupBy(trained, (r) => (series ? r[series]! : ''))];
  return lines
    .flatMap(([line, rows]) => {
      const fit = fitPowerLaw(rows.map((r) => [r[x] as number, r.value]));
      if (!fit) return [];
      // Two intervals fit.
      const ends = fit.interval && lines.length < 3 ? fit.interval.map((end) => format(end, 2)) : [];
      const interval = ends.length > 0 ? ` [${ends.join(', ')}]` : '';
      return `${line === '' ? '' : `${sweep.valueInWords(line)}: `}slope ${format(fit.slope, 2)}${interval}`;
    })
    .join('; ');
}

function meansInWords(trained: readonly sweep.Row[], x: string, series: string): string {
  const cells = [...groupBy(trained, (r) => JSON.stringify([r[series], r[x]])).values()];
  const { min, max } = spread(cells.map((rows) => spread(rows.map((r) => r.value)).mean));
  if (min === null) return '';
  return cells.length === 1 ? `mean ${format(min)}` : `means from ${format(min)} to ${format(max)}`;
}

/** A scalar of trained networks against others, a panel each: one dot per run. */
export function sweepPoints(record: SweepRecord, options: Kind<'points'>): Figure[] {
  const { x: names, y, series } = options;
  const runs = sweep.runsAt(record);
  const rows = names.flatMap((measure) =>
    runs.flatMap((run): sweep.Row[] => {
      const [x, value] = [run.trained?.[measure], run.trained?.[y]];
      return defined(x) && defined(value) ? [{ measure, ...sweep.placeOf(run, series), x, value }] : [];
    }),
  );
  const { label, values } = sweep.axisOf(record, runs, series);
  const hue = sweep.colors(values);
  const draw = (name: ShownName, width: number): Panel => {
    const own = rows.filter((r) => r.measure === name);
    const fill = (r: sweep.Row) => hue(r[series]!);
    return chart({
      ...{ title: labelOf(name), note: '', width },
      x: { ...axis(labelOf(name)), ticks: 5, inset: 6 },
      y: { ...valueAxis(y, rows), label: labelOf(y) },
      marks: [Plot.dot(own, { x: 'x', y: 'value', fill, fillOpacity: 0.85, r: 2.4 })],
    });
  };
  const legend = values.map((v): LegendItem => [`${label} ${sweep.valueInWords(v)}`, hue(v), 'dot']);
  return sweep.sweepFigure(options, rows, sweep.inRows(names, draw), legend);
}

/** A measure of each block of the trained networks: a panel for each value of an axis, one line per seed. */
export function sweepBlocks(
  record: SweepRecord,
  options: Kind<'blocks'>,
  analysisOf: (run: SweepRun) => Analysis | null,
): Figure[] {
  const { measure, panels } = options;
  const { label, log = false, first = 1, from } = series[measure]!;
  const at = first === 0 ? ('length' as const) : ('block' as const);
  const runs = sweep.runsAt(record, options.where).filter((run) => sweep.valueAt(run, panels) !== undefined);
  const rows = runs.flatMap((run) => {
    const analysis = analysisOf(run);
    return ((analysis && from(analysis.trained)) ?? []).flatMap((found, i): sweep.Row[] => {
      const value = found?.mean;
      return defined(value) ? [{ measure, ...sweep.placeOf(run, panels), [at]: i + first, value }] : [];
    });
  });
  const values = rows.map((r) => r.value);
  const scale = log
    ? logAxis(label, logDomain(values))
    : { ...axis(label), domain: [Math.min(0, ...values), Math.max(...values)], inset: 5, ticks: 5 };
  const y: ValueAxis = { ...scale, grid: true, log };
  const { values: seeds } = sweep.axisOf(record, runs, 'seed');
  const color = (seed: CellValue) => classColor(seeds.indexOf(seed), seeds.length);
  const { label: name, values: shown } = sweep.axisOf(record, runs, panels);
  const draw = (value: CellValue, width: number): Panel => {
    const own = rows.filter((r) => r[panels] === value);
    const depth = Math.max(...own.map((r) => r[at] as number));
    const end = spread(own.filter((r) => r[at] === depth).map((r) => r.value)).mean;
    const { label, ticks } = counted[at];
    const x = { name: at, kind: 'linear' as const, label, values: ticks(depth) };
    const title = `${name} = ${sweep.valueInWords(value)}`;
    const note = `${at === 'length' ? 'longest path' : 'last block'} ${format(end)}`;
    return panel({ title, note, y }, own, { x, lineOf: (r) => r.run, color: (r) => color(r.seed!) }, width);
  };
  const drawn = shown.filter((value) => rows.some((r) => r[panels] === value));
  return sweep.sweepFigure(
    options,
    rows,
    sweep.inRows(drawn, draw),
    seeds.map((seed) => [`seed ${seed}`, color(seed), 'line']),
  );
}

/** Scalars over the epochs or steps of runs with snapshots, a panel each: one line per run. */
export function sweepCourse(record: SweepRecord, options: Kind<'course'>): Figure[] {
  const { series, scalars } = options;
  const runs = sweep.runsAt(record).filter((run) => run.course);
  const { label, values } = sweep.axisOf(record, series === undefined ? [] : runs, series ?? '');
  const hue = values.length > 0 ? sweep.colors(values) : () => accent;
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

/** Scalars over training, a panel each: one line per run. */
export function coursePanels(
  names: readonly ShownName[],
  all: readonly (Observation & { readonly value: number | null })[],
  color: (row: Observation) => string = () => accent,
): Panel[][] {
  const rows = all.filter((r) => defined(r.value)) as readonly unknown[] as readonly sweep.Row[];
  const at = all.some((r) => 'step' in r && !('epoch' in r)) ? 'step' : 'epoch';
  const last = Math.max(1, ...all.map((r) => r[at] as number));
  const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].filter((t) => t <= last);
  const x = { name: at, label: `${at} (0: initialization)`, values: ticks, kind: 'symlog' as const };
  return sweep.inRows(names, (name, width) => {
    const own = rows.filter((r) => r.measure === name);
    const end = spread(own.filter((r) => r[at] === last).map((r) => r.value)).mean;
    const head = {
      title: labelOf(name),
      note: `at the end ${format(end)}`,
      y: valueAxis(name, own),
      height: 220,
    };
    return panel(head, own, { x, lineOf: (r) => r.run, color }, width);
  });
}

/** A run's matrices, with their table's rows; null if there are none. */
export type MatrixOf = (run: SweepRun) => {
  readonly matrix: Matrix;
  readonly network: Pick<NetworkInfo, 'depth' | 'stages'>;
  readonly rows: readonly Observation[];
} | null;

/** Matrices of single runs: the first with any at each value of an axis. */
export function sweepMatrices(
  record: SweepRecord,
  { file, title, caption, panels, label }: Kind<'matrices'>,
  matrixOf: MatrixOf,
): Figure[] {
  const runs = sweep.runsAt(record);
  const found = sweep.axisOf(record, runs, panels).values.flatMap((value) => {
    const own = runs.flatMap((run) => {
      const of = sweep.valueAt(run, panels) === value && matrixOf(run);
      return of ? [{ ...of, value, place: sweep.placeOf(run, panels) }] : [];
    });
    return own.slice(0, 1);
  });
  if (found.length === 0) return [];
  const rows = found.flatMap(({ place, rows }) => rows.map((row) => ({ ...place, ...row })));
  return [
    figure(
      { file: `${file}.svg`, title, caption, data: [{ name: file, rows }] },
      sweep.inRows(found, ({ value, matrix, network }) =>
        matrixPanel(`${sweep.valueInWords(value)}, L = ${network.depth}`, matrix, network),
      ),
      { label, from: '0', to: '1', steps: shades },
    ),
  ];
}
