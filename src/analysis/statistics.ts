import { philoxUniform } from '../kernels/philox.ts';
import { range } from '../lists.ts';

/** Mean, population standard deviation and extremes of the defined values; all null if there are none. */
export interface Spread {
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

/** Of the finite values. @example spreadOf([1, 3, null]).mean // 2 */
export function spreadOf(values: Iterable<number | null | undefined>): Spread {
  const known = [...values].filter((x): x is number => x != null && Number.isFinite(x));
  if (known.length === 0) return { mean: null, std: null, min: null, max: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = Math.sqrt(known.reduce((s, x) => s + (x - mean) ** 2, 0) / known.length);
  return { mean, std, min: Math.min(...known), max: Math.max(...known) };
}

/** Means of points and sums of products of their deviations: what lines through them are made of. */
export function moments(points: Points) {
  const mean = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [cx, cy] = [mean(0), mean(1)];
  const sum = (of: (x: number, y: number) => number) =>
    points.reduce((total, [x, y]) => total + of(x - cx, y - cy), 0);
  return { cx, cy, sxx: sum((x) => x * x), sxy: sum((x, y) => x * y), syy: sum((_, y) => y * y) };
}

type Points = readonly (readonly [number, number])[];

/** Pearson's; null for fewer than three points, or if a coordinate does not vary. */
export function correlation(points: Points): number | null {
  const { sxx, sxy, syy } = moments(points);
  const energy = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis] ** 2, 0);
  // A constant leaves only rounding.
  const varies = sxx > 1e-24 * energy(0) && syy > 1e-24 * energy(1);
  return points.length >= 3 && varies ? sxy / Math.sqrt(sxx * syy) : null;
}

/** Spearman's: of ranks, where equal values share their mean rank. 1 if both coordinates grow together. */
export function rankCorrelation(points: Points): number | null {
  const ranks = ([0, 1] as const).map((axis) => {
    const all = points.map((p) => p[axis]);
    return all.map((x) => all.filter((y) => y < x).length + all.filter((y) => y === x).length / 2);
  });
  return correlation(points.map((_, i) => [ranks[0]![i]!, ranks[1]![i]!]));
}

/** Resamples of the bootstrap. */
const RESAMPLES = 2000;

/**
 * 95% interval of the mean rank correlation over seeds: percentiles over resamples of networks, shared by
 * seeds. Null below three networks, if seeds differ in their number, or if most have no correlation.
 */
export function rankInterval(seeds: readonly Points[]): [low: number, high: number] | null {
  const count = seeds[0]?.length ?? 0;
  if (count < 3 || seeds.some((points) => points.length !== count)) return null;
  const uniform = philoxUniform(RESAMPLES * count, [1, 0], 0);
  const means = range(RESAMPLES).flatMap((n) => {
    const drawn = range(count).map((i) => Math.floor(count * uniform[n * count + i]!));
    return meanOf(seeds.map((points) => rankCorrelation(drawn.map((i) => points[i]!)))) ?? [];
  });
  if (means.length < RESAMPLES / 2) return null;
  means.sort((a, b) => a - b);
  const at = (share: number) => means[Math.round(share * (means.length - 1))]!;
  return [at(0.025), at(0.975)];
}

/** Mean of the defined values; null if there are none. */
export const meanOf = (values: Iterable<number | null | undefined>): number | null => spreadOf(values).mean;

/** Population standard deviation over mean; null for fewer than two numbers, or if their mean is 0. */
export function variation(values: readonly number[]): number | null {
  const { mean, std } = spreadOf(values);
  return values.length < 2 || mean === 0 ? null : std! / mean!;
}
