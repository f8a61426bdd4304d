import { singularFactor } from '../autograd/ops/linalg-reference.ts';

/** Vectors of the measures, which the host takes in float64; rows of a row-major matrix. */
export type Rows = readonly Float64Array[];

/** In float64. */
export function dot(a: Float64Array | Float32Array, b: Float64Array | Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));

export const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x - b[i]!);

/** The center of some points. */
export function centerOf(points: Rows): Float64Array {
  return points[0]!.map((_, d) => points.reduce((s, p) => s + p[d]!, 0) / points.length);
}

/** Below this share of the largest, a principal direction is only float32's rounding of the points. */
const NOTHING = 1e-12;

/**
 * Leading principal directions of centered points, unit vectors by descending energy, as far as there is
 * any. Found from inner products of points, which are fewer than coordinates.
 */
export function principalDirections(
  centered: Rows,
  maximum = centered.length,
): { readonly direction: Float64Array; readonly energy: number }[] {
  const n = centered.length;
  const gram = Float64Array.from({ length: n * n }, (_, i) =>
    dot(centered[Math.floor(i / n)]!, centered[i % n]!),
  );
  const energies = singularFactor(gram, n, 's');
  const vectors = singularFactor(gram, n, 'v');
  return centered.slice(0, maximum).flatMap((first, k) => {
    const energy = energies[k]!;
    if (!(energy > NOTHING * energies[0]!)) return [];
    const direction = new Float64Array(first.length);
    centered.forEach((p, i) => {
      const weight = vectors[k * n + i]! / Math.sqrt(energy);
      for (let d = 0; d < direction.length; d++) direction[d]! += weight * p[d]!;
    });
    return [{ direction, energy }];
  });
}

/** The plane through the mean of some points along their first two principal directions. */
export interface Plane {
  readonly center: Float64Array;
  /** Unit vectors with the last point on their positive side; zero where the points span less. */
  readonly directions: readonly [Float64Array, Float64Array];
  /** Share of the points' variance along the first direction; null if the points coincide. */
  readonly share: number | null;
}

export function principalPlane(points: Rows): Plane {
  const center = centerOf(points);
  const centered = points.map((p) => minus(p, center));
  const found = principalDirections(centered, 2);
  const total = centered.reduce((sum, p) => sum + dot(p, p), 0);
  const direction = (k: number) => {
    const { direction: own = new Float64Array(center.length) } = found[k] ?? {};
    return dot(own, centered.at(-1)!) < 0 ? own.map((x) => -x) : own;
  };
  const share = found[0] ? found[0].energy / total : null;
  return { center, directions: [direction(0), direction(1)], share };
}

/** Coordinates of points along the directions of a plane. */
export function onPlane({ center, directions: [first, second] }: Plane, points: Rows): [number, number][] {
  return points.map((p) => {
    const offset = minus(p, center);
    return [dot(offset, first), dot(offset, second)];
  });
}
