import type { LineMeasures } from './results.ts';
import { centreOf, dot, minus, norm, principalDirections } from './vectors.ts';

/** Coefficient of variation: population standard deviation over mean; null of fewer than two numbers, or where their mean is 0. */
export function variation(values: readonly number[]): number | null {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((s, x) => s + (x - mean) ** 2, 0) / values.length;
  return values.length < 2 || mean === 0 ? null : Math.sqrt(variance) / mean;
}

/** Below this share of the points' own energy, what tells them apart is float32's rounding. */
const ROUNDING = 1e-14;

/**
 * Straightness and spacing of a path of L+1 points. The line-shape score is Gai & Zhang's (*A mathematical principle of
 * deep learning: learn the geodesic curve in the Wasserstein space*, 2021): the number of steps over the distance
 * covered when each step is scaled to length one. Of a path that does not move all is undefined, and null; so is the share on a line of
 * two points, which always lie on one.
 */
export function lineMeasures(path: readonly Float64Array[]): LineMeasures & {
  stepNorms: number[];
  /** The points on their first two principal directions. */
  trajectory: [number, number][];
} {
  const steps = path.slice(1).map((h, i) => minus(h, path[i]!));
  const stepNorms = steps.map(norm);
  const length = stepNorms.reduce((a, b) => a + b, 0);
  const plane = principalPlane(path);
  const units = steps.filter((_, i) => stepNorms[i]! > 0).map((s) => s.map((x) => x / norm(s)));
  const energy = path.reduce((sum, h) => sum + dot(h, h), 0);
  const still = !(stepNorms.reduce((sum, x) => sum + x * x, 0) > ROUNDING * energy);
  const covered = still ? 0 : norm(centreOf(units));
  const cosines = steps
    .slice(1)
    .flatMap((s, i) =>
      stepNorms[i]! > 0 && stepNorms[i + 1]! > 0
        ? [dot(s, steps[i]!) / (stepNorms[i]! * stepNorms[i + 1]!)]
        : [],
    );
  return {
    line: still || path.length < 3 ? null : plane.share,
    straightness: still ? null : norm(minus(path.at(-1)!, path[0]!)) / length,
    lineShape: covered > 0 ? 1 / covered : null,
    stepNorms,
    stepCv: still ? null : variation(stepNorms),
    stepCosine: !still && cosines.length ? cosines.reduce((a, b) => a + b, 0) / cosines.length : null,
    trajectory: onPlane(plane, path),
  };
}

/** The plane through the mean of some points along their first two principal directions. */
export interface Plane {
  readonly center: Float64Array;
  /** Unit vectors with the last point on their positive side; zero where the points span less. */
  readonly directions: readonly [Float64Array, Float64Array];
  /** Share of the points' variance along the first direction; null of points that are all one. */
  readonly share: number | null;
}

export function principalPlane(points: readonly Float64Array[]): Plane {
  const center = centreOf(points);
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
export function onPlane(
  { center, directions: [first, second] }: Plane,
  points: readonly Float64Array[],
): [number, number][] {
  return points.map((p) => {
    const offset = minus(p, center);
    return [dot(offset, first), dot(offset, second)];
  });
}
