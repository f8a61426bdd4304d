import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Spec } from '../../src/autograd/signature.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, linearize } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';
import { evaluate } from './support.ts';

/** Asserts that adapter and interpreter give the same right value. */
async function expectValue(f: (...xs: Tensor[]) => Tensor, values: readonly number[][], want: number) {
  const specs = values.map((v): Spec => ({ shape: [v.length] }));
  const rounded = values.map((v) => v.map(Math.fround));
  const program = await compile(await testGpu(), f, specs);
  const { data } = (await program.run(...rounded)) as unknown as { data: Float32Array };
  for (const got of [data[0]!, evaluate(f, specs, rounded)[0]!.data[0]!]) {
    expect(got / want, `${got} for ${want}`).toBeCloseTo(1, 5);
  }
}

/** √Σx² without squares that overflow or vanish. */
function norm(x: Tensor): Tensor {
  const scale = c.amax(c.maximum(x, c.neg(x)));
  return c.mul(scale, c.sqrt(c.sum(c.square(c.div(x, scale)))));
}

const triple = (x: number) => [x, x, x];

describe('what overflows or vanishes is what was written', () => {
  it.each<[string, (...xs: Tensor[]) => Tensor, number[][], number]>([
    ['a norm of large numbers', norm, [[3e25, 4e25]], 5e25],
    ['a norm of small numbers', norm, [[3e-25, 4e-25]], 5e-25],
    [
      'a norm by the reciprocal of its scale',
      (x) => {
        const scale = c.amax(x);
        return c.mul(scale, c.sqrt(c.sum(c.square(c.mul(x, c.div(1, scale))))));
      },
      [[3e25, 4e25]],
      5e25,
    ],
    ['a sum with a small literal', (x) => c.sum(c.mul(x, 1e-30)), [triple(3e38)], 9e8],
    ['a sum with a small factor', (x, s) => c.sum(c.mul(s, x)), [triple(3e38), [1e-30]], 9e8],
    ['a sum with a large factor', (x, s) => c.sum(c.neg(c.mul(x, s))), [triple(1e-37), [1e30]], -3e-7],
    ['a sum with two factors', (x, s) => c.sum(c.mul(c.mul(x, s), s)), [triple(1e-30), [1e18]], 3e6],
    ['a sum of a quotient', (x, s) => c.sum(c.div(x, s)), [triple(3e38), [1e30]], 9e8],
    ['a mean of many small numbers', (x) => c.mean(x), [new Array(100_001).fill(1e-37)], 1e-37],
    ['a mean with a factor', (x, s) => c.mean(c.mul(x, s)), [triple(3e38), [1e-30]], 3e8],
    [
      'a largest value with a factor',
      (x, s) => c.amax(c.mul(c.mul(x, 1e-30), s)),
      [triple(3e38), [1e20]],
      3e28,
    ],
    ['two small literals', (x) => c.mul(c.mul(x, 1e-30), 1e-30), [[1e30]], 1e-30],
    ['two large literals', (x) => c.mul(c.mul(x, 1e20), 1e20), [[1e-30]], 1e10],
    ['literals on both sides', (x) => c.mul(1e20, c.mul(1e20, c.neg(x))), [[1e-30]], -1e10],
    ['a large and a small literal', (x) => c.mul(c.mul(x, 1e-30), 1e30), [[1e38]], 1e38],
    [
      'literals that are repeated',
      (x) => c.mul(c.mul(x, c.full(1e20, [1])), c.full(1e20, [1])),
      [[1e-30]],
      1e10,
    ],
    ['a sum and a difference', (x) => c.sub(c.add(x, 1e8), 1e8), [[64]], 64],
    [
      'a gradient by what is repeated',
      (x, s) => grad((s: Tensor) => c.sum(c.mul(c.mul(x, c.sub(x, s)), 1e-30)))(s),
      [triple(3e38), [1]],
      -9e8,
    ],
    [
      'a transpose of a sum with a factor',
      (x, s) => linearize((y: Tensor) => c.mul(c.broadcast(y, [3]), s), c.full(0, [1])).applyTranspose(x)[0]!,
      [triple(3e38), [1e-30]],
      9e8,
    ],
  ])('%s', (_, f, values, want) => expectValue(f, values, want));

  it('of literals: infinity less a number stays infinity, and whole numbers go around', async () => {
    const gpu = await testGpu();
    const f = (x: Tensor, k: Tensor) => [
      c.add(c.add(c.add(c.mul(x, 0), 3e38), 3e38), -3e38),
      c.mul(c.mul(k, 65_536), 65_536),
      c.add(c.mul(k, 4_294_967_295), 1),
    ];
    const program = await compile(gpu, f, [{ shape: [1] }, { shape: [1], dtype: 'u32' }]);
    const values = (await program.run([1], [1])) as unknown as { data: ArrayLike<number> }[];
    expect(values.map(({ data }) => data[0])).toEqual([Infinity, 0, 0]);
  });
});
