import * as Plot from '@observablehq/plot';
import { fitPowerLaw } from '../../analysis/power-law.ts';
import { shown } from '../../analysis/scalars.ts';
import type { CellValue, SweepFigure, SweepRecord } from '../../experiments/sweep-results.ts';
import { accent, contrast, neutral } from '../colours.ts';
import { defined, format, groupBy, logDomain, spread } from '../numbers.ts';
import type { Figure } from '../parts.ts';
import type { LegendItem, Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';
import * as sweep from './sweep-axis.ts';

type Options = Extract<SweepFigure, { kind: 'scalars' }>;
type Name = Options['scalars'][number];
/** Of one network of a run, at its place on the axes. */
type Row = sweep.Row & { readonly network: 'trained' | keyof typeof beside };

const beside = {
  control: { label: 'control', colour: contrast },
  initialization: { label: 'at initialization', colour: neutral },
};

/** Scalars over an axis, a panel each: one dot per seed, and the means over seeds or a fit. */
export function sweepScalars(record: SweepRecord, options: Options): Figure[] {
  const { scalars, series } = options;
  const axes = [options.x, ...(series === undefined ? [] : [series])];
  const runs = sweep
    .runsAt(record, options.where)
    .filter((run) => axes.every((name) => sweep.valueAt(run, name) !== undefined));
  const networks = [
    ...(options.beside ? (Object.keys(beside) as (keyof typeof beside)[]) : []),
    'trained' as const,
  ];
  const rows = scalars.flatMap((measure) =>
    networks.flatMap((network) =>
      runs.flatMap((run): Row[] => {
        const value =
          measure !== 'validationAccuracy'
            ? run[network]?.[measure]
            : network === 'trained'
              ? run.validationAccuracy
              : null;
        return defined(value) ? [{ measure, network, ...sweep.placeOf(run, ...axes), value }] : [];
      }),
    ),
  );
  const x = sweep.axisOf(record, runs, options.x);
  const lines = sweep.axisOf(record, runs, series ?? '');
  const hue = series === undefined ? () => accent : sweep.colours(lines.values);
  const drawing: Drawing = {
    x,
    lineOf: (r) => (series === undefined ? '' : r[series]!),
    colour: (r) => (r.network === 'trained' ? hue(r[series ?? '']!) : beside[r.network].colour),
    fits: options.slope === true && x.kind === 'log',
  };
  const seeds = x.name === 'seed';
  const through: LegendItem = [drawing.fits ? 'fitted power law' : 'mean over seeds', accent, 'line'];
  return sweep.sweepFigure(
    options,
    rows,
    sweep.inRows(scalars, (name, width) => panel(name, width, rows, drawing)),
    [
      ...(series === undefined
        ? [['trained, one dot per seed', accent, 'dot'] as LegendItem, ...(seeds ? [] : [through])]
        : lines.values.map((v): LegendItem => [`${lines.label} ${sweep.valueInWords(v)}`, hue(v), 'dot'])),
      ...[...networks]
        .reverse()
        .flatMap((network): LegendItem[] =>
          network !== 'trained' && rows.some((r) => r.network === network)
            ? [[beside[network].label, beside[network].colour, seeds ? 'dot' : 'dashed']]
            : [],
        ),
    ],
  );
}

export const labelOf = (name: Name): string =>
  name === 'validationAccuracy' ? 'validation accuracy' : shown(name).label;

/** The vertical scale of a scalar: its whole domain where what is shown fills a good part of it. */
export function valueAxis(
  name: Name,
  rows: readonly { value: number }[],
): Plot.ScaleOptions & { log: boolean } {
  const values = rows.map((r) => r.value);
  const { log = false, domain } = name === 'validationAccuracy' ? { domain: [0, 1] as const } : shown(name);
  const { min, max } = spread(values);
  if (log && (max ?? 0) > 0) return { ...logAxis('', logDomain(values)), grid: true, log };
  const [low, high] = [min ?? 0, max ?? 0];
  const flat = high - low <= 1e-6 * Math.abs(high);
  const whole = domain && (flat || high - low > 0.4 * (domain[1] - domain[0]));
  const ends = whole ? domain : [low, flat ? low + (Math.abs(low) / 5 || 1) : high];
  return { ...axis(''), domain: ends, nice: true, inset: 5, ticks: 5, grid: true, log: false };
}

interface Drawing {
  readonly x: sweep.SweepAxis;
  /** What tells the lines of trained networks apart. */
  readonly lineOf: (r: Row) => CellValue;
  readonly colour: (r: Row) => string;
  readonly fits: boolean;
}

function panel(name: Name, width: number, all: readonly Row[], drawing: Drawing): Panel {
  const { x, lineOf, colour } = drawing;
  const own = all.filter((r) => r.measure === name);
  const { log, ...y } = valueAxis(name, own);
  const rows = own.filter((r) => !log || r.value > 0);
  const trained = rows.filter((r) => r.network === 'trained');
  const others = rows.filter((r) => r.network !== 'trained');
  const { scale, mark, room } = sweep.drawAxis(x, width);
  const place = { x: x.name, y: 'value', z: (r: Row) => `${r.network} ${lineOf(r)}` };
  // Between names there is nothing: each has a dash of its own, and a seed only its dot.
  const means = (of: Row[], pen: Plot.LineYOptions): Plot.Markish => {
    const mean = Plot.groupX({ y: 'mean' }, { ...place, stroke: colour, ...pen } as Plot.LineYOptions);
    return x.name === 'seed' ? null : x.kind === 'names' ? Plot.tickY(of, mean) : Plot.lineY(of, mean);
  };
  const slopes = drawing.fits ? slopesInWords(trained, drawing) : '';
  return chart({
    title: labelOf(name),
    note: slopes || meansInWords(trained, drawing),
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
            means(others, { strokeWidth: 1, strokeDasharray: '3 3', strokeOpacity: 0.7 }),
            Plot.dot(others, { ...place, fill: colour, fillOpacity: 0.55, r: 1.6 }),
            slopes
              ? Plot.linearRegressionY(trained, { ...place, stroke: colour, fill: colour })
              : means(trained, { strokeWidth: 1.75 }),
            Plot.dot(trained, { ...place, fill: colour, r: 3, fillOpacity: 0.85 }),
          ],
  });
}

/** The slopes of power laws, as in `slope −1.01 [−1.09, −0.93]`; empty where there is no fit. */
function slopesInWords(trained: readonly Row[], { x, lineOf }: Drawing): string {
  const lines = [...groupBy(trained, lineOf)];
  return lines
    .flatMap(([line, rows]) => {
      const fit = fitPowerLaw(rows.map((r) => [r[x.name] as number, r.value]));
      if (!fit) return [];
      // There is room for two.
      const interval =
        fit.interval && lines.length < 3 ? ` [${fit.interval.map((end) => format(end, 2)).join(', ')}]` : '';
      return `${line === '' ? '' : `${sweep.valueInWords(line)}: `}slope ${format(fit.slope, 2)}${interval}`;
    })
    .join('; ');
}

function meansInWords(trained: readonly Row[], { x, lineOf }: Drawing): string {
  const cells = [...groupBy(trained, (r) => JSON.stringify([lineOf(r), r[x.name]])).values()];
  const { min, max } = spread(cells.map((rows) => spread(rows.map((r) => r.value)).mean));
  if (min === null) return '';
  return cells.length === 1 ? `mean ${format(min)}` : `means from ${format(min)} to ${format(max)}`;
}
