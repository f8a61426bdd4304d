import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { plan } from '../../src/autograd/lower/plan.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, vjp } from '../../src/autograd/transform.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { testGpu } from '../gpu/harness.ts';
import { softwareTraits } from '../gpu/traits.ts';
import { expectAgreement, indices, type Operand, of } from './support.ts';

const traits = softwareTraits;

/** Names of the kernels that a function becomes. */
const namesOf = (
  f: (...xs: Tensor[]) => unknown,
  shapes: readonly number[][],
  own: Partial<AdapterTraits> = {},
) =>
  plan(
    trace(
      f,
      shapes.map((shape) => of(shape)),
    ),
    { ...traits, ...own },
  ).dispatches.map(({ kernel }) => kernel.name);

const square = (n: number, count = 3) => Array.from({ length: count }, () => [n, n]);

describe('a product', () => {
  it('goes on to what is made of it alone', () => {
    const chain = (x: Tensor, w: Tensor, b: Tensor) => c.relu(c.add(c.matmul(x, w), c.sin(b)));
    expect(namesOf(chain, square(8))).toEqual(['matmul_nn+pointwise']);
    const composed = (x: Tensor, w: Tensor) => {
      const y = c.matmul(x, w);
      return c.where(c.greater(y, 0), c.mul(y, y), c.neg(y));
    };
    expect(namesOf(composed, square(8, 2))).toEqual(['matmul_nn+pointwise']);
    const later = (x: Tensor, w: Tensor) => {
      const y = c.relu(c.matmul(x, w));
      return [c.sum(y, 0), c.mT(y), c.matmul(y, w)];
    };
    expect(namesOf(later, square(8, 2)).toSorted()).toEqual([
      ...['matmul_nn', 'matmul_nn+pointwise', 'pointwise', 'reduce_sum'],
    ]);
  });

  it('is added to by a later one', () => {
    const f = (x: Tensor, y: Tensor, z: Tensor) =>
      c.relu(c.add(c.mul(c.matmul(x, y), 2), c.mul(c.matmul(y, z), 3)));
    expect(namesOf(f, square(8))).toEqual(['matmul_nn', 'matmul_nn+pointwise']);
  });

  it.each<[string, (x: Tensor, w: Tensor, z: Tensor) => unknown]>([
    ['is an output', (x, w) => ((y) => [y, c.relu(y)])(c.matmul(x, w))],
    ['is turned', (x, w) => c.add(c.mT(c.matmul(x, w)), 1)],
    ['is summed', (x, w) => ((y) => c.sub(y, c.mean(y, 0)))(c.matmul(x, w))],
    ['is repeated', (x, w, z) => c.add(c.reshape(c.matmul(x, w), [1, 8, 8]), c.reshape(z, [8, 8, 1]))],
    ['is multiplied', (x, w) => ((y) => [c.matmul(y, x), c.relu(y)])(c.matmul(x, w))],
  ])('stays as it is where it %s', (_, f) => {
    expect(namesOf(f, square(8)).join()).not.toContain('matmul_nn+pointwise');
  });

  it('binds no more than a kernel may', () => {
    const f = (x: Tensor, w: Tensor, b: Tensor) => c.add(c.mul(c.matmul(x, w), b), c.mT(b));
    const shapes = square(8);
    expect(namesOf(f, shapes, { maxStorageBuffersPerStage: 5 })).toEqual(['matmul_nn+pointwise']);
    expect(namesOf(f, shapes, { maxStorageBuffersPerStage: 4 })).toEqual(['matmul_nn', 'pointwise']);
  });

  it('stays a stack of small matrices only where that wastes no rows', () => {
    const f = (x: Tensor, w: Tensor, mask: Tensor) => c.mul(c.matmul(x, w), mask);
    const names = (rows: number) => namesOf(f, [[5, rows, 8], [8, 8], [rows, 8]]); // biome-ignore format: shapes
    expect(names(64)).toEqual(['matmul_nn+pointwise']);
    expect(names(3)).toEqual(['matmul_nn', 'pointwise']);
  });

  it('of images leaves strides and places that are not evenly apart to a kernel of their own', () => {
    const add = (stride: number) => (x: Tensor, w: Tensor, b: Tensor) => c.add(c.conv2d(x, w, { stride }), b);
    const names = (b: number[], stride = 1) => namesOf(add(stride), [[2, 8, 8, 4], [32, 4, 1, 1], b]); // biome-ignore format: shapes
    expect(names([32]).at(-1)).toBe('conv_forward+pointwise');
    expect(names([4, 1, 32], 2).at(-1)).toBe('pointwise');
    expect(names([8, 8, 32]).at(-1)).toBe('pointwise');
    expect(names([2, 4, 4, 32], 2).at(-1)).toBe('conv_forward+pointwise');
  });

  it('takes along all of a residual network but its loss', () => {
    const depth = 3;
    const network = new FcResNet({
      ...{ inputs: 16, classes: 4, activation: 'relu', skip: true, width: 8, depth },
    });
    const weights = network.parameters.filter(({ name }) => !/\.bn\d?\./.test(name));
    const f = (...[x, ...given]: Tensor[]) => {
      const loss = (ws: Tensor[]) =>
        c.sum(
          c.square(
            network.forward(Object.fromEntries(ws.map((w, i) => [weights[i]!.name, w])), x!, (h) => h),
          ),
        );
      return grad(loss)(given);
    };
    const names = namesOf(f, [[32, 16], ...weights.map(({ shape }) => [...shape])]);
    const count = (pattern: RegExp) => names.filter((name) => pattern.test(name)).length;
    // Forward: stem, two per block, head; backward: one for each but the stem, and all weights' gradients.
    expect(count(/^matmul_n.\+pointwise$/)).toBe(2 * (2 * depth + 1) + 1);
    expect(count(/^matmul_tn$/)).toBe(2 * depth + 2);
    expect(names.length - count(/^matmul/)).toBeLessThanOrEqual(3);
  });
});

/** Each with its number of random problems: large tiles compile slowly on software adapters. */
const variants: [string, Partial<AdapterTraits>, number][] = [
  ['as the adapter likes it', {}, 8],
  ['as GPUs like it', { kind: 'hardware' }, 3],
];

describe.each(variants)('products with what follows them, %s', (_, own, numRuns) => {
  const agree = async (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[]) => {
    const program = await expectAgreement(await testGpu(), f, operands, { traits: own });
    return program.plan.dispatches.map(({ kernel }) => kernel.name);
  };

  // Multiples of four, or none: each form, size class and pattern of repetition is a shader to compile.
  const problems = fc.record({
    odd: fc.boolean(),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    sizes: fc.tuple(...[5, 12, 6].map((max) => fc.integer({ min: 1, max }))),
    batch: fc.constantFrom<[number[], number[]][]>([[], []], [[3], []], [[2, 3], [3]], [[2, 1], [3]]), // biome-ignore format: short
    repeats: fc.tuple(fc.nat(3), fc.nat(15)),
  });

  it('agree with float64 in all forms', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async ({ odd, transposeA, transposeB, sizes, batch, repeats }) => {
        const [m, n, k] = sizes.map((size) => 4 * size - Number(odd)) as [number, number, number];
        const a = [...batch[0], ...(transposeA ? [k, m] : [m, k])];
        const b = [...batch[1], ...(transposeB ? [n, k] : [k, n])];
        const result = [...c.matmul(c.full(0, a), c.full(0, b), { transposeA, transposeB }).shape];
        const leaf = (ones: number, drop: number) =>
          result.map((d, axis) => ((ones >> (result.length - 1 - axis)) & 1 ? 1 : d)).slice(drop);
        const f = (x: Tensor, y: Tensor, bias: Tensor, mask: Tensor) => {
          const z = c.add(c.matmul(x, y, { transposeA, transposeB }), bias);
          return c.where(c.greater(mask, 0), z, c.mul(z, 0.5));
        };
        const operands = [of(a), of(b), of(leaf(repeats[1], 0)), of(leaf(repeats[0], result.length - 2))];
        await agree(f, operands);
      }),
      { numRuns, seed: 11, endOnFailure: true },
    );
  });

  it.each<[string, number, number, number]>([
    ['ragged columns', 35, 34, 8],
    ['k in blocks', 36, 40, 1100],
  ])('over several tiles: %s', async (_, m, n, k) => {
    const f = (x: Tensor, w: Tensor, h: Tensor, bias: Tensor) =>
      c.add(c.mul(c.relu(c.add(c.matmul(x, w), bias)), 0.5), h);
    expect(await agree(f, [of([m, k]), of([k, n]), of([m, n]), of([n])])).toEqual(['matmul_nn+pointwise']);
  });

  it.each<[string, number[], number[], number[], number[]]>([
    ['with a bias and a mask', [2, 5, 6, 4], [20, 4, 3, 3], [20], [2, 5, 6, 20]],
    ['of odd channels', [3, 4, 4, 3], [21, 3, 3, 3], [3, 4, 4, 1], [3, 4, 4, 21]],
    ['with a mask for each of several directions', [3, 2, 4, 4, 4], [24, 4, 3, 3], [24], [2, 4, 4, 24]],
    ['of stacked weights', [3, 2, 1, 5, 5, 8], [2, 20, 8, 3, 3], [2, 1, 1, 1, 20], [2, 1, 5, 5, 20]],
  ])('of convolutions %s', async (_, x, w, bias, mask) => {
    const f = (image: Tensor, weight: Tensor, b: Tensor, m: Tensor) =>
      c.where(c.greater(m, 0), c.add(c.conv2d(image, weight, { padding: 1 }), b), 0);
    const names = await agree(f, [of(x), of(w), of(bias), of(mask)]);
    expect(names).toEqual(['pointwise', 'conv_forward+pointwise']);
    const back = (image: Tensor, weight: Tensor, b: Tensor, m: Tensor) =>
      grad((y: Tensor) =>
        c.sum(c.square(c.relu(c.add(c.conv2d(c.relu(y), weight, { padding: 1 }), c.mul(b, m))))),
      )(image);
    await agree(back, [of(x), of(w), of(bias), of(mask)]);
  });

  it.each<[number, number]>([
    [1, 1],
    [2, 1],
    [1, 2],
  ])('of gradients of convolutions with strides %i and %i', async (...stride) => {
    const f = (image: Tensor, weight: Tensor, u: Tensor, b: Tensor, w: Tensor) => {
      const [, pull] = vjp((y: Tensor, z: Tensor) => c.conv2d(y, z, { stride, padding: 1 }), image, weight);
      const [ofImage, ofWeight] = pull(u) as [Tensor, Tensor];
      return [c.add(ofImage, b), c.mul(ofWeight, w)];
    };
    const u = [2, 4 / stride[0], 4 / stride[1], 32];
    const names = await agree(f, [
      of([2, 4, 4, 32]),
      of([32, 32, 3, 3]),
      of(u),
      of([32]),
      of([32, 32, 3, 3]),
    ]);
    // Only for an image whose pixels are computed in order.
    expect(names.filter((name) => name.startsWith('conv') && name.endsWith('+pointwise'))).toEqual(
      stride[0] * stride[1] === 1 ? ['conv_inputGradient+pointwise'] : [],
    );
  });
});

describe('products with what follows them', () => {
  const agree = async (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[]) => {
    const program = await expectAgreement(await testGpu(), f, operands);
    return program.plan.dispatches.map(({ kernel }) => kernel.name);
  };

  it('read masks, numbers, coordinates and what is turned', async () => {
    const f = (x: Tensor, w: Tensor, h: Tensor, k: Tensor) => {
      const open = c.greater(h, 0);
      const y = c.matmul(x, w);
      const column = c.cast(c.add(c.iota([36, 36]), c.mul(c.iota([36, 36], -2), 2)), 'f32');
      const shifted = c.add(c.add(y, column), c.cast(k, 'f32'));
      return [c.where(open, shifted, c.mT(h)), open];
    };
    const operands = [of([36, 8]), of([8, 36]), of([36, 36]), indices([36, 1], 9)];
    expect(await agree(f, operands)).toContain('matmul_nn+pointwise');
  });

  it('keep a mask for each of several directions', async () => {
    const f = (x: Tensor, w: Tensor, h: Tensor) => c.where(c.greater(h, 0), c.matmul(x, w), 0);
    expect(await agree(f, [of([3, 32, 8]), of([8, 36]), of([32, 36])])).toEqual(['matmul_nn+pointwise']);
    expect(await agree(f, [of([3, 2, 5, 8]), of([2, 8, 7]), of([2, 5, 7])])).toEqual(['matmul_nn+pointwise']);
  });

  it('share a sum, and gradients', async () => {
    const f = (x: Tensor, y: Tensor, z: Tensor) => {
      const loss = ([p, q]: Tensor[]) => {
        const h = c.relu(c.matmul(p!, q!));
        const next = c.relu(c.add(h, c.matmul(h, z)));
        return c.sum(c.mul(next, c.sin(c.matmul(next, q!))));
      };
      return [grad(loss)([x, y]), c.add(c.matmul(x, y), c.matmul(y, x))];
    };
    await agree(f, [of([12, 12], -0.5, 0.5), of([12, 12], -0.5, 0.5), of([12, 12], -0.5, 0.5)]);
  });
});
