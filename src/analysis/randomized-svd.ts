import {
  add,
  amax,
  broadcast,
  div,
  full,
  greater,
  iota,
  matmul,
  maximum,
  moveaxis,
  mul,
  neg,
  random,
  square,
  sub,
  sum,
  take,
  where,
} from '../autograd/functions.ts';
import { leftVectors, orthonormalize, rightSvd } from '../autograd/linalg.ts';
import type { Tensor } from '../autograd/tensor.ts';

/** A batch of linear maps, known by their action on r vectors each: both take and return […, r, d]. */
export interface LinearMap {
  /** J·v for each vector v. */
  apply(v: Tensor): Tensor;
  /** Jᵀ·u for each vector u. */
  applyTranspose(u: Tensor): Tensor;
}

/** Singular triples of a batch of maps; vectors are rows. */
export interface SingularTriples {
  /** Left vectors of the leading k, [… , k, d]. */
  readonly u: Tensor;
  /** All values that the sketch gives, [… , r], descending. */
  readonly s: Tensor;
  /** Right vectors of the leading k, [… , k, d]. */
  readonly v: Tensor;
  /** Orthonormal rows in whose span all r left vectors lie, [… , r, d]. */
  readonly basis: Tensor;
}

/** Size and accuracy of a randomized singular value decomposition. */
export interface SketchOptions {
  /** Columns of the sketch, r; at most the dimension. */
  readonly columns: number;
  readonly powerIterations: number;
  /** Spectral filters before the last power iteration, each of four products with JᵀJ. */
  readonly filters: number;
  /** Triples whose vectors are computed, k; at most `columns`. */
  readonly triples: number;
}

export const FILTER_DEGREE = 4;
/**
 * Ratio of the sketch's smallest ‖J x‖² to its largest above which a filter is Chebyshev's: there it
 * amplifies the largest by some 20,000, which float32 can hold.
 */
const FLAT_FROM = 0.25;
/** Power iterations instead of a filter on a steep spectrum; they leave noise below 0.02 of the largest. */
const STEEP_POWER = 2;
/** Stands in for 0 where J is zero. */
const SMALLEST = 1e-30;

/** Products with J and Jᵀ that a sketch takes, counted in vectors. */
export const productsOf = ({ columns, powerIterations, filters }: SketchOptions): number =>
  2 * columns * (powerIterations + filters * FILTER_DEGREE + 1);

/**
 * A batch of maps held as matrices: row j of `images [… , d, d]` is the image of the j-th unit vector.
 * @example matrixMap(array([1, 2, 3, 4], [2, 2])).apply(array([1, 0], [1, 2])) // [[1, 2]]
 */
export const matrixMap = (images: Tensor): LinearMap => ({
  apply: (v) => matmul(v, images),
  applyTranspose: (u) => matmul(u, images, { transposeB: true }),
});

/**
 * Randomized SVD of a batch of d×d maps (Li, Linderman, Szlam, Stanton, Kluger & Tygert, *Algorithm 971*,
 * ACM TOMS 2017): a Gaussian sketch of `columns` directions, power iterations, then the SVD of the map
 * between two orthonormal bases. A power iteration applies the map and its transpose to orthonormal
 * directions. The last one also orthonormalizes in between, so that singular values down to the rounding of
 * the largest keep their digits; those before do not, and leave noise below 3e-4 of the largest for the last
 * to clear. No product of the map with its transpose is ever formed. With `columns` = d it is a full SVD.
 * `batch` is the shape before vectors and dimension.
 * @example
 * const given = { columns: 2, powerIterations: 1, filters: 0, triples: 1, key: array([1, 2], [2], 'u32') };
 * randomizedSvd(matrixMap(array([0, 2, 1, 0], [2, 2])), [], 2, given).s; // [2, 1]
 */
export function randomizedSvd(
  map: LinearMap,
  batch: readonly number[],
  dim: number,
  { columns, powerIterations, filters, triples, key }: SketchOptions & { key: Tensor },
): SingularTriples {
  // One for all maps: deviates cost more than a product, and results must not depend on the grouping.
  const sketch = random(key, [...batch.map(() => 1), columns, dim], { distribution: 'normal' });
  let x: Tensor = broadcast(sketch, [...batch, columns, dim]);
  for (let i = 1; i < powerIterations; i++) x = orthonormalize(map.applyTranspose(map.apply(x)));
  for (let i = 0; i < filters; i++) x = orthonormalize(spectralFilter(map, x));
  if (powerIterations > 0) x = orthonormalize(map.applyTranspose(orthonormalize(map.apply(x))));
  const q = orthonormalize(map.apply(x));
  // J ≈ Q B with B = Qᵀ J, and Bᵀ = P Rᵀ: the small matrix C = B P has the singular values of Q B.
  const b = map.applyTranspose(q);
  const p = orthonormalize(b);
  // Rotate P's directions, not Q's: rows of Cᵀ, triangular but for rounding, are nearer to orthogonal.
  const c = matmul(p, b, { transposeB: true });
  const { s, v } = rightSvd(c);
  const left = leading(v, triples);
  const right = leftVectors(matmul(left, c, { transposeB: true }));
  return { u: matmul(left, q), s, v: matmul(right, p), basis: q };
}

/**
 * A polynomial of JᵀJ that lifts its leading directions above the rest, applied to orthonormal ones. Where
 * singular values are many and close, as in wide convolutions, it is Chebyshev's T_m with [0, b] mapped to
 * [−1, 1] (Zhou, Saad, Tiago & Chelikowsky, *Self-consistent-field calculations using Chebyshev-filtered
 * subspace iteration*, 2006): what lies above b, the minimum of ‖J x‖² over the directions, grows far faster
 * than in m power iterations. On a steep spectrum it would overflow, and two power iterations are enough.
 * Each problem of the batch takes its own: both are recurrences tₙ₊₁ = α·JᵀJ tₙ + β·tₙ + γ·tₙ₋₁.
 */
function spectralFilter(map: LinearMap, x: Tensor): Tensor {
  const images = map.apply(x);
  const energies = sum(square(images), -1);
  const largest = maximum(amax(energies, -2), SMALLEST);
  const b = maximum(neg(amax(neg(energies), -2)), SMALLEST);
  const flat = greater(b, mul(largest, FLAT_FROM));
  let before = x;
  let now = sub(
    mul(map.applyTranspose(images), where(flat, div(2, b), div(1, largest))),
    mul(x, where(flat, full(1, b.shape), 0)),
  );
  for (let n = 1; n < FILTER_DEGREE; n++) {
    const power = n < STEEP_POWER;
    const alpha = where(flat, div(4, b), power ? div(1, largest) : 0);
    const product = mul(map.applyTranspose(map.apply(now)), alpha);
    const rest = add(
      mul(now, where(flat, full(-2, b.shape), power ? 0 : 1)),
      mul(before, where(flat, full(-1, b.shape), 0)),
    );
    [before, now] = [now, add(product, rest)];
  }
  return now;
}

/** The first k rows of each matrix [… , r, d]. */
export const leading = (x: Tensor, k: number): Tensor =>
  k === x.shape.at(-2) ? x : moveaxis(take(moveaxis(x, -2, 0), iota([k])), 0, -2);
