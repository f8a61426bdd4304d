import { describe, expect, it } from 'vitest';
import type { HostArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { orthonormalize, svd } from '../../src/autograd/linalg.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { withGpu } from '../gpu/harness.ts';
import { normals, orthonormal, outside, unorthogonality } from '../kernels/linear-algebra.ts';
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
      const { u, s, v } = svd(x);
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

  it.each([
    [Number.NaN, 6, 6],
    [Number.POSITIVE_INFINITY, 5, 5],
    [Number.NEGATIVE_INFINITY, 7, 131],
    [Number.NaN, 8, 600],
  ])('of what holds %d, all factors are NaN, and those of others as before: %i×%i', async (value, r, d) => {
    const data = numbers(3 * r * d, 6);
    // In the last row of the second of three.
    const spoilt = data.with(2 * r * d - 2, value);
    const f = (x: Tensor) => [orthonormalize(x), ...(r === d ? Object.values(svd(x)) : [])];
    const before = await results(f, [3, r, d], data);
    const after = await results(f, [3, r, d], spoilt);
    after.forEach(({ data }, k) => {
      const each = data.length / 3;
      expect(data.subarray(each, 2 * each).every(Number.isNaN)).toBe(true);
      for (const b of [0, 2])
        expect([...data.subarray(b * each, (b + 1) * each)]).toEqual([
          ...before[k]!.data.subarray(b * each, (b + 1) * each),
        ]);
    });
  });

  it('one factor alone is the same as beside the others', async () => {
    const a = numbers(50, 4);
    const [alone] = await results((x) => [svd(x).s], [2, 5, 5], a);
    const [, together] = await results((x) => Object.values(svd(x)), [2, 5, 5], a);
    expect([...alone!.data]).toEqual([...together!.data]);
  });

  it('orthonormalize gives orthonormal vectors that span what was given', async () => {
    const [r, b, d] = [4, 3, 9];
    const x = numbers(r * b * d, 5);
    const f = (x: Tensor) => {
      const q = orthonormalize(x);
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

/** Sets of r vectors of d elements, hard to orthonormalize and easy. */
function hardSets(r: number, d: number): (Float32Array | Float64Array)[][] {
  const next = normals(7);
  const full = Array.from({ length: r }, () => Float32Array.from({ length: d }, next));
  const few = orthonormal(3, d, 8);
  return [
    full,
    full.map(() => new Float32Array(d)),
    full.map((v, j) => (j % 3 ? v : full[0]!)),
    full.map((_, j) => few[j % 3]!.map((x) => x * (1 + j))),
    full.map((v, j) => (j < 2 ? v : v.map((x, e) => full[0]![e]! + 1e-6 * x))),
    full.map((v, j) => v.map((x) => x * 10 ** [-30, 15, 0, 34, -12][j % 5]!)),
    // Most segments are empty, also the last.
    full.map((_, j) => Float32Array.from({ length: d }, (_, e) => (e === d - 1 - (j % 5) ? 1e-3 : 0))),
  ];
}

it.each([
  ['segments of segments', 16, 8192],
  ['a length that no segments divide', 6, 613],
])('orthonormalize holds for long vectors of any rank and scale: %s', async (_, r, d) => {
  const sets = hardSets(r, d);
  const data = new Float32Array(sets.length * r * d);
  sets.flat().forEach((v, i) => {
    data.set(v, i * d);
  });
  const result = await withGpu(async (gpu) => {
    const program = await compile(poisoned(gpu), orthonormalize, [of([sets.length, r, d])]);
    return ((await program.run(data)) as HostArray).data;
  });
  sets.forEach((set, b) => {
    const q = set.map((_, j) => result.subarray((b * r + j) * d, (b * r + j + 1) * d) as Float32Array);
    expect(unorthogonality(q), `set ${b}`).toBeLessThan(4e-6);
    set.forEach((v, j) => {
      if (v.some((x) => x !== 0)) expect(outside(v, q.slice(0, j + 1)), `set ${b}`).toBeLessThan(4e-6);
    });
  });
});

it('refuses what cannot be factored', () => {
  expect(() => svd(c.full(1, [2, 3]))).toThrow('svd: shape [2,3] is not square');
  expect(() => orthonormalize(c.full(1, [2, 4, 3]))).toThrow(/4 orthonormal vectors in 3 dimensions/);
});
