import { expect, it } from 'vitest';
import { matrixMap, randomizedSvd } from '../../src/analysis/randomized-svd.ts';
import type { HostArray } from '../../src/autograd/array.ts';
import { matmul, mul } from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { withGpu } from '../gpu/harness.ts';
import { dot, orthonormal, unorthogonality } from '../kernels/linear-algebra.ts';

const BATCH = 2;
const RANK = 60;
const TRIPLES = 10;

/** Ten values that fall to a hundredth, then what noise would leave: many more, nearly as large as one another. */
const sigma = Array.from({ length: RANK }, (_, k) =>
  k < TRIPLES ? 10 ** (-0.2 * k) : 4e-3 * 0.98 ** (k - TRIPLES),
);

/** Float64 singular vectors of each map of a batch. */
const factors = (d: number) =>
  Array.from({ length: BATCH }, (_, b) => ({
    u: orthonormal(RANK, d, 10 + b),
    v: orthonormal(RANK, d, 20 + b),
  }));

const flat = (rows: readonly ArrayLike<number>[]) =>
  Float32Array.from(rows.flatMap((row) => Array.from(row)));

it.each([
  ['a map of long vectors', 784, 4, false],
  ['matrices', 96, 3, true],
])('finds the leading triples of %s', async (_, d, powerIterations, asMatrix) => {
  const known = factors(d);
  await withGpu(async (gpu) => {
    const options = { columns: 24, powerIterations, filters: asMatrix ? 1 : 0, triples: TRIPLES };
    const f = (u: Tensor, s: Tensor, v: Tensor, key: Tensor) => {
      const through = (x: Tensor, from: Tensor, to: Tensor) =>
        matmul(mul(matmul(x, from, { transposeB: true }), s), to);
      const map = asMatrix
        ? matrixMap(matmul(mul(v, s), u, { transposeA: true }))
        : { apply: (x: Tensor) => through(x, v, u), applyTranspose: (x: Tensor) => through(x, u, v) };
      return randomizedSvd(map, [BATCH], d, { ...options, key });
    };
    const vectors = [BATCH, RANK, d];
    const scale = asMatrix ? [RANK, 1] : [RANK];
    const program = await compile(gpu, f, [
      { shape: vectors, dtype: 'f32' },
      { shape: scale, dtype: 'f32' },
      { shape: vectors, dtype: 'f32' },
      { shape: [2], dtype: 'u32' },
    ]);
    const { u, s, v } = (await program.run(
      flat(known.flatMap((x) => x.u)),
      sigma,
      flat(known.flatMap((x) => x.v)),
      [1, 2],
    )) as Record<'u' | 's' | 'v', HostArray>;
    expect(s.shape).toEqual([BATCH, options.columns]);
    expect(u.shape).toEqual([BATCH, TRIPLES, d]);
    known.forEach((wanted, b) => {
      const rows = ({ data }: HostArray) =>
        Array.from({ length: TRIPLES }, (_, k) =>
          (data as Float32Array).subarray((b * TRIPLES + k) * d, (b * TRIPLES + k + 1) * d),
        );
      const [left, right] = [rows(u), rows(v)];
      expect(unorthogonality(left)).toBeLessThan(5e-6);
      expect(unorthogonality(right)).toBeLessThan(5e-6);
      for (let k = 0; k < TRIPLES; k++) {
        expect(Math.abs(s.data[b * options.columns + k]! - sigma[k]!)).toBeLessThan(2e-6);
        // Both up to one sign, which they share.
        const [alongU, alongV] = [dot(left[k]!, wanted.u[k]!), dot(right[k]!, wanted.v[k]!)];
        expect(Math.abs(alongU)).toBeGreaterThan(1 - 1e-5);
        expect(alongU * alongV).toBeGreaterThan(1 - 1e-5);
      }
    });
  });
});
