import * as Plot from '@observablehq/plot';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import type { CellValue, SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { accent, contrast, neutral } from '../colours.ts';
import { defined, format, groupBy, logDomain, spread } from '../numbers.ts';
import type { Figure } from '../parts.ts';
import { figure, type LegendItem, type Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';
import {
  axisOf,
  colours,
  drawAxis,
  inRows,
  runsAt,
  type SweepAxis,
  valueAt,
  valueInWords,
} from './sweep-axis.ts';

type Options = Extract<SweepFigure, { kind: 'scalars' }>;
type Name = Options['scalars'][number];

/** An observation: a scalar of one network of a run, with the run's places on the axes by their names. */
interface Row {
  readonly measure: Name;
  readonly network: 'trained' | 'initialization' | 'control';
  readonly run: string;
  readonly value: number;
  readonly [axis: string]: CellValue;
}

const quiet = { initialization: neutral, control: contrast };
const words = { initialization: 'at initialization', control: 'control' };

/** Scalars over an axis, a panel each: one dot per seed, and the means over seeds or a fit. */
export function sweepScalars(record: SweepRecord, options: Options): Figure {
  const { scalars, beside, slope } = options;
  const runs = runsAt(record, options.where).filter((run) => valueAt(run, options.x) !== undefined);
  const x = axisOf(record, runs, options.x);
  const series = options.series === undefined ? undefined : axisOf(record, runs, options.series);
  const networks = beside ? (['control', 'initialization', 'trained'] as const) : (['trained'] as const);
  const axes = [x, ...(series ? [series] : [])];
  const rows = scalars.flatMap((measure) =>
    networks.flatMap((network) =>
      runs.flatMap((run): Row[] => {
        const value = valueIn(run, network, measure);
        const places = axes.flatMap(({ name }) => {
          const place = valueAt(run, name);
          return place === undefined ? [] : [[name, place] as const];
        });
        if (!defined(value) || places.length < axes.length) return [];
        const { seed, id } = run;
        return [{ measure, network, ...Object.fromEntries(places), seed, run: id, value }];
      }),
    ),
  );
  const fits = slope === true && x.kind === 'log';
  const hue = series && colours(series.values);
  const colour = (r: Row) =>
    r.network !== 'trained' ? quiet[r.network] : hue ? hue(r[series.name]!) : accent;
  const { rows: panels, width } = inRows(scalars);
  const draw = (name: Name) =>
    panel(
      name,
      rows.filter((r) => r.measure === name),
      { x, series, width, colour, fits },
    );
  const seeds = x.name === 'seed';
  const items: LegendItem[] = series
    ? series.values.map((value) => [`${series.label} ${valueInWords(value)}`, hue!(value), 'dot'])
    : [
        ['trained, one dot per seed', accent, 'dot'],
        ...(seeds ? [] : [[fits ? 'fitted power law' : 'mean over seeds', accent, 'line'] as LegendItem]),
      ];
  for (const network of ['initialization', 'control'] as const)
    if (rows.some((r) => r.network === network))
      items.push([words[network], quiet[network], seeds ? 'dot' : 'dashed']);
  return figure(
    { ...options, file: `${options.file}.svg`, data: [{ name: options.file, rows }] },
    panels.map((row) => row.map(draw)),
    { items },
  );
}

export const labelOf = (name: Name): string =>
  name === 'validationAccuracy' ? 'validation accuracy' : scalar(name).label;

function valueIn(run: SweepRun, network: Row['network'], name: Name): number | null | undefined {
  if (name === 'validationAccuracy') return network === 'trained' ? run.validationAccuracy : null;
  return run[network]?.[name];
}

/** The vertical scale of a scalar: its whole domain where what is shown fills a good part of it. */
export function valueAxis(name: Name, values: readonly number[]): Plot.ScaleOptions & { log: boolean } {
  const { log = false, domain } =
    name === 'validationAccuracy' ? { domain: [0, 1] } : scalar(name as ScalarName);
  const { min, max } = spread(values);
  if (log && (max ?? 0) > 0) return { ...logAxis('', logDomain([...values])), grid: true, log };
  const [low, high] = [min ?? 0, max ?? 1];
  const room = 0.08 * (high - low) || 0.08 * Math.abs(high) || 0.5;
  const [lowest, highest] = domain ?? [low < 0 ? -Infinity : 0, Infinity];
  const fills = domain && high - low > 0.4 * (highest! - lowest!);
  const [bottom, top] = fills
    ? [lowest!, highest!]
    : [Math.max(lowest!, low - room), Math.min(highest!, high + room)];
  const end = top > bottom ? top + 0.02 * (top - bottom) : bottom + 1;
  return { ...axis(''), domain: [bottom, end], ticks: 5, grid: true, log: false };
}

interface Drawing {
  readonly x: SweepAxis;
  readonly series: SweepAxis | undefined;
  readonly width: number;
  readonly colour: (r: Row) => string;
  readonly fits: boolean;
}

function panel(name: Name, all: readonly Row[], { x, series, width, colour, fits }: Drawing): Panel {
  const { log, ...y } = valueAxis(
    name,
    all.map((r) => r.value),
  );
  const rows = all.filter((r) => !log || r.value > 0);
  const trained = rows.filter((r) => r.network === 'trained');
  const beside = rows.filter((r) => r.network !== 'trained');
  const { scale, mark, room } = drawAxis(x, width);
  const place = { x: x.name, y: 'value' };
  const line = (r: Row) => `${r.network} ${series && r[series.name]}`;
  // Between names there is nothing: each has a dash of its own, and a seed only its dot.
  const means = (of: Row[], pen: Plot.LineYOptions): Plot.Markish => {
    const mean = Plot.groupX({ y: 'mean' }, {
      ...place,
      z: line,
      stroke: colour,
      ...pen,
    } as Plot.LineYOptions);
    return x.name === 'seed' ? null : x.kind === 'names' ? Plot.tickY(of, mean) : Plot.lineY(of, mean);
  };
  const slopes = fits ? slopesOf(trained, x, series) : '';
  return chart({
    title: labelOf(name),
    note: slopes || meansInWords(trained, x, series),
    width,
    height: 270 + room,
    marginBottom: 40 + room,
    x: scale,
    y,
    marks:
      rows.length === 0
        ? [Plot.text(['not measured'], { frameAnchor: 'middle', fillOpacity: 0.6 })]
        : [
            mark,
            means(beside, { strokeWidth: 1, strokeDasharray: '3 3', strokeOpacity: 0.7 }),
            Plot.dot(beside, { ...place, fill: colour, fillOpacity: 0.55, r: 1.6 }),
            slopes
              ? Plot.linearRegressionY(trained, { ...place, z: line, stroke: colour, fill: colour })
              : means(trained, { strokeWidth: 1.75 }),
            Plot.dot(trained, { ...place, fill: colour, r: 3, fillOpacity: 0.85 }),
          ],
  });
}

/** The slopes of power laws through the points of each series, as in `slope −1.01 [−1.09, −0.93]`; empty where there is no fit. */
function slopesOf(trained: readonly Row[], x: SweepAxis, series: SweepAxis | undefined): string {
  const lines = groupBy(trained, (r) => (series ? r[series.name]! : null));
  return [...lines]
    .flatMap(([value, rows]) => {
      const fit = fitPowerLaw(rows.map((r) => [r[x.name] as number, r.value]));
      if (!fit) return [];
      const interval = fit.interval ? ` [${fit.interval.map((end) => format(end, 2)).join(', ')}]` : '';
      return `${value === null ? '' : `${valueInWords(value)}: `}slope ${format(fit.slope, 2)}${interval}`;
    })
    .join('; ');
}

function meansInWords(trained: readonly Row[], x: SweepAxis, series: SweepAxis | undefined): string {
  const cells = groupBy(trained, (r) => JSON.stringify([series && r[series.name], r[x.name]]));
  const means = [...cells.values()].map((rows) => spread(rows.map((r) => r.value)).mean);
  const { min, max } = spread(means);
  if (min === null) return '';
  return means.length === 1 ? `mean ${format(min)}` : `means from ${format(min)} to ${format(max)}`;
}
