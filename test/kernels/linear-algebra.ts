import fc from 'fast-check';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';

/** Reproducible normal deviates. */
export function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

export const seeds = fc.integer({ min: 0, max: 2 ** 31 });

/** `rows` random orthonormal vectors of length n, in float64 (modified Gram-Schmidt, twice). */
export function orthonormal(rows: number, n: number, seed: number): Float64Array[] {
  const next = normals(seed);
  const q: Float64Array[] = [];
  for (let i = 0; i < rows; i++) {
    const v = Float64Array.from({ length: n }, next);
    for (let pass = 0; pass < 2; pass++) {
      for (const u of q) {
        const c = dot(u, v);
        for (let e = 0; e < n; e++) v[e]! -= c * u[e]!;
      }
    }
    const norm = Math.sqrt(dot(v, v));
    q.push(v.map((x) => x / norm));
  }
  return q;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Largest element of QQᵀ − 1 for the vectors of Q; NaN if any element is. */
export function unorthogonality(q: readonly ArrayLike<number>[]): number {
  let worst = 0;
  for (let i = 0; i < q.length; i++) {
    for (let j = 0; j <= i; j++) {
      const off = Math.abs(dot(q[i]!, q[j]!) - (i === j ? 1 : 0));
      if (!(off <= worst)) worst = off;
      if (Number.isNaN(off)) return off;
    }
  }
  return worst;
}

/** The same adapter as if it had no subgroup operations. */
export const withoutSubgroups = (traits: AdapterTraits): AdapterTraits => ({ ...traits, subgroupSize: 0 });

/** What is left of v, relative to its length, outside the span of orthonormal vectors. */
export function outside(v: ArrayLike<number>, span: readonly ArrayLike<number>[]): number {
  const scale = Math.max(...Array.from(v, Math.abs));
  const rest = Float64Array.from(v, (x) => x / scale);
  const length = Math.sqrt(dot(rest, rest));
  for (const u of span) {
    const c = dot(u, rest);
    rest.forEach((_, e) => {
      rest[e]! -= c * u[e]!;
    });
  }
  return Math.sqrt(dot(rest, rest)) / length;
}
