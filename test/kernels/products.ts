import { expect } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import type { MatmulSpec } from '../../src/kernels/matmul.ts';
import { runKernel } from '../gpu/harness.ts';

export type Batch = MatmulSpec['batch'];

/** `form` says how A and B are stored: `n` as they are, `t` transposed. */
export function product(form: string, m: number, n: number, k: number, batch: Batch = []): MatmulSpec {
  return { m, n, k, transposeA: form[0] === 't', transposeB: form[1] === 't', batch };
}

/** Deterministic values in [-1, 1]. */
export function values(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i * i + 78.233 * i + seed));
}

export function operands(spec: MatmulSpec, fill = values): [a: Float32Array, b: Float32Array] {
  const span = (matrix: number, stride: 'strideA' | 'strideB') =>
    spec.batch.reduce((end, dim) => end + (dim.size - 1) * dim[stride], matrix);
  return [fill(span(spec.m * spec.k, 'strideA'), 1), fill(span(spec.k * spec.n, 'strideB'), 2)];
}

/** Largest |error| / Σ|a||b| over all elements of C, against float64; infinite where C is no number. */
export function worstError(spec: MatmulSpec, a: Float32Array, b: Float32Array, c: Float32Array): number {
  const { m, n, k, transposeA, transposeB, batch } = spec;
  const [am, ak] = transposeA ? [1, m] : [k, 1];
  const [bn, bk] = transposeB ? [k, 1] : [1, n];
  let worst = 0;
  for (let i = 0; i < c.length; i++) {
    let rest = Math.floor(i / (m * n));
    let ia = (Math.floor(i / n) % m) * am;
    let ib = (i % n) * bn;
    for (const { size, strideA, strideB } of [...batch].reverse()) {
      ia += (rest % size) * strideA;
      ib += (rest % size) * strideB;
      rest = Math.floor(rest / size);
    }
    let sum = 0;
    let scale = 0;
    for (let x = 0; x < k; x++) {
      const term = a[ia + x * ak]! * b[ib + x * bk]!;
      sum += term;
      scale += Math.abs(term);
    }
    const error = Math.abs(c[i]! - sum) / scale;
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return worst;
}

function outputSize({ m, n, batch }: MatmulSpec): number {
  return batch.reduce((size, dim) => size * dim.size, m * n);
}

/** Runs a kernel of the product, and asserts its error; returns C. */
export async function checkKernel(gpu: Gpu, spec: MatmulSpec, kernel: Kernel, limit = 5e-7, fill = values) {
  const [a, b] = operands(spec, fill);
  const [, , c] = await runKernel(gpu, kernel, [a, b, outputSize(spec)]);
  expect(c!.length).toBe(outputSize(spec));
  const what = `${kernel.name}, ${kernel.variant}, ${JSON.stringify(spec)}`;
  expect(worstError(spec, a, b, c!), what).toBeLessThan(limit);
  return c!;
}
