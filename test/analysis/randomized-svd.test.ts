import { expect, it } from 'vitest';
import { matrixMap, randomizedSvd } from '../../src/analysis/randomized-svd.ts';
import type { HostArray } from '../../src/autograd/array.ts';
import { array, matmul, mul, random } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { withGpu } from '../gpu/harness.ts';
import { dot, orthonormal, unorthogonality } from '../kernels/linear-algebra.ts';

const BATCH = 2;
const RANK = 60;
const TRIPLES = 10;

/** Ten values that fall to a hundredth, then as from noise: many more, nearly as large as one another. */
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

/** The first direction of a sketch, and that of its images after a filter, of a diagonal map. */
function filtered(values: readonly number[], columns: number) {
  const dim = values.length;
  const key = array([1, 2], [2], 'u32');
  const how = { columns, powerIterations: 0, filters: 1, triples: 1, key };
  const f = (map: Tensor) => [
    random(key, [columns, dim], { distribution: 'normal' }),
    randomizedSvd(matrixMap(map), [], dim, how).basis,
  ];
  const diagonal = Array.from({ length: dim ** 2 }, (_, i) => (i % (dim + 1) ? 0 : values[i % dim]!));
  const graph = trace(f, [{ shape: [dim, dim], dtype: 'f32' }]);
  const [x, basis] = interpret(graph, [diagonal]).map(({ data }) => [...data]);
  return { x: x!, first: basis!.slice(0, dim) };
}

/** Of unit length, and with a first element above 0. */
const direction = (v: readonly number[]) => {
  const length = Math.sign(v[0]!) * Math.hypot(...v);
  return v.map((x) => x / length);
};

it('filters flat spectra by T₄ of σ², with its interval up to the smallest image, and steep ones by two power iterations', () => {
  const flatValues = [1.1, 1, 0.8, 0.5];
  const one = filtered(flatValues, 1);
  const b = one.x.reduce((sum, x, i) => sum + (flatValues[i]! * x) ** 2, 0);
  const t4 = (t: number) => 8 * t ** 4 - 8 * t ** 2 + 1;
  const chebyshev = one.x.map((x, i) => flatValues[i]! * t4((2 * flatValues[i]! ** 2) / b - 1) * x);
  direction(chebyshev).forEach((x, i) => {
    expect(direction(one.first)[i]).toBeCloseTo(x, 5);
  });
  const steepValues = [1, 0.05, 0.01, 1e-3];
  const steep = filtered(steepValues, 4);
  const powers = steep.x.slice(0, 4).map((x, i) => steepValues[i]! ** 5 * x);
  direction(powers).forEach((x, i) => {
    expect(direction(steep.first)[i]! / x).toBeCloseTo(1, 5);
  });
});
