import type { Legend, Mark, Matrix, Row, Scale, Swatch } from '../../analysis/measures/figure.ts';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import { type Cell, type CellValue, liesAt } from '../../analysis/quantity.ts';
import type { Analysis } from '../../analysis/results.ts';
import { series as allSeries } from '../../analysis/scalars.ts';
import { spreadOf } from '../../analysis/statistics.ts';
import type { SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-file.ts';
import { groupBy } from '../../lists.ts';
import { defined, format } from '../../number-format.ts';
import { valueInWords } from '../axes.ts';
import { accent, blockColor, classColor, contrast, neutral } from '../colors.ts';
import type { Figure } from '../page.ts';
import { draw, type Titled } from './draw.ts';
import { coursePanels, dots, inRows, runLines, type Seen, scalarLabel, valueScale } from './panels.ts';

type Kind<K> = Extract<SweepFigure, { kind: K }>;

/** What figures show of single runs besides scalars; null if missing. */
export interface RunDetails {
  readonly analysisOf?: (run: SweepRun) => Analysis | null;
  /** A run's matrices, with their table's rows. */
  readonly matrixOf?: (run: SweepRun) => { readonly matrix: Matrix; readonly rows: readonly Row[] } | null;
}

/** What a figure draws, with the rows of its table. */
interface Content {
  readonly rows: readonly Row[];
  readonly panels: readonly Titled[];
  readonly legend: Legend;
}

const kinds = { scalars, points, blocks, course, matrices };

/** The figures of a sweep that show anything. */
export const sweepFigures = (record: SweepRecord, details: RunDetails): Figure[] =>
  record.figures.flatMap((options) => {
    const { rows, panels, legend } = kinds[options.kind](record, options as never, details);
    const { file, title, caption } = options;
    const words = { file: `${file}.svg`, title, caption, data: [{ name: file, rows }] };
    return rows.length > 0 ? [draw({ ...words, rows: inRows(panels), legend })] : [];
  });

/** The finished runs in a figure's part of the sweep that have a place on all of these axes. */
const runsAt = ({ runs }: SweepRecord, axes: readonly string[], where: Cell = {}): SweepRun[] =>
  runs.filter(
    (run) =>
      run.status === 'done' && liesAt(run, where) && axes.every((name) => valueAt(run, name) !== undefined),
  );

/** A run's place on an axis; seeds are an axis of every sweep. */
const valueAt = ({ cell, seed }: SweepRun, name: string): CellValue | undefined =>
  cell[name] ?? (name === 'seed' ? seed : undefined);

/** The columns of a run's places. */
const placeOf = (run: SweepRun, axes: readonly string[]) => ({
  ...Object.fromEntries(axes.map((name) => [name, valueAt(run, name)!] as const)),
  seed: run.seed,
  run: run.id,
});

const isNumber = (value: CellValue): value is number => typeof value === 'number';

/** An axis's label and values: numbers in order, names as in the runs. Between names there is nothing. */
function axisOf({ axes }: SweepRecord, runs: readonly SweepRun[], name: string) {
  const { label, log = false } = axes.find((a) => a.name === name) ?? { label: name };
  const found = [...new Set(runs.flatMap((run) => valueAt(run, name) ?? []))];
  const numbers = found.filter(isNumber).sort((a, b) => a - b);
  const ordered = numbers.length === found.length;
  return { label, log, values: ordered ? numbers : found, between: ordered && name !== 'seed' };
}
type Axis = ReturnType<typeof axisOf>;

/** Numbers at their places, unless they are too close for labels or have no logarithm. */
function scaleOf({ label, log, values, between }: Axis): Scale {
  const numbers = values.filter(isNumber);
  const span = numbers.at(-1)! - numbers[0]!;
  const close = log ? numbers[0]! <= 0 : numbers.some((v, i) => i > 0 && v - numbers[i - 1]! < 0.05 * span);
  if (!between || values.length < 2 || close) return { label, names: values };
  return { label, ticks: numbers, ...(log && { type: 'log' }) };
}

/** Colors of rows by their value of an axis, if any: a scale for numbers, else as distinct as possible. */
function huesOf(record: SweepRecord, runs: readonly SweepRun[], name: string | undefined, shape: Swatch[2]) {
  if (name === undefined) return { color: () => accent, legend: [] };
  const { label, values, between } = axisOf(record, runs, name);
  const [hue, first] = between && values.length > 2 ? [blockColor, 1] : [classColor, 0];
  const of = (value: unknown) =>
    hue((values as readonly unknown[]).indexOf(value) + first, Math.max(values.length, 2));
  return {
    color: (row: Row) => of(row[name]),
    legend: values.map((value): Swatch => [`${label} ${valueInWords(value)}`, of(value), shape]),
  };
}

const networks = {
  control: { label: 'control', ink: contrast },
  initialization: { label: 'at initialization', ink: neutral },
  trained: { label: 'trained, one dot per seed', ink: accent },
};
type Network = keyof typeof networks;
/** How others are drawn behind the trained networks. */
const QUIET = {
  line: { strokeWidth: 1, strokeDasharray: '3 3', strokeOpacity: 0.7 },
  dot: { fillOpacity: 0.55, r: 1.6 },
};

/** Scalars over an axis, a panel each: one dot per seed, and the means over seeds or a fit. */
function scalars(record: SweepRecord, options: Kind<'scalars'>): Content {
  const { x, series, scalars, where, beside, slope } = options;
  const axes = [x, ...(series === undefined ? [] : [series])];
  const runs = runsAt(record, axes, where);
  const others: Network[] = beside ? ['control', 'initialization'] : [];
  const rows = scalars.flatMap((measure) =>
    [...others, 'trained' as const].flatMap((network) =>
      runs.flatMap((run): Seen[] => {
        const held = network === 'trained' ? run.validationAccuracy : null;
        const value = measure === 'validationAccuracy' ? held : run[network]?.[measure];
        return defined(value) ? [{ measure, network, ...placeOf(run, axes), value }] : [];
      }),
    ),
  );
  const axis = axisOf(record, runs, x);
  const scale = scaleOf(axis);
  const hues = huesOf(record, runs, series, 'dot');
  const fits = slope === true && scale.type === 'log';
  const colorOf = (row: Seen) =>
    row.network === 'trained' ? hues.color(row) : networks[row.network as Network].ink;
  const place = { x, y: 'value', z: series ?? 'network', stroke: 'color' } as const;
  // Nothing lies between names: each has its own dash, and each seed only a dot.
  const through = (rows: readonly Row[], pen: object): Mark[] =>
    x === 'seed' ? [] : [{ mark: axis.between ? 'line' : 'tickY', rows, ...place, ...pen }];
  const panels = scalars.map((name): Titled => {
    const own = rows
      .filter(({ measure }) => measure === name)
      .map((row): Seen => ({ ...row, color: colorOf(row) }));
    const y = valueScale(name, own);
    const of = (network: Network) =>
      own.filter((row) => row.network === network && (y.type !== 'log' || row.value > 0));
    const trained = of('trained');
    const means = meansOf(trained, axes, axis);
    const slopes = fits ? slopesInWords(trained, x, series) : '';
    const { min, max } = spreadOf(means.map(({ value }) => value));
    const between =
      means.length === 1 ? `mean ${format(min)}` : `means from ${format(min)} to ${format(max)}`;
    return {
      title: scalarLabel(name),
      note: slopes || (min === null ? '' : between),
      x: scale,
      y,
      marks: [
        ...others.flatMap((network) => [
          ...through(meansOf(of(network), axes, axis), QUIET.line),
          ...dots(of(network), x, QUIET.dot),
        ]),
        ...(slopes
          ? [{ mark: 'linearRegressionY', rows: trained, ...place, fill: 'color' } as const]
          : through(means, { strokeWidth: 1.6 })),
        ...dots(trained, x),
      ],
    };
  });
  const dash = x === 'seed' ? 'dot' : 'dashed';
  const line: Swatch = [fits ? 'fitted power law' : 'mean over seeds', accent, 'line'];
  const own: Swatch[] = [[networks.trained.label, accent, 'dot'], ...(x === 'seed' ? [] : [line])];
  return {
    rows,
    panels,
    legend: [
      ...(series === undefined ? own : hues.legend),
      ...others
        .filter((network) => rows.some((row) => row.network === network))
        .reverse()
        .map((network): Swatch => [networks[network].label, networks[network].ink, dash]),
    ],
  };
}

/** Means over seeds at each place, in the order of the first axis. */
function meansOf(rows: readonly Seen[], axes: readonly string[], { values }: Axis): Seen[] {
  const cells = groupBy(rows, (row) => JSON.stringify(axes.map((name) => row[name])));
  const at = (row: Seen) => (values as readonly unknown[]).indexOf(row[axes[0]!]);
  return [...cells.values()]
    .map((same): Seen => ({ ...same[0]!, value: spreadOf(same.map(({ value }) => value)).mean! }))
    .sort((a, b) => at(a) - at(b));
}

/** The slopes of power laws, as in `slope −1.01 [−1.09, −0.93]`; empty without a fit. */
function slopesInWords(trained: readonly Seen[], x: string, series: string | undefined): string {
  const lines = [...groupBy(trained, (row) => (series === undefined ? '' : row[series]))];
  return lines
    .flatMap(([line, rows]) => {
      const fit = fitPowerLaw(rows.map((row) => [row[x] as number, row.value]));
      if (!fit) return [];
      // Two intervals fit.
      const ends = fit.interval && lines.length < 3 ? fit.interval.map((end) => format(end, 2)) : [];
      const interval = ends.length > 0 ? ` [${ends.join(', ')}]` : '';
      return `${line === '' ? '' : `${valueInWords(line as CellValue)}: `}slope ${format(fit.slope, 2)}${interval}`;
    })
    .join('; ');
}

/** A scalar of trained networks against others, a panel each: one dot per run. */
function points(record: SweepRecord, { x: names, y, series }: Kind<'points'>): Content {
  const runs = runsAt(record, [series]);
  const { color, legend } = huesOf(record, runs, series, 'dot');
  const rows = names.flatMap((measure) =>
    runs.flatMap((run): Seen[] => {
      const [x, value] = [run.trained?.[measure], run.trained?.[y]];
      return defined(x) && defined(value) ? [{ measure, ...placeOf(run, [series]), x, value }] : [];
    }),
  );
  const scale = { ...valueScale(y, rows), label: scalarLabel(y), shared: true };
  const panels = names.map((name) => {
    const own = rows.filter(({ measure }) => measure === name);
    const drawn = own.map((row) => ({ ...row, color: color(row) }));
    return {
      title: scalarLabel(name),
      note: '',
      x: { label: scalarLabel(name) },
      y: scale,
      marks: dots(drawn, 'x'),
    };
  });
  return { rows, panels, legend };
}

/** A measure of each block of the trained networks: a panel for each value of an axis, one line per seed. */
function blocks(record: SweepRecord, options: Kind<'blocks'>, { analysisOf }: RunDetails): Content {
  const { measure, panels: name, where } = options;
  const { label, log = false, along, from } = allSeries[measure]!;
  const [at, first] = along === undefined ? (['block', 1] as const) : (['length', 0] as const);
  const runs = runsAt(record, [name], where);
  const { color, legend } = huesOf(record, runs, 'seed', 'line');
  const rows = runs.flatMap((run) => {
    const analysis = analysisOf?.(run);
    return ((analysis && from(analysis.trained)) ?? []).flatMap((found, i): Seen[] => {
      const value = found?.mean;
      return defined(value) ? [{ measure, ...placeOf(run, [name]), [at]: i + first, value }] : [];
    });
  });
  const y: Scale = { label, shared: true, ...(log ? { type: 'log' } : { zero: true }) };
  const axis = axisOf(record, runs, name);
  const panels = axis.values.flatMap((value): Titled[] => {
    const own = rows.filter((row) => row[name] === value);
    if (own.length === 0) return [];
    const last = Math.max(...own.map((row) => row[at] as number));
    const end = spreadOf(own.filter((row) => row[at] === last).map((row) => row.value)).mean;
    return [
      {
        title: `${axis.label} = ${valueInWords(value)}`,
        note: `${along === undefined ? 'last block' : 'longest path'} ${format(end)}`,
        x: { label: along ?? 'block i', counted: [first, last] },
        y,
        marks: runLines(own, at, color),
      },
    ];
  });
  return { rows, panels, legend };
}

/** Scalars over the epochs or steps of runs with snapshots, a panel each: one line per run. */
function course(record: SweepRecord, { series, scalars }: Kind<'course'>): Content {
  const runs = record.runs.filter(({ status, course }) => status === 'done' && course);
  const { color, legend } = huesOf(record, runs, series, 'line');
  const rows = scalars.flatMap((measure) =>
    runs.flatMap((run) =>
      run.course!.map(({ scalars: { [measure]: value = null }, ...at }) => ({
        measure,
        ...placeOf(run, series === undefined ? [] : [series]),
        ...at,
        value,
      })),
    ),
  );
  return { rows, panels: coursePanels(scalars, rows, color), legend };
}

/** Matrices of single runs: the first with any at each value of an axis. */
function matrices(record: SweepRecord, options: Kind<'matrices'>, { matrixOf }: RunDetails): Content {
  const { panels: name, label } = options;
  const runs = runsAt(record, [name]);
  const found = axisOf(record, runs, name).values.flatMap((value) => {
    const own = runs.flatMap((run) => {
      const of = valueAt(run, name) === value && matrixOf?.(run);
      return of ? [{ ...of, place: placeOf(run, [name]), value }] : [];
    });
    return own.slice(0, 1);
  });
  return {
    rows: found.flatMap(({ place, rows }) => rows.map((row) => ({ ...place, ...row }))),
    panels: found.map(({ value, matrix }) => ({
      title: `${valueInWords(value)}, L = ${matrix.pairs.length}`,
      ...matrix,
    })),
    legend: { ramp: 'share', label },
  };
}
