import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { testGpu } from '../gpu/harness.ts';
import { expectAgreement, expectSameClass, indices, type Operand, of } from './support.ts';

/** GPUs' kernels share work within a workgroup; the second kind allows few threads in one. */
const variants: [string, Partial<AdapterTraits>][] = [
  ['as GPUs like it', { kind: 'hardware', maxStorageBuffersPerStage: 16 }],
  [
    'where workgroups are small',
    { kind: 'hardware', maxWorkgroupInvocations: 16, maxWorkgroupStorageBytes: 512 },
  ],
  ['as the adapter likes it', {}],
];

/** BatchNorm of the last axis, with the statistics of a batch. */
function batchNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const axes = x.shape.slice(1).map((_, i) => -2 - i);
  const rate = c.rsqrt(c.add(c.variance(x, axes), 1e-5));
  return c.normalize(x, c.mean(x, axes), rate, weight, bias);
}

const agreeingWith =
  (traits: Partial<AdapterTraits>) =>
  async (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[], tolerance?: number) => {
    const options = { traits, ...(tolerance && { tolerance }) };
    const program = await expectAgreement(await testGpu(), f, operands, options);
    return program.plan.dispatches.map(({ kernel }) => kernel.name);
  };

describe.each(variants)('reductions and what is made of their totals, %s', (_, traits) => {
  const agree = agreeingWith(traits);
  /** As many results as keep software adapters busy. */
  const together = (names: string[], results: number) =>
    traits.kind || results >= 128 ? names : expect.any(Array);
  const softmax = (x: Tensor) => {
    const e = c.exp(c.sub(x, c.amax(x, -1)));
    return c.div(e, c.sum(e, -1));
  };

  it.each([[[40, 10]], [[3, 128]], [[37, 33]], [[1, 5]], [[130]], [[132, 8]], [[133, 3]]])(
    'a softmax over %j',
    async (shape) => {
      const results = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      expect(await agree(softmax, [of(shape)])).toEqual(together(['reduce_max_sum+pointwise'], results));
    },
  );

  it('BatchNorm, of matrices and of images, with its gradients', async () => {
    for (const shape of [
      [70, 12],
      [33, 5],
      [4, 3, 5, 8],
      [20, 132],
      [2, 3, 2, 131],
    ]) {
      const channels = shape.at(-1)!;
      const operands = [of(shape), of([channels], 0.5, 1.5), of([channels]), of(shape)];
      const forward = await agree((x, w, b) => c.relu(batchNorm(x!, w!, b!)), operands.slice(0, 3));
      expect(forward).toEqual(together(['reduce_variance_mean+pointwise'], channels));
      const loss = (x: Tensor, w: Tensor, b: Tensor, y: Tensor) =>
        c.sum(c.mul(c.relu(batchNorm(x, w, b)), y));
      await agree((x, w, b, y) => {
        const back = (given: { x: Tensor; w: Tensor; b: Tensor }) => loss(given.x, given.w, given.b, y!);
        return grad(back)({ x: x!, w: w!, b: b! });
      }, operands);
    }
  });

  it('values far from zero', async () => {
    await agree((x, w, b) => batchNorm(x!, w!, b!), [of([64, 8], 1000, 1001), of([8]), of([8])], 2e-4);
  });

  it('totals, elements, types and further reductions in one kernel', async () => {
    const f = (x: Tensor) => {
      const low = c.mean(x, -2);
      const above = c.greater(x, low);
      const spread = c.mean(c.abs(c.sub(x, low)), -2);
      return [low, above, c.cast(above, 'u32'), spread, c.mul(spread, 2), c.div(x, spread)];
    };
    for (const shape of [
      [24, 12],
      [6, 9, 4],
      [7, 5, 29],
    ]) {
      expect(await agree(f, [of(shape)])).toEqual(
        together(['reduce_mean_mean+pointwise'], shape.length === 3 ? shape[0]! * shape[2]! : shape[1]!),
      );
    }
  });

  it('what reads totals elsewhere stays apart', async () => {
    const rows = (x: Tensor) => c.sum(x, -1);
    // Of a square matrix, the sum of row i is also what is added to column i.
    await agree((x) => c.add(x!, c.transpose(rows(x!))), [of([8, 8])]);
    await agree((x) => c.add(c.slice(rows(x!), 0, 4, -2), c.slice(rows(x!), 4, 8, -2)), [of([8, 8])]);
    await agree((x) => c.mul(x!, c.sum(c.mul(x!, c.sum(x!, -1)), -2)), [of([8, 12])]);
    await agree((x, y) => c.sub(c.add(x!, rows(x!)), rows(c.mul(y!, rows(x!)))), [of([8, 12]), of([8, 12])]);
    // Two kernels stand between the totals and what needs both.
    const twice = (x: Tensor) => c.cumsum(c.cumsum(x, -2), -2);
    await agree((x) => c.sub(c.add(x!, rows(x!)), twice(rows(x!))), [of([8, 12])]);
    await agree(
      (x, k) => c.add(x!, c.cast(c.reshape(k!, [3, 4, 2]), 'f32')),
      [of([3, 4, 1]), indices([24], 9)],
    );
  });

  it('two that need each other’s totals', async () => {
    const f = (x: Tensor, y: Tensor) => {
      const [p, q] = [c.sum(x, -1), c.sum(y, -2)];
      return [c.add(c.mul(x, p), c.transpose(q)), c.add(c.mul(y, q), c.transpose(p))];
    };
    await agree(f as (...xs: Tensor[]) => unknown, [of([9, 9]), of([9, 9])]);
  });

  it('special values', async () => {
    const values = [Number.NaN, Infinity, -Infinity, 0, -0, 1e38, -1e38, 1e-40, 2 ** -126, 1, 1, 3];
    const at = (f: (i: number) => number) => Array.from({ length: 48 }, (_, i) => values[f(i)]!);
    await expectSameClass(await testGpu(), softmax, [{ shape: [12, 4] }], [at((i) => i >> 2)], { traits });
    await expectSameClass(
      await testGpu(),
      (x) => c.sub(x!, c.amax(x!, -2)),
      [{ shape: [4, 12] }],
      [at((i) => i % 12)],
      { traits },
    );
  });

  it('small kernels side by side, and those that only outputs need', async () => {
    const xs = [of([6, 5]), of([6, 5]), of([6, 5])];
    expect(await agree((...all) => all.map((x) => c.transpose(x)), xs)).toEqual(['pointwise']);
    const f = (x: Tensor, y: Tensor) => {
      const z = c.cumsum(c.transpose(c.cumsum(x, -1)), -1);
      return [c.mul(x, 2), c.exp(z), c.mul(y, 3), c.sum(x, -2), c.sum(y, -2)];
    };
    const names = await agree(f as (...given: Tensor[]) => unknown, xs.slice(0, 2));
    expect(names).toEqual(['cumsum', 'pointwise', 'reduce_sum_sum', 'pointwise', 'cumsum', 'pointwise']);
  });
});

describe.each([variants[0]!, variants[2]!])('products and their reductions, %s', (_, traits) => {
  const agree = agreeingWith(traits);

  it.each([
    [40, 16, 7, false, true],
    [2, 20, 4, false, false],
    [33, 17, 65, true, false],
    [36, 24, 8, true, true],
  ])('products whose rows are reduced, %i by %i', async (m, n, k, transposeA, transposeB) => {
    const operands = [
      of(transposeA ? [k, m] : [m, k]),
      of(transposeB ? [n, k] : [k, n]),
      of([n], 0.5, 1.5),
      of([n]),
      of([m, n]),
    ];
    const layer = (x: Tensor, w: Tensor, a: Tensor, b: Tensor, h: Tensor) =>
      c.relu(c.add(h, batchNorm(c.matmul(x, w, { transposeA, transposeB }), a, b)));
    const product = `matmul_${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`;
    const names = await agree(layer as (...xs: Tensor[]) => unknown, operands, 1e-4);
    if (traits.maxStorageBuffersPerStage)
      expect(names).toEqual([`${product}+reduce_variance_mean+pointwise`]);
    // A product that is needed elsewhere, and one with a chain before what is reduced.
    const more = (x: Tensor, w: Tensor, h: Tensor) => {
      const y = c.matmul(x, w, { transposeA, transposeB });
      const z = c.where(c.greater(h, 0), y, h);
      return [y, c.sum(z, -2), c.mul(z, c.mean(z, -2)), c.cumsum(z, -1)];
    };
    await agree(more as (...xs: Tensor[]) => unknown, [operands[0]!, operands[1]!, operands[4]!], 1e-4);
  });

  it('products of stacked rows, and what cannot be taken in stripes', async () => {
    const centered = (y: Tensor) => c.sub(y, c.mean(y, [-3, -2]));
    await agree((x, w) => centered(c.matmul(x!, w!)), [of([3, 8, 12]), of([12, 16])], 1e-4);
    await agree((x, w) => centered(c.matmul(x!, w!)), [of([3, 8, 12]), of([3, 12, 16])], 1e-4);
    const rows = (y: Tensor) => c.sub(y, c.mean(y, -1));
    await agree((x, w) => rows(c.matmul(x!, w!)), [of([24, 12]), of([12, 16])], 1e-4);
    const first = (y: Tensor) => c.sub(y, c.mean(y, -2));
    await agree((x, w) => first(c.matmul(x!, w!)), [of([300, 12]), of([12, 16])], 1e-4);
    await agree((x, w) => first(c.transpose(c.matmul(x!, w!))), [of([24, 12]), of([12, 16])], 1e-4);
  });
});
