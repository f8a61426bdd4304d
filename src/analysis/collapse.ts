import type { Rows } from './alignment.ts';
import { variation } from './line.ts';
import type { Collapse } from './results.ts';
import { centreOf, dot, minus, norm, principalDirections } from './vectors.ts';

/** What the classifier reads of some images, and what it makes of them. */
export interface Features {
  /** [N, D]. */
  readonly features: Float32Array;
  readonly predicted: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/**
 * Neural collapse (Papyan, Han & Donoho, PNAS 2020). Every class that there are images of counts alike, however many
 * these are: μ_G is the mean of the class means, and Σ_W that of the classes' covariances. `weights` holds the
 * classifier's row of each class.
 */
export function neuralCollapse({ features, predicted, labels }: Features, weights: Rows): Collapse {
  const count = labels.length;
  const dim = weights[0]!.length;
  const { classes, sizes, means } = classMeans(features, labels, weights.length, dim);
  const centre = centreOf(means);
  const apart = means.map((m) => minus(m, centre));
  // Where all means are one to float32's rounding, what is left of them is noise.
  const centred =
    energyOf(apart) > ROUNDING ** 2 * energyOf(means) ? apart : apart.map((x) => x.map(() => 0));
  const between = principalDirections(centred);

  let within = 0;
  let elsewhere = 0;
  const x = new Float64Array(dim);
  for (let n = 0; n < count; n++) {
    const own = classes.indexOf(labels[n]!);
    const mean = means[own]!;
    for (let d = 0; d < dim; d++) x[d] = features[n * dim + d]! - mean[d]!;
    for (const { direction, energy } of between) within += dot(direction, x) ** 2 / energy / sizes[own]!;
    for (let d = 0; d < dim; d++) x[d]! += mean[d]!;
    if (classes[nearest(means, x)] !== predicted[n]) elsewhere++;
  }
  const rows = classes.map((c) => weights[c]!);
  return {
    examples: count,
    // Σ_B has energy / C along a direction, and Σ_W is a mean over C classes: these C cancel.
    nc1: between.length ? within / classes.length : null,
    nc2Norms: relativeSpread(centred),
    nc2Angles: farFromSimplex(centred),
    nc3: distanceOfDirections(rows, centred),
    nc4: between.length ? elsewhere / count : null,
    weightNorms: relativeSpread(rows),
    weightAngles: farFromSimplex(rows),
  };
}

const ROUNDING = 1e-7;

/** ‖·‖_F² of a matrix. */
const energyOf = (rows: Rows): number => rows.reduce((sum, x) => sum + dot(x, x), 0);

/** The classes that there are examples of, in order, with their sizes and the means of their features. */
function classMeans(features: Float32Array, labels: ArrayLike<number>, of: number, dim: number) {
  const sizes = new Array<number>(of).fill(0);
  const sums = sizes.map(() => new Float64Array(dim));
  for (let n = 0; n < labels.length; n++) {
    const sum = sums[labels[n]!]!;
    sizes[labels[n]!]!++;
    for (let d = 0; d < dim; d++) sum[d]! += features[n * dim + d]!;
  }
  const classes = [...sizes.keys()].filter((c) => sizes[c]! > 0);
  return {
    classes,
    sizes: classes.map((c) => sizes[c]!),
    means: classes.map((c) => sums[c]!.map((s) => s / sizes[c]!)),
  };
}

/** Number of the point nearest to x, the first of several. */
function nearest(points: Rows, x: Float64Array): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [i, p] of points.entries()) {
    let distance = 0;
    for (let d = 0; d < x.length; d++) distance += (x[d]! - p[d]!) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

/** Coefficient of variation of the norms of some vectors. */
function relativeSpread(vectors: Rows): number | null {
  const norms = vectors.map(norm);
  return norms.some((x) => x > 0) ? variation(norms) : null;
}

/** Mean over pairs of how far their cosine is from that of a simplex's corners, −1/(n − 1). */
function farFromSimplex(vectors: Rows): number | null {
  const norms = vectors.map(norm);
  if (vectors.length < 2 || norms.some((x) => !(x > 0))) return null;
  const wanted = -1 / (vectors.length - 1);
  let sum = 0;
  for (let a = 0; a < vectors.length; a++)
    for (let b = 0; b < a; b++)
      sum += Math.abs(dot(vectors[a]!, vectors[b]!) / (norms[a]! * norms[b]!) - wanted);
  return sum / ((vectors.length * (vectors.length - 1)) / 2);
}

/** Frobenius distance of two matrices, each scaled to norm 1. */
function distanceOfDirections(a: Rows, b: Rows): number | null {
  const [sizeA, sizeB] = [Math.sqrt(energyOf(a)), Math.sqrt(energyOf(b))];
  if (!(sizeA > 0 && sizeB > 0)) return null;
  return Math.sqrt(
    a.reduce((sum, row, c) => sum + row.reduce((s, x, d) => s + (x / sizeA - b[c]![d]! / sizeB) ** 2, 0), 0),
  );
}
