import * as Plot from '@observablehq/plot';
import { blockTicks, logLabel, logTicks } from '../numbers.ts';

/** Axis settings common to the figures: labels along the middle, no arrows, quiet grids. */
export const axis = (label: string): Plot.ScaleOptions => ({
  label,
  labelAnchor: 'center',
  labelArrow: 'none',
});

export const blockAxis = (depth: number): Plot.ScaleOptions => ({
  ...axis('block i'),
  domain: [0.6, depth + 0.4],
  ticks: blockTicks(depth),
  tickFormat: String,
});

/** A logarithmic axis, as a linear one of logarithms: Plot's own leaves out labels such as 8. */
export const logAxis = (
  label: string,
  domain: [number, number],
  ticks = logTicks(domain),
): Plot.ScaleOptions => ({
  ...axis(label),
  transform: Math.log10,
  domain: domain.map(Math.log10),
  ticks: ticks.map(Math.log10),
  tickFormat: (_: number, i: number) => logLabel(ticks[i]!),
});

export const margins = { marginTop: 8, marginLeft: 50, marginRight: 13, marginBottom: 40 };

export const frame = () => Plot.frame({ strokeOpacity: 0.25 });

/** A line through means with a band between `low` and `high`; one point alone gets a bar. */
export function meanWithBand(
  rows: { x: number; mean: number; low: number; high: number }[],
  stroke: string,
): Plot.Markish[] {
  const between = { x: 'x', y1: 'low', y2: 'high' };
  return [
    rows.length > 1
      ? Plot.areaY(rows, { ...between, fill: stroke, fillOpacity: 0.22 })
      : Plot.ruleX(rows, { ...between, stroke, strokeOpacity: 0.4, strokeWidth: 6 }),
    Plot.line(rows, { x: 'x', y: 'mean', stroke, strokeWidth: 1.75 }),
    Plot.dot(rows, { x: 'x', y: 'mean', fill: stroke, r: rows.length > 40 ? 1.5 : 2.75 }),
  ];
}
