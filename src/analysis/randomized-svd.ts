import {
  directionsLast,
  leftVectors,
  matmul,
  orthonormalize,
  random,
  rightSvd,
} from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';

/** A batch of linear maps that is seen only through its action: both functions take and give [r, …, d]. */
export interface LinearMap {
  apply(v: Tensor): Tensor;
  applyTranspose(u: Tensor): Tensor;
}

/** Leading singular triples of a batch of maps; vectors are rows. */
export interface SingularTriples {
  /** [… , r, d]. */
  readonly u: Tensor;
  /** [… , r], descending. */
  readonly s: Tensor;
  /** [… , r, d]. */
  readonly v: Tensor;
}

/**
 * Randomized SVD of a batch of d×d maps (Li, Linderman, Szlam, Stanton, Kluger & Tygert, *Algorithm 971*, ACM TOMS
 * 2017): a Gaussian sketch of `columns` directions, power iterations, then the SVD of the map between two orthonormal
 * bases. A power iteration applies the map and its transpose to orthonormal directions. Between the two, the last one
 * orthonormalizes too, so that singular values down to the rounding of the largest keep their digits; those before do
 * not, and leave noise in the place of what lies below 3e-4 of the largest, for the last to work on. No product of the
 * map with its transpose is ever formed. With `columns` = d it is a full SVD.
 * `batch` is the shape between directions and dimension.
 */
export function randomizedSvd(
  map: LinearMap,
  batch: readonly number[],
  dim: number,
  options: { columns: number; powerIterations: number; key: Tensor },
): SingularTriples {
  const sketch = random(options.key, [options.columns, ...batch, dim], { distribution: 'normal' });
  let x = sketch;
  for (let i = 1; i < options.powerIterations; i++) x = orthonormalize(map.applyTranspose(map.apply(x)));
  if (options.powerIterations > 0) x = orthonormalize(map.applyTranspose(orthonormalize(map.apply(x))));
  const q = orthonormalize(map.apply(x));
  // J ≈ Q B with B = Qᵀ J, and Bᵀ = P Rᵀ: the small matrix C = B P has the singular values of Q B.
  const b = map.applyTranspose(q);
  const p = orthonormalize(b);
  const [rowsQ, rowsB, rowsP] = [q, b, p].map((x) => directionsLast(x)) as [Tensor, Tensor, Tensor];
  // Rotations of P's directions, not Q's: rows of Cᵀ, an upper triangle but for rounding, are nearer to orthogonal.
  const c = matmul(rowsP, rowsB, { transposeB: true });
  const { s, v: left } = rightSvd(c);
  const right = leftVectors(matmul(left, c, { transposeB: true }));
  return { u: matmul(left, rowsQ), s, v: matmul(right, rowsP) };
}
