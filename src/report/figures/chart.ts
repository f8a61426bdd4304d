import * as Plot from '@observablehq/plot';
import { type NetworkInfo, stagesOf } from '../../analysis/network-info.ts';
import { neutral } from '../colors.ts';
import { blockTicks, logLabel, logTicks } from '../numbers.ts';
import { type Panel, panelWidth, plot } from '../svg.ts';

/** Axis settings common to the figures: labels along the middle, no arrows, quiet grids. */
export const axis = (label: string): Plot.ScaleOptions => ({
  label,
  labelAnchor: 'center',
  labelArrow: 'none',
});

/** Labels and ticks along a network: of its blocks, from 1, or of a path's, from 0. */
export const counted = {
  block: { label: 'block i', from: 1, ticks: blockTicks },
  length: { label: 'blocks on the path', from: 0, ticks: (depth: number) => [0, ...blockTicks(depth)] },
};

export function countAxis(what: keyof typeof counted, depth: number): Plot.ScaleOptions {
  const { label, from, ticks } = counted[what];
  return { ...axis(label), domain: [from - 0.5, depth + 0.5], ticks: ticks(depth), tickFormat: String };
}

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

const margins = { marginTop: 8, marginLeft: 50, marginRight: 13, marginBottom: 40 };

type ChartOptions = Omit<Plot.PlotOptions, 'title'> & Pick<Panel, 'title' | 'note'>;

/** A panel with a plot in it: common size, margins and frame. */
export function chart({ title, note, marks = [], ...options }: ChartOptions): Panel {
  const size = { width: options.width ?? panelWidth, height: options.height ?? 270 };
  const frame = Plot.frame({ strokeOpacity: 0.25 });
  return { title, note, ...size, body: plot({ ...margins, ...options, ...size, marks: [frame, ...marks] }) };
}

export const inside = (width: number, height: number): [number, number] => [
  width - margins.marginLeft - margins.marginRight,
  height - margins.marginTop - margins.marginBottom,
];

/** Lines between the last block of each stage and the first of the next. */
export function stageBoundaries({ stages }: NetworkInfo): Plot.Markish {
  const ends = stagesOf(stages).slice(0, -1);
  return Plot.ruleX(ends, {
    x: ({ end }: { end: number }) => end + 0.5,
    stroke: neutral,
    strokeDasharray: '2 3',
  });
}
