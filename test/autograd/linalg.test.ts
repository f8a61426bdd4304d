import { describe, expect, it } from 'vitest';
import type { HostArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { withGpu } from '../gpu/harness.ts';
import { evaluate, expectClose, numbers, of, poisoned } from './support.ts';

/** Rank 2 of 4, one singular value tiny beside the others, and the zero matrix. */
function matrices(n: number): Float64Array {
  const full = numbers(n * n, 1);
  const [p, q] = [numbers(2 * n, 2), numbers(2 * n, 3)];
  const low = Float64Array.from({ length: n * n }, (_, i) =>
    Math.fround(p[Math.floor(i / n)]! * q[i % n]! + 1e-4 * p[n + Math.floor(i / n)]! * q[n + (i % n)]!),
  );
  return Float64Array.of(...full, ...low, ...new Float64Array(n * n));
}

const identities = (count: number, n: number) =>
  Float64Array.from({ length: count * n * n }, (_, i) => Number(Math.floor(i / n) % n === i % n));

describe.each<[string, number]>([
  ['in the interpreter', 1e-12],
  ['on the GPU', 1e-5],
])('%s', (where, tolerance) => {
  const results = async (f: (x: Tensor) => Tensor[], shape: number[], data: Float64Array) => {
    if (where === 'in the interpreter')
      return evaluate(f as (...xs: Tensor[]) => Tensor[], [of(shape)], [data]);
    return withGpu(async (gpu) => {
      const program = await compile(poisoned(gpu), f, [of(shape)]);
      return (await program.run(data)) as HostArray[];
    });
  };

  it('svd gives orthonormal rows and falling values that multiply to the matrix', async () => {
    const n = 6;
    const a = matrices(n);
    const f = (x: Tensor) => {
      const { u, s, v } = c.svd(x);
      const scaled = c.mul(c.reshape(s, [3, n, 1]), v);
      const gram = (t: Tensor) => c.matmul(t, t, { transposeB: true });
      return [s, gram(u), gram(v), c.matmul(u, scaled, { transposeA: true })];
    };
    const [s, uu, vv, product] = await results(f, [3, n, n], a);
    for (const gram of [uu!, vv!]) expectClose(gram.data, identities(3, n), tolerance);
    expectClose(product!.data, a, tolerance);
    for (let b = 0; b < 3; b++) {
      const values = [...s!.data.subarray(b * n, (b + 1) * n)];
      expect(values).toEqual(values.toSorted((x, y) => y - x));
      expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    }
    expect(s!.data[n + 1]).toBeGreaterThan(1e-5);
    expect(s!.data[n + 2]).toBeLessThan(1e-5);
  });

  it('one factor alone is the same as beside the others', async () => {
    const a = numbers(50, 4);
    const [alone] = await results((x) => [c.svd(x).s], [2, 5, 5], a);
    const [, together] = await results((x) => Object.values(c.svd(x)), [2, 5, 5], a);
    expect([...alone!.data]).toEqual([...together!.data]);
  });

  it('orthonormalize gives orthonormal vectors that span what was given', async () => {
    const [r, b, d] = [4, 3, 9];
    const x = numbers(r * b * d, 5);
    const f = (x: Tensor) => {
      const q = c.orthonormalize(x);
      const coordinates = c.matmul(x, q, { transposeB: true });
      return [c.matmul(q, q, { transposeB: true }), c.sub(c.matmul(coordinates, q), x), coordinates];
    };
    const [gram, outside, r1] = await results(f, [b, r, d], x);
    expectClose(gram!.data, identities(b, r), tolerance);
    for (const rest of outside!.data) expect(Math.abs(rest)).toBeLessThan(10 * tolerance);
    // The first j vectors span what the first j span: x = R q with R lower triangular.
    r1!.data.forEach((y, i) => {
      if (i % r > Math.floor(i / r) % r) expect(Math.abs(y)).toBeLessThan(10 * tolerance);
    });
  });
});

it('refuses what cannot be factored', () => {
  expect(() => c.svd(c.full(1, [2, 3]))).toThrow('svd: shape [2,3] is not square');
  expect(() => c.orthonormalize(c.full(1, [2, 4, 3]))).toThrow(/4 orthonormal vectors in 3 dimensions/);
});
