import { philoxUniform } from '../kernels/philox.ts';
import { range } from '../numbers.ts';

/** Mean, population standard deviation and extremes of what is defined; all null where nothing is. */
export interface Spread {
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

/** Of the values that are finite numbers. @example spreadOf([1, 3, null]).mean // 2 */
export function spreadOf(values: Iterable<number | null | undefined>): Spread {
  const known = [...values].filter((x): x is number => x != null && Number.isFinite(x));
  if (known.length === 0) return { mean: null, std: null, min: null, max: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = Math.sqrt(known.reduce((s, x) => s + (x - mean) ** 2, 0) / known.length);
  return { mean, std, min: Math.min(...known), max: Math.max(...known) };
}

/** Means of points, and sums of products of their deviations from these: what lines through them are made of. */
export function moments(points: Points) {
  const mean = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [cx, cy] = [mean(0), mean(1)];
  const sum = (of: (x: number, y: number) => number) =>
    points.reduce((total, [x, y]) => total + of(x - cx, y - cy), 0);
  return { cx, cy, sxx: sum((x) => x * x), sxy: sum((x, y) => x * y), syy: sum((_, y) => y * y) };
}

type Points = readonly (readonly [number, number])[];

/** Pearson's; null where there are fewer than three points, or one coordinate does not vary. */
export function correlation(points: Points): number | null {
  const { sxx, sxy, syy } = moments(points);
  const energy = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis] ** 2, 0);
  // Of a constant, rounding is left.
  const varies = sxx > 1e-24 * energy(0) && syy > 1e-24 * energy(1);
  return points.length >= 3 && varies ? sxy / Math.sqrt(sxx * syy) : null;
}

/** Spearman's: of ranks, where equal values share the mean of theirs. It is 1 of any that grow with each other. */
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
 * A 95% interval of the mean rank correlation over several seeds, by the bootstrap (percentiles): networks are drawn with replacement, the
 * same ones of all seeds. Null where seeds differ in their networks, or most draws have no correlation.
 */
export function rankInterval(seeds: readonly Points[]): [low: number, high: number] | null {
  const count = seeds[0]?.length ?? 0;
  if (count < 3 || seeds.some((points) => points.length !== count)) return null;
  const uniform = philoxUniform(RESAMPLES * count, [1, 0]);
  const means = range(RESAMPLES).flatMap((n) => {
    const drawn = range(count).map((i) => Math.floor(count * uniform[n * count + i]!));
    return meanOf(seeds.map((points) => rankCorrelation(drawn.map((i) => points[i]!)))) ?? [];
  });
  if (means.length < RESAMPLES / 2) return null;
  means.sort((a, b) => a - b);
  const at = (share: number) => means[Math.round(share * (means.length - 1))]!;
  return [at(0.025), at(0.975)];
}

/** Mean of what is defined, null where nothing is. */
export const meanOf = (values: Iterable<number | null | undefined>): number | null => spreadOf(values).mean;

/** Coefficient of variation: population standard deviation over mean; null of fewer than two numbers, or where their mean is 0. */
export function variation(values: readonly number[]): number | null {
  const { mean, std } = spreadOf(values);
  return values.length < 2 || mean === 0 ? null : std! / mean!;
}
