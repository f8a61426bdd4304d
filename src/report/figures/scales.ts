import * as Plot from '@observablehq/plot';
import type { Scale } from '../../analysis/measures/figure.ts';
import { spreadOf } from '../../analysis/statistics.ts';
import { blockTicks, logDomain, logLabel, logTicks, valueInWords } from '../axes.ts';

export type Span = readonly [number, number];
export const margins = { marginTop: 8, marginLeft: 56, marginRight: 13, marginBottom: 40 };

/** Labels along the middle, without arrows. */
const named = (label: string): Plot.ScaleOptions => ({ label, labelAnchor: 'center', labelArrow: 'none' });

/** Where the scale of these values ends. */
export function spanOf({ domain, type, floor, zero, within }: Scale, values: readonly number[]): Span {
  if (domain) return domain;
  if (type === 'log') return logDomain(values, floor);
  const { min, max } = spreadOf(values);
  const [low, high] = [min ?? 0, max ?? 0];
  if (zero) return [1.1 * Math.min(0, low), 1.1 * Math.max(0, high) || 1];
  const flat = high - low <= 1e-6 * Math.abs(high);
  if (within && (flat || high - low > 0.4 * (within[1] - within[0]))) return within;
  return [low, flat ? low + (Math.abs(low) / 5 || 1) : high];
}

/** A scale in Plot's terms; without a span, values stand apart from its ends. */
export function scaleOf({ label, type, ...scale }: Scale, span?: Span): Plot.ScaleOptions {
  const { counted, names, ticks, domain, zero } = scale;
  if (names) return { type: 'band', domain: [...names], paddingInner: 0.64, paddingOuter: 0.32 };
  if (counted) {
    const [from, to] = counted;
    const [first, last, half] = from > to ? [to, from, -0.5] : [from, to, 0.5];
    const whole = [0, ...blockTicks(last)].filter((tick) => tick >= first);
    return { ...named(label), domain: [from - half, to + half], ticks: whole, tickFormat: String };
  }
  const ends = span
    ? { domain: [...span], ...(!domain && !zero && { nice: true, inset: 5 }) }
    : { inset: 16 };
  if (type !== 'log')
    return {
      ...named(label),
      type: type ?? 'linear',
      ...ends,
      ...(ticks ? { ticks: [...ticks], tickFormat: valueInWords } : { ticks: 5 }),
    };
  // As a linear one of logarithms: Plot's own leaves out labels such as 8.
  const places = ticks ?? logTicks(span!);
  return {
    ...named(label),
    transform: Math.log10,
    ...(span ? { domain: span.map(Math.log10) } : ends),
    ticks: places.map(Math.log10),
    tickFormat: (_: number, i: number) => logLabel(places[i]!),
  };
}

/** Pixels per letter of an axis, and its font's size. */
const [LETTER, FONT] = [6.6, 11.5];

/** An axis of names, in lines or tilted where single words are too long, and the room that it needs. */
export function nameAxis({ label, names: values }: Scale, width: number) {
  if (!values) return { mark: null, room: 0 };
  const names = values.map(valueInWords);
  const letters = Math.floor(width / Math.max(1, values.length) / LETTER);
  const steep = names.some((name) => name.split(' ').some((word) => word.length > letters));
  const longest = Math.max(1, ...names.map((name) => name.length));
  const mark = Plot.axisX({
    ...named(label),
    ticks: [...values],
    tickFormat: valueInWords,
    ...(steep ? { tickRotate: -45, lineWidth: 9 } : { lineWidth: (letters * LETTER) / FONT }),
  });
  const lines = Math.ceil(longest / letters);
  return { mark, room: steep ? 0.7 * LETTER * Math.min(14, longest) : 12 * (lines - 1) };
}

/** Both axes of a drawing: the tighter one sets the units per pixel; both are centered. */
export function equalScales(
  axes: readonly [Scale, Scale],
  values: readonly number[][],
  pixels: readonly [number, number],
) {
  const spans = values.map(spreadOf);
  const units = spans.map(({ min, max }, i) => (max! - min!) / pixels[i]!);
  const unit = 1.12 * Math.max(...units) || 1 / pixels[0];
  const [x, y] = axes.map(({ label }, i) => {
    const { min, max } = spans[i]!;
    const domain = [-1, 1].map((side) => ((min ?? 0) + (max ?? 0) + side * unit * pixels[i]!) / 2);
    return { ...named(label), domain, ticks: 5 };
  });
  return { x: x!, y: y! };
}
