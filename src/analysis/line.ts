import { singularFactor } from '../autograd/ops/linalg-reference.ts';
import type { SampleMeasures } from './results.ts';
import { centreOf, dot, minus, norm } from './vectors.ts';

/** Measures of one path h_1 … h_{L+1} (RA1). */
export type LineMeasures = Pick<
  SampleMeasures,
  'line' | 'straightness' | 'lineShape' | 'stepNorms' | 'stepCv' | 'stepCosine' | 'trajectory'
>;

/** Coefficient of variation: population standard deviation over mean. */
export function variation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((s, x) => s + (x - mean) ** 2, 0) / values.length;
  return mean === 0 ? 0 : Math.sqrt(variance) / mean;
}

/**
 * Straightness and spacing of a path of L+1 points. The line-shape score is Gai & Zhang's (*A mathematical principle of
 * deep learning: learn the geodesic curve in the Wasserstein space*, 2021): the number of steps over the distance
 * covered when each step is scaled to length one.
 */
export function lineMeasures(path: readonly Float64Array[]): LineMeasures {
  const steps = path.slice(1).map((h, i) => minus(h, path[i]!));
  const stepNorms = steps.map(norm);
  const length = stepNorms.reduce((a, b) => a + b, 0);
  const { coordinates, share } = principal(path, path);
  const units = steps.filter((_, i) => stepNorms[i]! > 0).map((s) => s.map((x) => x / norm(s)));
  const covered = units.length ? norm(centreOf(units)) : 0;
  const cosines = steps
    .slice(1)
    .flatMap((s, i) =>
      stepNorms[i]! > 0 && stepNorms[i + 1]! > 0
        ? [dot(s, steps[i]!) / (stepNorms[i]! * stepNorms[i + 1]!)]
        : [],
    );
  return {
    line: share,
    straightness: length ? norm(minus(path.at(-1)!, path[0]!)) / length : 1,
    lineShape: covered ? 1 / covered : 1,
    stepNorms,
    stepCv: variation(stepNorms),
    stepCosine: cosines.length ? cosines.reduce((a, b) => a + b, 0) / cosines.length : null,
    trajectory: coordinates,
  };
}

/**
 * Coordinates of `points` along the first two principal directions of `base`, about the mean of `base`, and the share
 * of the variance of `base` along the first. Directions are oriented so that the last point lies on their positive side.
 */
export function principal(
  base: readonly Float64Array[],
  points: readonly Float64Array[],
): { coordinates: [number, number][]; share: number } {
  const center = centreOf(base);
  const centered = base.map((p) => minus(p, center));
  const n = base.length;
  const gram = Float64Array.from({ length: n * n }, (_, i) =>
    dot(centered[Math.floor(i / n)]!, centered[i % n]!),
  );
  const lambda = singularFactor(gram, n, 's');
  const vectors = singularFactor(gram, n, 'v');
  const total = lambda.reduce((a, b) => a + b, 0);
  const last = minus(points.at(-1)!, center);
  const directions = [0, 1].map((k) => {
    const direction = new Float64Array(center.length);
    if (k >= n || !(lambda[k]! > 1e-14 * total)) return direction;
    centered.forEach((p, i) => {
      const weight = vectors[k * n + i]! / Math.sqrt(lambda[k]!);
      for (let d = 0; d < direction.length; d++) direction[d]! += weight * p[d]!;
    });
    return dot(direction, last) < 0 ? direction.map((x) => -x) : direction;
  });
  return {
    coordinates: points.map((p) => {
      const offset = minus(p, center);
      return [dot(offset, directions[0]!), dot(offset, directions[1]!)];
    }),
    // A path that does not move at all lies on any line.
    share: total > 0 ? lambda[0]! / total : 1,
  };
}
