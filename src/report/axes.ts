import { range } from '../lists.ts';
import { defined, format } from '../number-format.ts';

/** Ticks 1, 2, 3 … where there is room, else 1 and the multiples of a round step. */
export function blockTicks(depth: number): number[] {
  if (depth <= 12) return range(depth, 1);
  const step = [2, 5, 10, 20, 50, 100].find((s) => depth / s <= 8) ?? Math.ceil(depth / 8);
  return [1, ...range(Math.floor(depth / step), 1).map((i) => i * step)];
}

/** Any span of {@link logDomain} has two of these. */
const FINE = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];

/** Ticks of a logarithmic axis: 1–2–5 over a short span, powers of ten over a long one, two at least. */
export function logTicks([low, high]: readonly [number, number]): number[] {
  const first = Math.floor(Math.log10(low));
  const decades = range(Math.floor(Math.log10(high)) - first + 1, first);
  const every = Math.ceil(decades.length / 8);
  const within = (some: readonly number[]) =>
    decades
      .flatMap((e) => (e % every === 0 ? some.map((m) => Number(`${m}e${e}`)) : []))
      .filter((t) => t >= low && t <= high);
  const usual = within(decades.length <= 2 ? [1, 2, 5] : decades.length <= 3 ? [1, 3] : [1]);
  return usual.length > 1 ? usual : within(FINE);
}

/** A place on an axis. */
export const valueInWords = (value: number | string): string =>
  typeof value === 'string'
    ? value
    : Number.isInteger(value) || Math.abs(value) >= 1e-3
      ? String(+value.toPrecision(4))
      : format(value);

/** 0.02, 30, 10⁻⁴. */
export function logLabel(x: number): string {
  const exponent = Math.round(Math.log10(x));
  if (Math.abs(exponent) < 4 || Math.abs(Math.log10(x) - exponent) > 1e-9) return String(x);
  return `10${[...String(exponent)].map((c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]).join('')}`;
}

/** The span of positive numbers, widened a little; values below `floor` times the largest do not count. */
export function logDomain(values: readonly (number | null)[], floor = 1e-7): [number, number] {
  const positive = values.filter((v): v is number => defined(v) && v > 0);
  if (positive.length === 0) return [0.1, 1];
  const high = Math.max(...positive);
  const low = Math.min(...positive.filter((v) => v >= floor * high));
  return [low / 1.3, high * 1.3];
}
