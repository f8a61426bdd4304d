import { dot } from './vectors.ts';

/** Distance of each of the first `count` singular values to its nearest neighbor, over the first one. */
export const gapsOf = (found: readonly number[], count: number): number[] =>
  Array.from({ length: count }, (_, k) => {
    const beside = [found[k - 1], found[k + 1]].filter((s) => s !== undefined);
    return Math.min(1, ...beside.map((s) => Math.abs(s - found[k]!) / found[0]!));
  });

/**
 * Bounds on the errors of unit singular vectors, sines of angles: with residuals of ρ (over σ_1), (σ, u, v) is an exact triple of a
 * matrix at most √2·ρ away, and Wedin's theorem (BIT 1972) gives √2·ρ / (gap − √2·ρ). 1 where they are arbitrary.
 */
export const vectorErrors = (
  residual: readonly (number | null)[],
  gap: readonly (number | null)[],
): number[] =>
  gap.map((distance, k) => {
    const off = Math.SQRT2 * (residual[k] ?? 1);
    const rest = (distance ?? 0) - off;
    return rest > off ? off / rest : 1;
  });

/** What u·v may be off by where both are by `error`, each at right angles to itself. */
export const cosineError = (cosine: number, error: number): number =>
  Math.min(2, 2 * error * Math.sqrt(Math.max(0, 1 - cosine ** 2)) + 2 * error ** 2);

/**
 * What the diagonal share of A = U_jᵀ J_i V_j may be off by where the k-th vectors of block j are off by `errors[k]`: each moves A_kk
 * by so much of what stands beside it in its row and its column, and these movements, of unknown signs, add up as squares.
 */
export function diagonalShareError(a: Float64Array, size: number, errors: readonly number[]): number | null {
  const whole = dot(a, a);
  if (!(whole > 0)) return null;
  let squares = 0;
  for (let k = 0; k < size; k++) {
    const own = a[k * size + k]!;
    let [row, column] = [0, 0];
    for (let l = 0; l < size; l++) {
      if (l === k) continue;
      row += a[k * size + l]! ** 2;
      column += a[l * size + k]! ** 2;
    }
    const moved = errors[k]! * (Math.sqrt(row) + Math.sqrt(column)) + errors[k]! ** 2 * Math.abs(own);
    squares += (2 * Math.abs(own) * moved + moved ** 2) ** 2;
  }
  return Math.min(1, Math.sqrt(squares) / whole);
}
