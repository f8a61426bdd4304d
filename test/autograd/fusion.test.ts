import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import type { AdapterTraits } from '../../src/gpu/kernel.ts';
import { testGpu } from '../gpu/harness.ts';
import { randomFunctions } from './graphs.ts';
import { expectAgreement, indices, type Operand, of } from './support.ts';

/** Kernels for GPUs run on software adapters too; few bindings make wide expressions fall apart. */
const variants: [string, Partial<AdapterTraits>][] = [
  ['as the adapter likes it', {}],
  ['as GPUs like it', { kind: 'hardware' }],
  ['with few bindings', { maxStorageBuffersPerStage: 4 }],
  ['with a narrow grid', { maxWorkgroupsPerDimension: 3 }],
];

const sides = fc.constantFrom(1, 2, 3, 4, 5, 8, 12, 33);

/** Shapes that broadcast together: each axis of each is whole or 1, leading axes may be missing. */
const together = (count: number, rank = 4) =>
  fc
    .record({
      space: fc.array(sides, { minLength: 1, maxLength: rank }),
      masks: fc.array(fc.record({ drop: fc.nat(2), ones: fc.nat(2 ** rank - 1) }), {
        minLength: count,
        maxLength: count,
      }),
    })
    .map(({ space, masks }) =>
      masks.map(({ drop, ones }) => space.map((d, i) => ((ones >> i) & 1 ? 1 : d)).slice(drop)),
    );

describe.each(variants)('on the GPU, %s', (_, traits) => {
  const agree = async (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[]) =>
    expectAgreement(await testGpu(), f, operands, { traits });

  it('operands of all shapes that broadcast', async () => {
    const f = (a: Tensor, b: Tensor, k: Tensor) =>
      c.add(c.mul(a, b), c.where(c.greater(a, 0), c.cast(k, 'f32'), b));
    await fc.assert(
      fc.asyncProperty(together(3), async ([a, b, k]) => {
        await agree(f, [of(a!), of(b!), indices(k!, 9)]);
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  it('random functions and their gradients', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomFunctions([2, 3, 4, 8], { steps: 7, out: ['choice', 'max', 'relu', 'amax'] }),
        async ({ f, operands }) => {
          const total = (xs: Tensor[]) => f(...xs).reduce((s, y) => c.add(s, c.sum(y)), c.constant(0));
          await agree((...xs) => [f(...xs), grad(total)(xs)], operands);
        },
      ),
      { numRuns: 10, seed: 6 },
    );
  });

  it('reductions along all sets of axes, side by side', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sides, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 15 }),
        async (shape, set) => {
          const axes = shape.flatMap((_, i) => ((set >> i) & 1 ? [i] : []));
          fc.pre(axes.length > 0);
          await agree(
            (x, y) => {
              const product = c.mul(x, y);
              return [c.sum(x, axes), c.amax(product, axes), c.variance(x, axes), c.mean(product, axes)];
            },
            [of(shape), of(shape.slice(-1))],
          );
        },
      ),
      { numRuns: 25, seed: 7 },
    );
  });

  it.each<[string, number[], number[]]>([
    ['all of a long vector', [9001], [0]],
    ['all of a long vector of fours', [20_000], [0]],
    ['long columns', [5003, 3], [0]],
    ['long columns of fours', [5003, 8], [0]],
    ['long rows', [3, 4100], [1]],
    ['all of a matrix', [130, 68], [0, 1]],
    ['around an axis that stays', [70, 4, 65], [0, 2]],
    ['an axis between two that stay', [3, 4111, 2], [1]],
  ])('long sums, in two steps: %s', async (_, shape, axes) => {
    const program = await agree(
      (x) => [c.sum(c.mul(x, x), axes), c.amax(x, axes), c.mean(x, axes)],
      [of(shape)],
    );
    expect(program.plan.dispatches.length).toBeGreaterThan(1);
  });

  it('more operands than a kernel can bind', async () => {
    const f = (...xs: Tensor[]) => {
      const total = xs.reduce((s, x, i) => c.add(c.mul(s, 0.5), i % 2 ? c.mT(x) : x));
      return [total, c.sum(c.mul(total, xs[3]!), -1)];
    };
    const program = await agree(
      f,
      Array.from({ length: 20 }, () => of([5, 5])),
    );
    const limit = { ...(await testGpu()).traits, ...traits }.maxStorageBuffersPerStage;
    for (const { buffers } of program.plan.dispatches) expect(buffers.length).toBeLessThanOrEqual(limit);
  });

  it.each([255, 257, 999, 1000, 1004, 4100, 16_388, 70_001])('one long row of %i', async (length) => {
    const f = (x: Tensor, y: Tensor) => [
      c.add(c.mul(x, y), c.cast(c.iota([length]), 'f32')),
      c.greater(x, y),
    ];
    await agree(f, [of([length]), of([length])]);
  });

  it('views inside of chains', async () => {
    const f = (x: Tensor, y: Tensor) => {
      const turned = c.transpose(c.add(x, y), [2, 0, 1]);
      const flat = c.reshape(c.sin(turned), [8, 6]);
      const units = c.reshape(c.neg(c.reshape(x, [1, 2, 1, 3, 8, 1])), [2, 3, 1, 8]);
      return [
        flat,
        c.mul(c.mT(flat), 2),
        c.sum(units, [0, 2]),
        c.broadcast(c.reshape(y, [3, 1, 8]), [3, 4, 8]),
      ];
    };
    await agree(f, [of([2, 3, 8]), of([3, 8])]);
  });

  it('coordinates, and integers', async () => {
    const f = (x: Tensor, k: Tensor) => {
      const row = c.iota([6, 8], -2);
      const column = c.iota([6, 8]);
      return [
        c.where(c.greater(c.add(row, k), column), x, 0),
        c.rem(c.add(c.mul(row, 7), column), 5),
        c.sum(c.where(c.equal(row, column), x, 0)),
        c.shuffle(column, k, 8),
        c.equal(c.mT(c.iota([8, 6])), row),
      ];
    };
    await agree(f, [of([6, 8]), indices([1], 4)]);
  });
});

describe('functions of classification', () => {
  const agree = async (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[], values?: number[][]) =>
    expectAgreement(await testGpu(), f, operands, values ? { values } : {});

  it('a slice of more than a uniform binding spans', async () => {
    await agree((x) => c.exp(c.slice(x, 0, 2, -2)), [of([513, 64])]);
  });

  it('logsumexp of huge numbers', async () => {
    const program = await agree(
      (x) => c.logsumexp(x),
      [of([2, 3])],
      [[1e4, 1e4, -1e4, -3e38, 3e38, 0].map(Math.fround)],
    );
    const value = (await program.run([1e4, 1e4, -1e4, -1e30, -1e30, -1e30])) as unknown as {
      data: Float32Array;
    };
    expect(value.data[0]).toBeCloseTo(1e4 + Math.log(2), 2);
    expect(value.data[1]).toBe(Math.fround(-1e30));
  });

  it('argmax, the first of ties', async () => {
    const rows = [
      [1, 3, 3, 0, 2],
      [7, 7, 7, 7, 7],
      [-5, -4, -3, -2, -1],
      [-1, -2, -3, -4, -5],
    ];
    const program = await agree((x) => c.argmax(x), [of([4, 5])], [rows.flat()]);
    const got = (await program.run(rows.flat())) as unknown as { data: Float32Array };
    expect([...got.data]).toEqual([1, 0, 4, 0]);
  });

  it('cross-entropy and its gradient', async () => {
    const n = 6;
    const f = (logits: Tensor, labels: Tensor) => [
      c.softmaxCrossEntropy(logits, labels),
      grad(c.softmaxCrossEntropy)(logits, labels),
    ];
    const labels = [0, 4, 2, 2, 3, 1];
    const logits = Array.from({ length: n * 5 }, (_, i) => ((i * 7) % 11) - 5);
    await agree(f, [of([n, 5]), of([n])], [logits, labels]);
    const want = labels.reduce((s, label, i) => {
      const row = logits.slice(5 * i, 5 * i + 5);
      return s + Math.log(row.reduce((t, x) => t + Math.exp(x), 0)) - row[label]!;
    }, 0);
    const program = await agree(
      (x, y) => c.softmaxCrossEntropy(x, y),
      [of([n, 5]), of([n])],
      [logits, labels],
    );
    const { data } = (await program.run(logits, labels)) as unknown as { data: Float32Array };
    expect(data[0]).toBeCloseTo(want / n, 5);
  });

  it('variance of numbers far from zero', async () => {
    const values = Array.from({ length: 96 }, (_, i) => 10_000 + ((i * 37) % 16) / 8);
    for (const shape of [[96], [32, 3], [12, 8]]) {
      await expectAgreement(await testGpu(), (x) => c.variance(x, 0), [of(shape)], {
        values: [values],
        tolerance: 1e-4,
      });
    }
  });
});
