import * as Plot from '@observablehq/plot';
import { fitPowerLaw, type PowerLaw } from '../../analysis/power-law.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import type { CellValue, SweepFigure, SweepRecord, SweepRun } from '../../experiments/sweep-results.ts';
import { accent, contrast, neutral } from '../colours.ts';
import type { Figure } from '../data.ts';
import { defined, format, groupBy, logDomain, range, spread } from '../numbers.ts';
import { figure, type Legend, type LegendItem, type Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';
import {
  fitNames,
  inRows,
  type Places,
  placesOf,
  runsAt,
  seriesColour,
  valueAt,
  valueInWords,
} from './sweep-axis.ts';

type Options = Extract<SweepFigure, { kind: 'scalars' }>;
type Name = Options['scalars'][number];
type Network = 'trained' | 'initialization' | 'control';

interface Point {
  readonly name: Name;
  readonly network: Network;
  readonly run: SweepRun;
  readonly x: CellValue;
  readonly at: number;
  readonly series: CellValue | null;
  readonly value: number;
}

/** Scalars over an axis: a dot a run, a line through the means over seeds. */
export function sweepScalars(record: SweepRecord, options: Options): Figure {
  const runs = runsAt(record, options.where).filter((run) => valueAt(run, options.x) !== undefined);
  const places = placesOf(record, runs, options.x);
  const series = options.series === undefined ? undefined : placesOf(record, runs, options.series);
  const networks: Network[] = options.beside ? ['control', 'initialization', 'trained'] : ['trained'];
  const points = options.scalars.flatMap((name) =>
    networks.flatMap((network) =>
      runs.flatMap((run): Point[] => {
        const value = valueIn(run, network, name);
        const [x, line] = [valueAt(run, options.x)!, series && valueAt(run, series.axis.name)];
        if (!defined(value) || (series && line === undefined)) return [];
        return [{ name, network, run, x, at: places.at(x), series: line ?? null, value }];
      }),
    ),
  );
  const colour = (p: Pick<Point, 'network' | 'series'>) =>
    p.network !== 'trained'
      ? quiet[p.network]
      : series
        ? seriesColour(series.values, series.values.indexOf(p.series!))
        : accent;
  const { rows, width } = inRows(options.scalars);
  return figure(
    {
      ...options,
      file: `${options.file}.svg`,
      data: [
        {
          name: options.file,
          rows: points.map(({ name, network, run, x, series: line, value }) => ({
            ...{ measure: name, network, [options.x]: x },
            ...(series && { [series.axis.name]: line }),
            ...{ seed: run.seed, run: run.id, value },
          })),
        },
      ],
    },
    rows.map((row) =>
      row.map((name) =>
        panel(
          name,
          points.filter((p) => p.name === name),
          { places, width, colour, slope: options.slope === true },
        ),
      ),
    ),
    legend(points, series, colour, {
      fits: options.slope === true && places.log,
      seeds: options.x === 'seed',
    }),
  );
}

const quiet = { initialization: neutral, control: contrast };

export const labelOf = (name: Name): string =>
  name === 'validationAccuracy' ? 'validation accuracy' : scalar(name).label;

function valueIn(run: SweepRun, network: Network, name: Name): number | null | undefined {
  if (name === 'validationAccuracy') return network === 'trained' ? run.validationAccuracy : null;
  return run[network]?.[name];
}

/** The vertical scale of a scalar: its own span where what is shown fills a good part of it. */
export function valueAxis(name: Name, values: readonly number[]): Plot.ScaleOptions & { log: boolean } {
  const { log = false, domain } =
    name === 'validationAccuracy' ? { domain: [0, 1] } : scalar(name as ScalarName);
  const { min, max } = spread(values);
  if (log && (max ?? 0) > 0) return { ...logAxis('', logDomain([...values])), grid: true, log };
  const [low, high] = [min ?? 0, max ?? 1];
  const room = 0.08 * (high - low) || 0.08 * Math.abs(high) || 0.5;
  const fills = domain && high - low > 0.4 * (domain[1]! - domain[0]!);
  const wanted = fills ? domain : [low - room, high + room];
  const [least, greatest] = domain ?? [low < 0 ? -Infinity : 0, Infinity];
  const within = (x: number) => Math.min(greatest!, Math.max(least!, x));
  const [bottom, top] = wanted.map(within) as [number, number];
  return {
    ...axis(''),
    domain: [bottom, top > bottom ? top + 0.02 * (top - bottom) : bottom + 1],
    ticks: 5,
    grid: true,
    log: false,
  };
}

interface Drawing {
  places: Places;
  width: number;
  colour: (p: Pick<Point, 'network' | 'series'>) => string;
  slope: boolean;
}

function panel(name: Name, all: readonly Point[], { places, width, colour, slope }: Drawing): Panel {
  const { log, ...y } = valueAxis(
    name,
    all.map((p) => p.value),
  );
  const points = all.filter((p) => !log || p.value > 0);
  const trained = points.filter((p) => p.network === 'trained');
  const beside = points.filter((p) => p.network !== 'trained');
  const lines = means(points);
  const fits = slope && places.log ? fitsOf(trained) : [];
  const { scale: x, room } = fitNames(places, width);
  const place = { x: 'at', y: 'value' };
  const pen = (quietly: boolean) => ({
    ...{ z: 'line', stroke: colour },
    ...(quietly
      ? { strokeWidth: 1, strokeDasharray: '3 3', strokeOpacity: 0.7 }
      : { strokeWidth: 1.75, strokeDasharray: 'none' }),
  });
  // Between names there is nothing: each has a dash of its own, and a seed nothing but its dot.
  const through = (quietly: boolean): Plot.Markish => {
    const own = lines.filter((p) => (p.network !== 'trained') === quietly);
    if (!places.nominal) return Plot.line(own, { ...place, ...pen(quietly) });
    const dashes = places.axis.name === 'seed' ? [] : own;
    return Plot.link(dashes, {
      ...pen(quietly),
      x1: (p: Point) => p.at - 0.18,
      x2: (p: Point) => p.at + 0.18,
      ...{ y1: 'value', y2: 'value' },
    });
  };
  const fitLines = fits.map(({ fit, points: [of] }) =>
    Plot.line(fitted(fit, places), { x: 'x', y: 'y', stroke: colour(of!), strokeWidth: 1.5 }),
  );
  return chart({
    title: labelOf(name),
    note: fits.length > 0 ? slopes(fits) : rangeInWords(lines.filter((p) => p.network === 'trained')),
    width,
    height: 270 + room,
    marginBottom: 40 + room,
    x,
    y,
    marks:
      points.length === 0
        ? [Plot.text(['not measured'], { frameAnchor: 'middle', fillOpacity: 0.6 })]
        : [
            through(true),
            Plot.dot(beside, { ...place, fill: colour, fillOpacity: 0.55, r: 1.6 }),
            ...(fits.length > 0 ? fitLines : [through(false)]),
            Plot.dot(trained, { ...place, fill: colour, r: 3, fillOpacity: 0.85 }),
          ],
  });
}

/** Means over seeds, in order along the axis. */
function means(points: readonly Point[]) {
  const groups = groupBy(points, (p) => JSON.stringify([p.network, p.series, p.at]));
  return [...groups.values()]
    .map((same) => ({
      ...same[0]!,
      line: `${same[0]!.network} ${same[0]!.series}`,
      value: spread(same.map((p) => p.value)).mean!,
    }))
    .sort((a, b) => a.at - b.at);
}

function fitsOf(trained: readonly Point[]): { fit: PowerLaw; points: Point[] }[] {
  return [...groupBy(trained, (p) => p.series).values()].flatMap((points) => {
    const fit = fitPowerLaw(points.map((p) => [p.at, p.value]));
    return fit ? [{ fit, points }] : [];
  });
}

function fitted({ slope, intercept }: PowerLaw, { values }: Places) {
  const [from, to] = [values[0] as number, values.at(-1) as number];
  return range(2).map((i) => {
    const x = i === 0 ? from : to;
    return { x, y: Math.exp(intercept + slope * Math.log(x)) };
  });
}

const slopes = (fits: readonly { fit: PowerLaw; points: Point[] }[]): string =>
  fits
    .map(({ fit: { slope, interval }, points }) => {
      const series = points[0]!.series === null ? '' : `${valueInWords(points[0]!.series)}: `;
      return `${series}slope ${format(slope, 2)}${interval ? ` [${interval.map((x) => format(x, 2)).join(', ')}]` : ''}`;
    })
    .join('; ');

function rangeInWords(lines: readonly { value: number }[]): string {
  const { min, max } = spread(lines.map((p) => p.value));
  if (min === null) return '';
  return lines.length === 1 ? `mean ${format(min)}` : `means from ${format(min)} to ${format(max)}`;
}

function legend(
  points: readonly Point[],
  series: Places | undefined,
  colour: (p: Pick<Point, 'network' | 'series'>) => string,
  { fits, seeds }: { fits: boolean; seeds: boolean },
): Legend {
  const beside = (['initialization', 'control'] as const).filter((n) => points.some((p) => p.network === n));
  const labels = { initialization: 'at initialization', control: 'control' };
  const items: LegendItem[] = series
    ? series.values.map((value) => [
        `${series.axis.label} ${valueInWords(value)}`,
        colour({ network: 'trained', series: value }),
        'dot',
      ])
    : [
        ['trained, a dot a seed', accent, 'dot'],
        ...(seeds ? [] : [[fits ? 'fitted power law' : 'mean over seeds', accent, 'line'] as LegendItem]),
      ];
  return {
    items: [...items, ...beside.map((n): LegendItem => [labels[n], quiet[n], seeds ? 'dot' : 'dashed'])],
  };
}
