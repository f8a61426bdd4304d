import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { layOutConv, layOutMatmul } from '../../src/autograd/lower/product-spec.ts';
import { simplify } from '../../src/autograd/lower/simplify.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import { withGpu } from '../gpu/harness.ts';
import { countOps, expectAgreement, of } from './support.ts';

const spec = (a: number[], b: number[], options = {}) =>
  layOutMatmul(
    trace((a: Tensor, b: Tensor) => c.matmul(a, b, options), [of(a), of(b)]).outputs[0] as Tensor<'matmul'>,
  ).spec;

describe('products', () => {
  it.each([
    ['', {}],
    [', from textures where the adapter is faster with them', { maxUniformBytes: 16 }],
  ])('of all forms and batches, with their derivatives%s', (_, traits) =>
    withGpu(async (gpu) => {
      const side = fc.constantFrom(1, 2, 3, 4, 7, 8);
      await fc.assert(
        fc.asyncProperty(
          fc.tuple(side, side, side),
          fc.tuple(fc.boolean(), fc.boolean()),
          fc.array(fc.record({ size: fc.constantFrom(1, 2, 3), a: fc.boolean(), b: fc.boolean() }), {
            maxLength: 3,
          }),
          fc.tuple(fc.nat(2), fc.nat(2)),
          async ([m, n, k], [transposeA, transposeB], batch, [dropA, dropB]) => {
            const a = [
              ...batch.map((x) => (x.a ? x.size : 1)).slice(dropA),
              ...(transposeA ? [k, m] : [m, k]),
            ];
            const b = [
              ...batch.map((x) => (x.b ? x.size : 1)).slice(dropB),
              ...(transposeB ? [n, k] : [k, n]),
            ];
            const product = (a: Tensor, b: Tensor) => c.matmul(a, b, { transposeA, transposeB });
            const { shape } = trace(product, [of(a), of(b)]).outputs[0]!;
            const all = (a: Tensor, b: Tensor, u: Tensor) => {
              const at = linearize(product, a, b);
              return [at.value, at.applyTranspose(u)];
            };
            await expectAgreement(gpu, all, [of(a), of(b), of(shape)], { traits });
          },
        ),
        { numRuns: 60, seed: 10 },
      );
    }),
  );

  it('in a chain, whose values take turns in slots and textures', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor, w: Tensor) => {
        let y = x;
        for (let i = 0; i < 6; i++)
          y = c.sin(c.mul(c.matmul(y, w, { transposeA: i % 3 === 2, transposeB: i % 2 === 1 }), 0.1));
        return [y, c.matmul(c.sin(y), y, { transposeA: true }), c.matmul(x, y)];
      };
      const traits = { maxUniformBytes: 16 };
      const { plan, gpu: own } = await expectAgreement(gpu, f, [of([12, 12]), of([12, 12])], { traits });
      const texels = plan.dispatches.flatMap(({ kernel }) => kernel.bindings.filter((b) => b === 'texels'));
      if (own.traits.maxTexelBytes > 0 && own.traits.kind === 'software' && own.traits.subgroupSize >= 8) {
        expect(texels.length).toBeGreaterThan(plan.textures.length);
      } else expect(texels).toEqual([]);
    }));

  it('of batches of directions', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor, w: Tensor, dx: Tensor, dw: Tensor, u: Tensor) => {
        const at = linearize((x: Tensor, w: Tensor) => c.matmul(x, w), x, w);
        return [at.apply(dx, dw), at.applyTranspose(u)];
      };
      await expectAgreement(gpu, f, [
        of([2, 3, 4]),
        of([4, 5]),
        of([6, 2, 3, 4]),
        of([6, 4, 5]),
        of([6, 2, 3, 5]),
      ]);
    }));

  it('make one tall matrix of a batch that shares its second operand', () => {
    expect(spec([2, 3, 5, 4], [4, 6])).toMatchObject({ m: 30, n: 6, k: 4, batch: [] });
    expect(spec([2, 3, 5, 4], [2, 1, 4, 6])).toMatchObject({
      m: 15,
      batch: [{ size: 2, strideA: 60, strideB: 24 }],
    });
    expect(spec([2, 3, 4, 5], [4, 6], { transposeA: true })).toMatchObject({
      m: 5,
      batch: [{ size: 6, strideA: 20, strideB: 0 }],
    });
  });

  it('take a batch of convolutions that share their weights for one of more images', () => {
    const conv = (x: number[], w: number[]) =>
      layOutConv(
        trace((x: Tensor, w: Tensor) => c.conv2d(x, w), [of(x), of(w)]).outputs[0] as Tensor<'conv'>,
      )!.spec;
    expect(conv([5, 2, 6, 6, 4], [8, 4, 3, 3])).toMatchObject({ images: 10, channels: 4, batch: [] });
    expect(conv([5, 2, 6, 6, 4], [5, 8, 4, 3, 3])).toMatchObject({ images: 2, batch: [{ size: 5 }] });
  });

  it('sum over a batch in one product where the gradient of a shared operand wants it', () => {
    const f = (x: Tensor, w: Tensor, u: Tensor) =>
      linearize((w: Tensor) => c.matmul(x, w), w).applyTranspose(u);
    const graph = trace(f, [of([2, 3, 4]), of([4, 5]), of([2, 3, 5])]);
    const outputs = simplify(graph.outputs);
    expect(countOps({ outputs }).reduce ?? 0).toBe(0);
    const product = ancestors(outputs).find((t): t is Tensor<'matmul'> => t.op === 'matmul')!;
    expect(layOutMatmul(product).spec).toMatchObject({ m: 4, n: 5, k: 6, batch: [] });
  });

  it.each<[string, number[], number[], object, RegExp]>([
    ['inner sizes', [2, 3], [4, 5], {}, /inner sizes differ: 3 .* and 4/],
    [
      'inner sizes, transposed',
      [2, 3],
      [3, 5],
      { transposeA: true },
      /inner sizes differ: 2 \(\[2,3\] transposed\) and 3/,
    ],
    ['batches', [2, 2, 3], [3, 3, 2], {}, /matmul: operands of shapes \[2\] and \[3\] do not broadcast/],
    ['a vector', [3], [3, 2], {}, /matmul: operands are f32\[3\] and f32\[3,2\]/],
  ])('refuse %s that do not fit', (_, a, b, options, message) => {
    expect(() => spec(a, b, options)).toThrow(message);
  });
});
