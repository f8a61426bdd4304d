import { orthonormalize, svd } from '../../src/autograd/linalg.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { type Case, runCases } from '../cases.ts';
import { noise, spreadOver } from '../inputs.ts';
import type { Check } from '../result.ts';
import type { Suite } from '../suite.ts';

/** QR of sets of vectors and SVD of a sketch's square matrices, as in the analysis. */
export const linalgSuite: Suite = {
  name: 'linalg',
  summary: 'batches of QR and SVD',
  threads: 'all',
  // The analysis of mnist-fc: 8 blocks at 16 samples, width 128, a sketch of 64 columns.
  sizes: { notation: 'PROBLEMSxDIMxVECTORS', defaults: ['128x128x64', '16x64x32', '33x100x29'] },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap(([problems, dim, vectors]) => [
        qrCase(problems!, dim!, vectors!),
        svdCase(problems!, vectors!),
      ]),
    ),
};

function qrCase(problems: number, dim: number, vectors: number): Case {
  return {
    name: 'QR',
    size: `${problems}x${dim}x${vectors}`,
    f: (y: Tensor) => orthonormalize(y),
    shapes: [[problems, vectors, dim]],
    inputs: () => [noise(vectors * problems * dim)],
    check: ([q], [y]) => {
      const errors = spreadOver(problems, 3).map((p) => {
        const of = (x: Float32Array) =>
          Array.from({ length: vectors }, (_, k) => x.subarray((p * vectors + k) * dim).subarray(0, dim));
        const [basis, given] = [of(q!), of(y!)];
        return Math.max(distanceFromOrthonormal(basis), ...given.map((v) => outside(v, basis)));
      });
      return { relativeTo: '1', error: Math.max(...errors), tolerance: 2e-5 };
    },
  };
}

function svdCase(problems: number, size: number): Case {
  return {
    name: 'SVD',
    size: `${problems}x${size}x${size}`,
    f: (a: Tensor) => svd(a),
    shapes: [[problems, size, size]],
    inputs: () => [noise(problems * size * size)],
    check: ([u, s, v], [a]) => checkSvd({ u: u!, s: s!, v: v!, a: a! }, problems, size),
  };
}

function checkSvd(
  { u, s, v, a }: Record<'u' | 's' | 'v' | 'a', Float32Array>,
  problems: number,
  n: number,
): Check {
  const errors = spreadOver(problems, 3).map((p) => {
    const rows = (x: Float32Array) =>
      Array.from({ length: n }, (_, k) => x.subarray((p * n + k) * n).subarray(0, n));
    const [left, right, matrix] = [rows(u), rows(v), rows(a)];
    const sigma = s.subarray(p * n, (p + 1) * n);
    let worst = Math.max(distanceFromOrthonormal(left), distanceFromOrthonormal(right));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let value = 0;
        for (let k = 0; k < n; k++) value += left[k]![i]! * sigma[k]! * right[k]![j]!;
        worst = Math.max(worst, Math.abs(value - matrix[i]![j]!) / sigma[0]!);
      }
    }
    return worst;
  });
  return { relativeTo: 'σ₁', error: Math.max(...errors), tolerance: 2e-5 };
}

const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

/** max |QQᵀ − 1|. */
const distanceFromOrthonormal = (q: Float32Array[]): number =>
  Math.max(...q.flatMap((x, i) => q.slice(i).map((y, j) => Math.abs(dot(x, y) - (j === 0 ? 1 : 0)))));

/** Length of the part of `v` that `basis` does not span, over that of `v`. */
function outside(v: Float32Array, basis: Float32Array[]): number {
  const rest = Float64Array.from(v);
  for (const q of basis) {
    const part = dot(q, v);
    q.forEach((x, i) => {
      rest[i]! -= part * x;
    });
  }
  return Math.hypot(...rest) / Math.hypot(...v);
}
