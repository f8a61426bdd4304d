import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { testGpu } from '../gpu/harness.ts';
import { numbers, poisoned } from './support.ts';

const REDUCTIONS = { sum: c.sum, mean: c.mean, variance: c.variance };
type Reduction = keyof typeof REDUCTIONS;

/** In float64, of float32 numbers: of each column of `columns`. */
function exact(kind: Reduction, x: Float32Array, columns: number): Float64Array {
  const n = x.length / columns;
  const sums = new Float64Array(columns);
  for (let i = 0; i < x.length; i++) sums[i % columns]! += x[i]!;
  if (kind === 'sum') return sums;
  const means = sums.map((s) => s / n);
  if (kind === 'mean') return means;
  const squares = new Float64Array(columns);
  for (let i = 0; i < x.length; i++) squares[i % columns]! += (x[i]! - means[i % columns]!) ** 2;
  return squares.map((s) => s / n);
}

/** Largest relative error over the columns. */
async function errorOf(
  kind: Reduction,
  x: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
  traits: Partial<AdapterTraits> = {},
): Promise<number> {
  const gpu = poisoned(await testGpu(), traits);
  const program = await compile(gpu, (t: Tensor) => REDUCTIONS[kind](t, axes), [{ shape }]);
  const { data } = await program.run(x);
  const want = exact(kind, x, data.length);
  return Math.max(...want.map((w, i) => Math.abs(data[i]! - w) / Math.abs(w)));
}

const spread = (n: number, seed: number, center = 0) =>
  Float32Array.from(numbers(n, seed, -0.5, 0.5), (v) => center + v);
/** `x` with one number replaced. */
function outlier(x: Float32Array, place: number, value: number): Float32Array {
  x[place] = value;
  return x;
}

/**
 * If the element that its block is compared with is an outlier, the sum of squares is up to 16 times what is
 * left of it, and so are its roundings.
 */
const BOUND = 16 * 8 * 2 ** -24;
const million = 1_000_000;
const cases: [string, Float32Array][] = [
  ['a large number first, among small ones', outlier(spread(million, 1), 0, 1e4)],
  ['a zero first, far from the others', outlier(spread(million, 2, 100), 0, 0)],
  ['a large number last', outlier(spread(million, 3), million - 1, 1e4)],
  ['a large number amid', outlier(spread(million, 4, 100), 123_456, -1e4)],
  ['all far from zero', spread(million, 5, 1e5)],
  ['in order', Float32Array.from({ length: million }, (_, i) => i / 1000)],
  [
    'two distant halves',
    Float32Array.from({ length: million }, (_, i) => (i < million / 2 ? 1000 : -1000) + (i % 7)),
  ],
  ['alternating', Float32Array.from({ length: million }, (_, i) => 1e3 * (i % 2) + ((i * 7) % 11) / 16)],
];

describe('variance does not depend on which element comes where', () => {
  it.each(cases)('%s', async (_, x) => {
    // All of it, odd lengths, rows, columns, separated axes, and a few split columns.
    expect(await errorOf('variance', x, [million], [0])).toBeLessThan(BOUND);
    expect(await errorOf('variance', x.subarray(0, 99_999), [99_999], [0])).toBeLessThan(BOUND);
    expect(await errorOf('variance', x.subarray(0, 400_000), [100_000, 4], [0])).toBeLessThan(BOUND);
    expect(await errorOf('variance', x.subarray(0, 640 * 1500), [1500, 640], [0])).toBeLessThan(BOUND);
    expect(await errorOf('variance', x.subarray(0, 3 * 5 * 40_000), [40_000, 5, 3], [0, 1])).toBeLessThan(
      2e-6,
    );
  });

  it.each(cases.slice(0, 5))('%s, where rows of a workgroup share the work', async (_, x) => {
    const traits = { kind: 'hardware' } as const;
    expect(await errorOf('variance', x.subarray(0, 100_000), [100_000], [0], traits)).toBeLessThan(BOUND);
    expect(await errorOf('variance', x.subarray(0, 132_000), [1100, 120], [0], traits)).toBeLessThan(BOUND);
  });

  it('is NaN with a NaN or an infinity among them, and 0 where all are equal', async () => {
    const gpu = await testGpu();
    for (const n of [4, 37, 10_000]) {
      const program = await compile(gpu, (t: Tensor) => c.variance(t), [{ shape: [n] }]);
      for (const value of [Infinity, -Infinity, Number.NaN]) {
        for (const place of [0, 1, n - 1]) {
          expect((await program.run(outlier(spread(n, 6), place, value))).data[0]).toBeNaN();
        }
      }
      expect((await program.run(new Float32Array(n).fill(1 / 3))).data[0]).toBe(0);
    }
  });
});

describe('long sums', () => {
  it('of equal terms, whose roundings do not cancel', async () => {
    const x = new Float32Array(33_000_000).fill(0.1);
    expect(await errorOf('mean', x, [x.length], [0])).toBeLessThan(1e-6);
    expect(await errorOf('sum', x.subarray(0, 10_000_001), [10_000_001], [0])).toBeLessThan(1e-6);
  });

  it('of columns, of rows, and of axes apart', async () => {
    const x = new Float32Array(64 * 500_000).fill(0.1);
    expect(await errorOf('sum', x, [500_000, 64], [0])).toBeLessThan(1e-6);
    expect(await errorOf('sum', x.subarray(0, 3 * 500_000), [500_000, 3], [0])).toBeLessThan(1e-6);
    expect(await errorOf('sum', x.subarray(0, 9 * 500_000), [500_000, 3, 3], [0, 2])).toBeLessThan(1e-6);
    expect(await errorOf('sum', x.subarray(0, 2 * 1_000_000), [2, 1_000_000], [1])).toBeLessThan(1e-6);
  });
});

describe('products of long operands', () => {
  it.each(['software', 'hardware'] as const)('of equal terms, on %s', async (kind) => {
    const [k, m, n] = [1_000_000, 2, 4];
    const gpu = poisoned(await testGpu(), { kind });
    for (const transposeA of [false, true]) {
      const shapes = [{ shape: transposeA ? [k, m] : [m, k] }, { shape: [k, n] }];
      const product = (a: Tensor, b: Tensor) => c.matmul(a, b, { transposeA });
      const program = await compile(gpu, product, shapes);
      const { data } = await program.run(
        new Float32Array(m * k).fill(0.1),
        new Float32Array(k * n).fill(0.1),
      );
      const want = k * Math.fround(0.1) ** 2;
      for (const got of data) expect(Math.abs(got - want) / want).toBeLessThan(3e-6);
    }
  });

  it('and of the pixels of large images, in the gradient of convolution weights', async () => {
    const [n, side] = [2, 512];
    const image = { shape: [n, side, side, 1] };
    const slope = (x: Tensor, w: Tensor, y: Tensor) =>
      grad((w: Tensor) => c.sum(c.mul(c.conv2d(x, w), y)))(w);
    const program = await compile(await testGpu(), slope, [image, { shape: [1, 1, 1, 1] }, image]);
    const tenths = new Float32Array(n * side * side).fill(0.1);
    const { data } = await program.run(tenths, [1], tenths);
    const want = n * side * side * Math.fround(0.1) ** 2;
    expect(Math.abs(data[0]! - want) / want).toBeLessThan(6e-6);
  });
});
