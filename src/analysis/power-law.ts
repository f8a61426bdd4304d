import { moments } from './statistics.ts';

/** A straight line through logarithms: y ≈ e^intercept · x^slope. */
export interface PowerLaw {
  readonly slope: number;
  readonly intercept: number;
  /** 95% interval of the slope by Student's t, with n − 2 degrees of freedom; null for two points. */
  readonly interval: readonly [number, number] | null;
}

/**
 * Least squares of log y on log x; null if fewer than two x differ or a coordinate is not in (0, ∞).
 * @example fitPowerLaw([[1, 8], [2, 4], [4, 2]])!.slope // -1
 */
export function fitPowerLaw(points: readonly (readonly [number, number])[]): PowerLaw | null {
  if (points.some(([x, y]) => !(x > 0 && y > 0 && Number.isFinite(x) && Number.isFinite(y)))) return null;
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const n = logs.length;
  const { cx, cy, sxx, sxy } = moments(logs);
  if (!(sxx > 1e-12)) return null;
  const slope = sxy / sxx;
  const intercept = cy - slope * cx;
  if (n < 3) return { slope, intercept, interval: null };
  const residual = logs.reduce((s, [x, y]) => s + (y - intercept - slope * x) ** 2, 0);
  const half = studentQuantile(n - 2) * Math.sqrt(residual / (n - 2) / sxx);
  return { slope, intercept, interval: [slope - half, slope + half] };
}

/** The normal distribution's 97.5% quantile. */
const Z = 1.959963984540054;

/**
 * Student's 97.5% quantile: exact for one and two degrees of freedom, otherwise Fisher and Cornish's
 * expansion (Technometrics 1960), accurate to 0.2% from three on.
 */
export function studentQuantile(degrees: number): number {
  if (degrees === 1) return Math.tan(Math.PI * 0.475);
  if (degrees === 2) return 0.95 * Math.sqrt(2 / (1 - 0.95 ** 2));
  const polynomials = [
    [Z ** 3 + Z, 4],
    [5 * Z ** 5 + 16 * Z ** 3 + 3 * Z, 96],
    [3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z, 384],
    [79 * Z ** 9 + 776 * Z ** 7 + 1482 * Z ** 5 - 1920 * Z ** 3 - 945 * Z, 92_160],
  ] as const;
  return polynomials.reduce((sum, [value, over], i) => sum + value / (over * degrees ** (i + 1)), Z);
}
