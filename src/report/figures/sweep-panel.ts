import * as Plot from '@observablehq/plot';
import type { CellValue } from '../../analysis/quantity.ts';
import { type ShownName, shown } from '../../analysis/scalars.ts';
import { logDomain, spread } from '../numbers.ts';
import type { Panel } from '../svg.ts';
import { axis, chart, logAxis } from './chart.ts';
import { drawAxis, type Row, type SweepAxis } from './sweep-axis.ts';

/** How a figure's panels draw rows. */
export interface Drawing {
  readonly x: SweepAxis;
  /** What tells lines apart. */
  readonly lineOf: (r: Row) => CellValue;
  readonly color: (r: Row) => string;
  /** Rows in the background. */
  readonly quiet?: (r: Row) => boolean;
  /** Whether lines are power laws through all dots rather than means at each place. */
  readonly fits?: boolean;
}

export type ValueAxis = Plot.ScaleOptions & { readonly log: boolean };

/** A dot for each row, and a line through those of one kind. */
export function panel(
  {
    y: { log, ...y },
    height = 270,
    ...head
  }: Pick<Panel, 'title' | 'note'> & { y: ValueAxis; height?: number },
  all: readonly Row[],
  { x, lineOf, color, quiet = () => false, fits = false }: Drawing,
  width: number,
): Panel {
  const rows = all.filter((r) => !log || r.value > 0);
  const [loud, back] = [rows.filter((r) => !quiet(r)), rows.filter(quiet)];
  const { scale, mark, room } = drawAxis(x, width);
  const place = { x: x.name, y: 'value', z: lineOf };
  // Nothing lies between names: each has its own dash, and each seed only a dot.
  const means = (of: Row[], pen: Plot.LineYOptions): Plot.Markish => {
    const mean = Plot.groupX({ y: 'mean' }, { ...place, stroke: color, ...pen } as Plot.LineYOptions);
    return x.name === 'seed' ? null : x.kind === 'names' ? Plot.tickY(of, mean) : Plot.lineY(of, mean);
  };
  const marks = [
    mark,
    means(back, { strokeWidth: 1, strokeDasharray: '3 3', strokeOpacity: 0.7 }),
    Plot.dot(back, { ...place, fill: color, fillOpacity: 0.55, r: 1.6 }),
    fits
      ? Plot.linearRegressionY(loud, { ...place, stroke: color, fill: color })
      : means(loud, { strokeWidth: 1.6 }),
    loud.length > 400
      ? null
      : Plot.dot(loud, { ...place, fill: color, fillOpacity: 0.85, r: loud.length > 40 ? 1.8 : 3 }),
  ];
  const nothing = Plot.text(['not measured'], { frameAnchor: 'middle', fillOpacity: 0.6 });
  return chart({
    ...{ ...head, width, height: height + room, marginBottom: 40 + room, x: scale, y },
    marks: rows.length > 0 ? marks : [nothing],
  });
}

type Name = ShownName | 'validationAccuracy';
const facts = (name: Name) =>
  name === 'validationAccuracy' ? { label: 'validation accuracy', domain: [0, 1] as const } : shown(name);

export const labelOf = (name: Name): string => facts(name).label;

/** A scalar's vertical scale: its whole domain if the values fill a good part of it. */
export function valueAxis(name: Name, rows: readonly Row[]): ValueAxis {
  const { log = false, domain } = { log: false, ...facts(name) };
  const values = rows.map((r) => r.value);
  const { min, max } = spread(values);
  if (log && (max ?? 0) > 0) return { ...logAxis('', logDomain(values)), grid: true, log };
  const [low, high] = [min ?? 0, max ?? 0];
  const flat = high - low <= 1e-6 * Math.abs(high);
  const whole = domain && (flat || high - low > 0.4 * (domain[1] - domain[0]));
  const ends = whole ? domain : [low, flat ? low + (Math.abs(low) / 5 || 1) : high];
  return { ...axis(''), domain: ends, nice: true, inset: 5, ticks: 5, grid: true, log: false };
}
