import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Spec } from '../../src/autograd/signature.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { shuffleIndex } from '../../src/kernels/shuffle.ts';
import { withGpu } from '../gpu/harness.ts';
import { evaluate } from './support.ts';

/** The GPU's result of a function, after asserting that the interpreter agrees. */
async function results(
  f: (...args: Tensor[]) => Tensor,
  specs: readonly Spec[],
  values: readonly ArrayLike<number>[],
): Promise<number[]> {
  return withGpu(async (gpu) => {
    const program = await compile(gpu, f, specs);
    const got = [...(await program.run(...values)).data];
    const [want] = evaluate(f, specs, values);
    const isNumber = (x: ArrayLike<number>) => Array.from(x, (v) => !Number.isNaN(v));
    expect(isNumber(want!.data)).toEqual(isNumber(got));
    got.forEach((v, i) => {
      if (!Number.isNaN(v)) expect(v).toBeCloseTo(want!.data[i]!, 5);
    });
    return got;
  });
}

describe('what only the GPU sees', () => {
  it.each(['f32', 'u8'] as const)('is NaN where take reaches beyond a table of %s', async (dtype) => {
    const table = { shape: [3, 2], dtype };
    const index = { shape: [4], dtype: 'u32' } as const;
    const rows = (t: Tensor, i: Tensor) => c.take(t, i, { scale: 2, shift: 1 });
    const got = await results(
      rows,
      [table, index],
      [
        [1, 2, 3, 4, 5, 6],
        [2, 3, 0, 2 ** 32 - 1],
      ],
    );
    expect(got).toEqual([11, 13, NaN, NaN, 3, 5, NaN, NaN]);
  });

  it.each([7, 3, -1, 0.5, NaN, Infinity])(
    'is a loss of NaN where a label is %s in three classes',
    async (label) => {
      const specs = [{ shape: [2, 3] }, { shape: [2] }];
      const logits = [1, 2, 3, 4, 5, 6];
      expect(await results(c.softmaxCrossEntropy, specs, [logits, [0, label]])).toEqual([NaN]);
      expect(await results(grad(c.softmaxCrossEntropy), specs, [logits, [2, label]])).toEqual(
        [0.045, 0.1224, -0.1674, NaN, NaN, NaN].map((x) => (Number.isNaN(x) ? NaN : expect.closeTo(x, 3))),
      );
      const [loss] = await results(c.softmaxCrossEntropy, specs, [logits, [2, 0]]);
      expect(loss).toBeCloseTo((0.4076 + 2.4076) / 2, 3);
    },
  );

  it('stays where it is, if it is beyond a permutation', async () => {
    const u32 = (n: number) => ({ shape: [n], dtype: 'u32' as const });
    const f = (i: Tensor, key: Tensor) => c.shuffle(i, key, 5);
    const got = await results(f, [u32(7), u32(1)], [[0, 1, 2, 3, 4, 5, 7], [3]]);
    expect(got.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((i) => shuffleIndex(i, 3, 5)));
    expect(got.slice(5)).toEqual([5, 7]);
  });

  it('saturates where floats become integers', async () => {
    const floats = [Number.NaN, -1, 1e20, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.9, -0.5];
    const got = await results((x) => c.cast(x, 'u32'), [{ shape: [7] }], [floats]);
    expect(got).toEqual([0, 0, 2 ** 32 - 256, 2 ** 32 - 256, 0, 1, 0]);
  });

  it('is what WGSL says where integers are divided by zero', async () => {
    const u32 = { shape: [2], dtype: 'u32' as const };
    expect(
      await results(
        c.div,
        [u32, u32],
        [
          [7, 7],
          [0, 2],
        ],
      ),
    ).toEqual([7, 3]);
    expect(
      await results(
        c.rem,
        [u32, u32],
        [
          [7, 7],
          [0, 2],
        ],
      ),
    ).toEqual([0, 1]);
  });
});
