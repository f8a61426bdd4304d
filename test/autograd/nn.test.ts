import { describe, expect, it } from 'vitest';
import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectDerivatives } from './derivatives.ts';
import { evaluate, expectAgreement, expectClose, indices, numbers, of } from './support.ts';

const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;

/** A unary function's result in float64. */
const exactly = (f: (x: Tensor) => Tensor, shape: readonly number[], data: ArrayLike<number>) =>
  evaluate(f, [{ shape }], [data])[0]!;
/** The same on the GPU, where special values must agree. */
async function onGpu(f: (x: Tensor) => Tensor, shape: readonly number[], data: number[]): Promise<number[]> {
  const program = await expectAgreement(await testGpu(), f, [{ shape }], { values: [data] });
  return [...((await program.run(data)) as unknown as { data: Float32Array }).data];
}

describe('softmax and its logarithm', () => {
  const exact = (x: readonly number[]) => {
    const e = x.map((v) => Math.exp(v));
    const total = e.reduce((a, b) => a + b);
    return e.map((v) => v / total);
  };

  it.each([
    [[3, 5], -1],
    [[4, 2, 3], 1],
    [[3], 0],
    [
      [2, 3, 2],
      [0, 2],
    ],
    [[5, 1], -1],
  ] as const)('over shape %o, axes %o', async (shape, axes) => {
    const gpu = await testGpu();
    await expectDerivatives(gpu, (x) => c.softmax(x, axes), [of(shape)]);
    await expectDerivatives(gpu, (x) => c.logSoftmax(x, axes), [of(shape)]);
  });

  it('is e to the x over its sum', () => {
    const x = [...numbers(7, 3)];
    expectClose(exactly((x) => c.softmax(x), [7], x).data, exact(x), 1e-14);
    expectClose(exactly((x) => c.logSoftmax(x), [7], x).data, exact(x).map(Math.log), 1e-14);
    const columns = exactly((x) => c.softmax(x, 0), [2, 2], [0, Math.log(3), 0, 0]).data;
    expectClose(columns, [0.5, 0.75, 0.5, 0.25], 1e-14);
  });

  it('does not overflow, and keeps small logarithms', async () => {
    expect(await onGpu((x) => c.softmax(x), [1, 3], [3e38, 3e38, -3e38])).toEqual([0.5, 0.5, 0]);
    expect(await onGpu((x) => c.logSoftmax(x), [1, 2], [0, -200])).toEqual([0, -200]);
    expect(await onGpu((x) => c.logSoftmax(x), [1, 3], [1e4, 0, -INF])).toEqual([0, -1e4, -INF]);
  });

  it('treats infinities and NaN as PyTorch does', async () => {
    const rows = [
      [-INF, 0, 0],
      [-INF, -INF, -INF],
      [INF, 0, 1],
      [NAN, 0, 1],
      [-INF, -0, -INF],
    ];
    const nans = [NAN, NAN, NAN];
    const expected = [[0, 0.5, 0.5], nans, nans, nans, [0, 1, 0]];
    expect(await onGpu((x) => c.softmax(x), [5, 3], rows.flat())).toEqual(expected.flat());
    const logs = expected.map((row) => row.map((p) => Math.fround(Math.log(p))));
    expectClose(await onGpu((x) => c.logSoftmax(x), [5, 3], rows.flat()), logs.flat(), 1e-6);
    const slope = grad((x: Tensor) => c.sum(c.mul(c.softmax(x), c.cast(c.iota([3]), 'f32'))));
    expectClose(await onGpu(slope, [3], [-INF, 0, 0]), [0, -0.25, 0.25], 1e-6);
  });
});

describe('the logarithm of a sum of exponentials', () => {
  it('runs along any axes', async () => {
    await expectDerivatives(await testGpu(), (x) => c.logsumexp(x, [0, 1]), [of([3, 2, 4])]);
    expectClose(exactly((x) => c.logsumexp(x, 0), [2, 1], [0, Math.log(3)]).data, [Math.log(4)], 1e-14);
  });
});

describe('the extreme’s position', () => {
  const rows = [1, 7, 3, 7, -2, 5, 3, -2];
  it('along any axis, the first of equal ones', () => {
    const at = (f: (x: Tensor) => Tensor) => [...exactly(f, [2, 4], rows).data];
    expect(at((x) => c.argmax(x))).toEqual([1, 1]);
    expect(at((x) => c.argmax(x, 0))).toEqual([0, 0, 0, 0]);
    expect(at((x) => c.argmin(x, 1))).toEqual([0, 0]);
    expect(at((x) => c.argmin(x, -2))).toEqual([1, 1, 0, 1]);
  });

  it('drops its axis on request', () => {
    expect(exactly((x) => c.argmax(x, 0, { keepDims: false }), [2, 4], rows).shape).toEqual([4]);
    expect(exactly((x) => c.argmin(x, -1), [2, 4], rows).shape).toEqual([2, 1]);
  });

  it('finds NaN first, and takes both zeros as equal', async () => {
    const odd = [1, NAN, 3, NAN, -0, 0, -0, 0, INF, -INF, INF, -INF];
    expect(await onGpu((x) => c.argmax(x), [3, 4], odd)).toEqual([1, 0, 0]);
    expect(await onGpu((x) => c.argmin(x), [3, 4], odd)).toEqual([1, 0, 1]);
    expect(await onGpu((x) => c.argmin(x, 0), [3, 1], [2, -1, -1])).toEqual([1]);
  });
});

describe('one-hot vectors', () => {
  it('stand at their index, and are zero beyond the classes', async () => {
    const want = [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const index = [2, 0, 3, -1, NAN, 0.5];
    const got = await onGpu((x) => c.oneHot(x, 3), [2, 3], index);
    expect(got).toEqual(want);
    expect(exactly((x) => c.oneHot(x, 3), [2, 3], index).shape).toEqual([2, 3, 3]);
    await expectAgreement(await testGpu(), (x) => c.oneHot(x, 4), [indices([5], 6)]);
    expect(exactly((x) => c.oneHot(x, 1), [1], [0]).data).toEqual(Float64Array.of(1));
  });
});

describe('gelu and silu', () => {
  const exact = (x: Tensor) => c.gelu(x, { approximate: false });

  it('have their derivatives', async () => {
    for (const f of [(x: Tensor) => c.gelu(x), exact, c.silu])
      await expectDerivatives(await testGpu(), f, [of([3, 8], -4, 4)]);
  });

  it('have the values of PyTorch’s', () => {
    const at = (f: (x: Tensor) => Tensor) => [...exactly(f, [4], [0, 1, -1, 3]).data];
    expectClose(
      at((x) => c.gelu(x)),
      [0, 0.841192, -0.158808, 2.9963627],
      1e-7,
    );
    expectClose(at(exact), [0, 0.8413447, -0.1586553, 2.9959502], 1e-7);
    expectClose(at(c.silu), [0, 0.7310586, -0.2689414, 2.8577224], 1e-7);
  });

  it('are x, or 0, of large numbers', async () => {
    const positive = [40, 1e20, INF, NAN];
    for (const f of [(x: Tensor) => c.gelu(x), exact, c.silu]) {
      expect(await onGpu(f, [4], positive)).toEqual(positive.map(Math.fround));
      const [near, far, infinite] = await onGpu(f, [3], [-2000, -1e20, -INF]);
      expect([Math.abs(near!), Math.abs(far!), infinite]).toEqual([0, 0, NAN]);
    }
  });
});

describe('layerNorm', () => {
  const standardized = (x: readonly number[], epsilon = 1e-5) => {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    return x.map((v) => (v - mean) / Math.sqrt(variance + epsilon));
  };

  it('has its derivatives', async () => {
    const gpu = await testGpu();
    await expectDerivatives(gpu, (x) => c.layerNorm(x), [of([3, 5])], 3e-5);
    const full = (x: Tensor, weight: Tensor, bias: Tensor) =>
      c.layerNorm(x, { weight, bias, axes: [-2, -1], epsilon: 1e-3 });
    await expectDerivatives(gpu, full, [of([2, 3, 4]), of([3, 4]), of([4])], 3e-5);
  });

  it('is the formula', () => {
    const x = [...numbers(6, 5)];
    const rows = [...standardized(x.slice(0, 3)), ...standardized(x.slice(3))];
    expectClose(exactly((x) => c.layerNorm(x), [2, 3], x).data, rows, 1e-13);
    const all = standardized(x, 0.1).map((v, i) => v * (i % 3) + 2);
    const f = (x: Tensor) =>
      c.layerNorm(x, {
        axes: [0, 1],
        weight: c.cast(c.iota([3]), 'f32'),
        bias: c.full(2, [1]),
        epsilon: 0.1,
      });
    expectClose(exactly(f, [2, 3], x).data, all, 1e-13);
  });

  it('keeps rows apart', async () => {
    const got = await onGpu((x) => c.layerNorm(x), [3, 2], [1e6, 1e6 + 2, NAN, 1, 7, 7]);
    expectClose(got, [-0.999995, 0.999995, NAN, NAN, 0, 0], 1e-5);
    expect(await onGpu((x) => c.layerNorm(x), [2, 1], [-0, 5])).toEqual([0, 0]);
  });

  it('refuses a weight that would repeat x', () => {
    const weight = input('weight', [4, 1, 3]);
    expect(() => c.layerNorm(input('x', [2, 3]), { weight })).toThrow('weight f32[4,1,3]');
  });
});

describe('reductions that drop axes', () => {
  it('have the values of those that keep them', async () => {
    for (const f of [c.sum, c.mean, c.amax, c.variance]) {
      await expectDerivatives(await testGpu(), (x) => f(x, [0, 2], { keepDims: false }), [of([3, 4, 2])]);
      expect(exactly((x) => f(x, undefined, { keepDims: false }), [2, 3], numbers(6, 1)).shape).toEqual([]);
      expect(exactly((x) => f(x, -2), [2, 3], numbers(6, 1)).shape).toEqual([1, 3]);
    }
  });
});

describe('reshape', () => {
  it('finds the side that is −1', () => {
    const shapeOf = (to: number[], last?: number) => c.reshape(input('x', [2, 3, 4]), to, last).shape;
    expect(shapeOf([-1])).toEqual([24]);
    expect(shapeOf([4, -1, 2])).toEqual([4, 3, 2]);
    expect(shapeOf([24, -1])).toEqual([24, 1]);
    expect(shapeOf([-1, 2], 1)).toEqual([2, 3, 2, 2]);
  });

  it.each([[[-1, 5]], [[-1, -1]], [[-2, 12]]])('refuses %o', (to) => {
    expect(() => c.reshape(input('x', [2, 3, 4]), to)).toThrow('has a side of -');
  });
});

describe('the identity matrix', () => {
  it('is 1 on its diagonal', async () => {
    expect([...evaluate(() => c.eye(2), [], [])[0]!.data]).toEqual([1, 0, 0, 1]);
    expect([...evaluate(() => c.eye(2, 3), [], [])[0]!.data]).toEqual([1, 0, 0, 0, 1, 0]);
    await expectDerivatives(await testGpu(), (x) => c.matmul(c.eye(2, 3), x), [of([3, 5])]);
  });
});
