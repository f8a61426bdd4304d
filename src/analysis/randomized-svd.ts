import {
  directionsFirst,
  directionsLast,
  iota,
  leftVectors,
  matmul,
  orthonormalize,
  random,
  rightSvd,
  take,
} from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';

/** A batch of linear maps, seen through its action on r vectors of each: both functions take and give […, r, d]. */
export interface LinearMap {
  apply(v: Tensor): Tensor;
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
}

export interface SketchOptions {
  /** Directions of the sketch, r; at most the dimension. */
  readonly columns: number;
  readonly powerIterations: number;
  /** Triples whose vectors are wanted, k; at most `columns`. */
  readonly triples: number;
}

/** A batch of maps held as matrices: row j of `images [… , d, d]` is the image of the j-th unit vector. */
export const matrixMap = (images: Tensor): LinearMap => ({
  apply: (v) => matmul(v, images),
  applyTranspose: (u) => matmul(u, images, { transposeB: true }),
});

/**
 * Randomized SVD of a batch of d×d maps (Li, Linderman, Szlam, Stanton, Kluger & Tygert, *Algorithm 971*, ACM TOMS
 * 2017): a Gaussian sketch of `columns` directions, power iterations, then the SVD of the map between two orthonormal
 * bases. A power iteration applies the map and its transpose to orthonormal directions. Between the two, the last one
 * orthonormalizes too, so that singular values down to the rounding of the largest keep their digits; those before do
 * not, and leave noise in the place of what lies below 3e-4 of the largest, for the last to work on. No product of the
 * map with its transpose is ever formed. With `columns` = d it is a full SVD.
 * `batch` is the shape before vectors and dimension.
 */
export function randomizedSvd(
  map: LinearMap,
  batch: readonly number[],
  dim: number,
  { columns, powerIterations, triples, key }: SketchOptions & { key: Tensor },
): SingularTriples {
  const sketch = random(key, [...batch, columns, dim], { distribution: 'normal' });
  let x = sketch;
  for (let i = 1; i < powerIterations; i++) x = orthonormalize(map.applyTranspose(map.apply(x)));
  if (powerIterations > 0) x = orthonormalize(map.applyTranspose(orthonormalize(map.apply(x))));
  const q = orthonormalize(map.apply(x));
  // J ≈ Q B with B = Qᵀ J, and Bᵀ = P Rᵀ: the small matrix C = B P has the singular values of Q B.
  const b = map.applyTranspose(q);
  const p = orthonormalize(b);
  // Rotations of P's directions, not Q's: rows of Cᵀ, an upper triangle but for rounding, are nearer to orthogonal.
  const c = matmul(p, b, { transposeB: true });
  const { s, v } = rightSvd(c);
  const left = leading(v, triples);
  const right = leftVectors(matmul(left, c, { transposeB: true }));
  return { u: matmul(left, q), s, v: matmul(right, p) };
}

/** The first k rows of each matrix [… , r, d]. */
const leading = (x: Tensor, k: number): Tensor =>
  k === x.shape.at(-2) ? x : directionsLast(take(directionsFirst(x), iota([k])));
