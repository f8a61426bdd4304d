import { orthonormalRows } from '../autograd/ops/linalg-reference.ts';
import type { InverseDepthFit } from './results.ts';
import { dot } from './vectors.ts';

/** Rows of a row-major matrix. */
export type Rows = readonly Float64Array[];

/** RA2: u_k · v_k for each triple. */
export function leftRight(u: Rows, v: Rows): number[] {
  return u.map((x, k) => dot(x, v[k]!));
}

/** RA2: ‖diag A‖² / ‖A‖_F² of a K×K matrix; null for a zero matrix. */
export function diagonalShare(a: Float64Array, size: number): number | null {
  const whole = dot(a, a);
  if (!(whole > 0)) return null;
  let diagonal = 0;
  for (let k = 0; k < size; k++) diagonal += a[k * size + k]! ** 2;
  return diagonal / whole;
}

/** RA2: ‖A − diag(s)‖_F / ‖s‖ (Aubry et al., *Transformer Block Coupling*, ICLR 2025); null if s is zero. */
export function coupling(a: Float64Array, s: Float64Array): number | null {
  const scale = dot(s, s);
  if (!(scale > 0)) return null;
  const size = s.length;
  const rest = a.reduce((sum, x, i) => sum + (x - (i % (size + 1) === 0 ? s[i % size]! : 0)) ** 2, 0);
  return Math.sqrt(rest / scale);
}

/**
 * RA2: how many singular directions blocks have in common, the mean over ordered pairs of blocks i ≠ j: the number of u_{j,k}
 * of which more lies in the span of block i's than half-way between what chance puts there, rank_i/d, and all.
 * `ranks` says how many directions each block has, 0 where it is dead, and `overlaps(i, j)` how much of each u_{j,k} lies in block
 * i's. Null where there is no pair of which chance would leave something out.
 */
export function alignedDimension(
  ranks: readonly number[],
  overlaps: (i: number, j: number) => Float32Array,
  dim: number,
): number | null {
  const counts = ranks.flatMap((own, i) =>
    ranks.flatMap((other, j) => {
      if (i === j || own === 0 || other === 0 || own === dim) return [];
      const least = (1 + own / dim) / 2;
      return [
        overlaps(i, j)
          .subarray(0, other)
          .filter((x) => x >= least).length,
      ];
    }),
  );
  return counts.length ? counts.reduce((a, b) => a + b, 0) / counts.length : null;
}

/** RA2: share of the K unit vectors of `u` that lies in the row space of a matrix: ‖P u‖² averaged over them. */
export function shareInside(u: Rows, rowSpace: Rows): number {
  return u.reduce((sum, x) => sum + rowSpace.reduce((s, q) => s + dot(q, x) ** 2, 0), 0) / u.length;
}

/** An orthonormal basis of the space spanned by the rows of a matrix, as far as they are independent. */
export function rowSpace(rows: Rows): Rows {
  const largest = Math.max(...rows.map((r) => Math.sqrt(dot(r, r))));
  const basis: Float64Array[] = [];
  for (const row of rows) {
    const rest = row.slice();
    for (let pass = 0; pass < 2; pass++)
      for (const q of basis) {
        const c = dot(q, rest);
        for (let d = 0; d < rest.length; d++) rest[d]! -= c * q[d]!;
      }
    if (Math.sqrt(dot(rest, rest)) > 1e-6 * largest) basis.push(orthonormalRows([rest])[0]!);
  }
  return basis;
}

/** RA4: the curve a/(i + b) through values at i = first, first+1, …, by least squares on 1/value. */
export function inverseDepthFit(values: readonly number[], first: number): InverseDepthFit | null {
  if (values.length < 3 || values.some((v) => !(v > 0))) return null;
  const n = values.length;
  const x = values.map((_, i) => first + i);
  const y = values.map((v) => 1 / v);
  const mean = (z: readonly number[]) => z.reduce((p, q) => p + q, 0) / n;
  const [mx, my] = [mean(x), mean(y)];
  const sxx = x.reduce((s, v) => s + (v - mx) ** 2, 0);
  const sxy = x.reduce((s, v, i) => s + (v - mx) * (y[i]! - my), 0);
  const syy = y.reduce((s, v) => s + (v - my) ** 2, 0);
  const slope = sxy / sxx;
  // Values that are all one leave nothing to explain; what is left of them is rounding.
  if (slope === 0 || !(syy > 1e-20 * n * my ** 2)) return null;
  return { a: 1 / slope, b: my / slope - mx, r2: (sxy * sxy) / (sxx * syy) };
}

/**
 * RA2: coordinates of a vector [… , features] of h-space along the directions that the classifier sees: under global
 * average pooling, feature c enters as the unit vector that is constant over positions and zero in other channels. Without
 * positions, the vector itself.
 */
export function pooled(x: Float64Array, features: number): Float64Array {
  const positions = x.length / features;
  if (positions === 1) return x;
  const sums = new Float64Array(features);
  x.forEach((value, i) => {
    sums[i % features]! += value;
  });
  return sums.map((s) => s / Math.sqrt(positions));
}
