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
export function moments(points: readonly (readonly [number, number])[]) {
  const mean = (axis: 0 | 1) => points.reduce((sum, p) => sum + p[axis], 0) / points.length;
  const [cx, cy] = [mean(0), mean(1)];
  const sum = (of: (x: number, y: number) => number) =>
    points.reduce((total, [x, y]) => total + of(x - cx, y - cy), 0);
  return { cx, cy, sxx: sum((x) => x * x), sxy: sum((x, y) => x * y), syy: sum((_, y) => y * y) };
}

/** Mean of what is defined, null where nothing is. */
export const meanOf = (values: Iterable<number | null | undefined>): number | null => spreadOf(values).mean;

/** Coefficient of variation: population standard deviation over mean; null of fewer than two numbers, or where their mean is 0. */
export function variation(values: readonly number[]): number | null {
  const { mean, std } = spreadOf(values);
  return values.length < 2 || mean === 0 ? null : std! / mean!;
}
