/** Vectors of the measures, which the host takes in float64. */

export const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, x, i) => s + x * b[i]!, 0);

export const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

export const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x - b[i]!);

/** The centre of some points. */
export function centreOf(points: readonly Float64Array[]): Float64Array {
  return points[0]!.map((_, d) => points.reduce((s, p) => s + p[d]!, 0) / points.length);
}
