/** Mean, population standard deviation and extremes of what is defined; all null where nothing is. */
export interface Spread {
  readonly mean: number | null;
  readonly std: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export function spreadOf(values: Iterable<number | null | undefined>): Spread {
  const known = [...values].filter((x): x is number => x != null && Number.isFinite(x));
  if (known.length === 0) return { mean: null, std: null, min: null, max: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = Math.sqrt(known.reduce((s, x) => s + (x - mean) ** 2, 0) / known.length);
  return { mean, std, min: Math.min(...known), max: Math.max(...known) };
}

/** Mean of what is defined, null where nothing is. */
export const meanOf = (values: Iterable<number | null | undefined>): number | null => spreadOf(values).mean;

/** Coefficient of variation: population standard deviation over mean; null of fewer than two numbers, or where their mean is 0. */
export function variation(values: readonly number[]): number | null {
  const { mean, std } = spreadOf(values);
  return values.length < 2 || mean === 0 ? null : std! / mean!;
}
