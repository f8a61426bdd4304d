/** A power law y = e^intercept · x^slope. */
export interface PowerFit {
  readonly slope: number;
  /** 95% confidence interval of the slope; null of fewer than three points. */
  readonly interval: readonly [number, number] | null;
  readonly intercept: number;
}

/** The least-squares line through the logarithms of positive points; null where they have fewer than two places on x. */
export function powerFit(points: readonly { x: number; y: number }[]): PowerFit | null {
  const logs = points
    .filter(({ x, y }) => x > 0 && y > 0)
    .map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const n = logs.length;
  const mean = (of: (p: { x: number; y: number }) => number) => logs.reduce((sum, p) => sum + of(p), 0) / n;
  const [mx, my] = [mean((p) => p.x), mean((p) => p.y)];
  const sxx = n * mean((p) => (p.x - mx) ** 2);
  if (n < 2 || !(sxx > 1e-12)) return null;
  const slope = (n * mean((p) => (p.x - mx) * (p.y - my))) / sxx;
  const intercept = my - slope * mx;
  if (n < 3) return { slope, intercept, interval: null };
  const variance = (n * mean((p) => (p.y - intercept - slope * p.x) ** 2)) / (n - 2);
  const reach = studentT(n - 2) * Math.sqrt(variance / sxx);
  return { slope, intercept, interval: [slope - reach, slope + reach] };
}

/** The 97.5% quantile of Student's t: tabulated where degrees of freedom are few, from there on its expansion about the normal's. */
export function studentT(degrees: number): number {
  const few = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216, 2.22814];
  if (degrees <= few.length) return few[degrees - 1]!;
  const z = 1.959964;
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}
