import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { hessian, hvp, jacobian } from '../../src/autograd/jacobian.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { testGpu } from '../gpu/harness.ts';
import { randomFunctions } from './graphs.ts';
import { evaluate, expectAgreement, expectClose, of, valuesOf } from './support.ts';

/** Element `i` of a vector, as a scalar; and a vector of scalars. */
const element = (x: Tensor, i: number) => c.reshape(c.sum(c.where(c.equal(c.iota([x.size]), i), x, 0)), []);
const vector = (...xs: Tensor[]) =>
  xs.map((x, i) => c.where(c.equal(c.iota([xs.length]), i), x, 0)).reduce((a, b) => c.add(a, b));

const numbersOf = (f: (...xs: Tensor[]) => unknown, ...xs: number[][]) =>
  evaluate(
    f,
    xs.map(({ length }) => of([length])),
    xs,
  );

describe('known values, from the documentation of JAX', () => {
  const f = (x: Tensor) => {
    const [a, b, d] = [0, 1, 2].map((i) => element(x, i)) as [Tensor, Tensor, Tensor];
    return vector(a, c.mul(5, d), c.sub(c.mul(4, c.square(b)), c.mul(2, d)), c.mul(d, c.sin(a)));
  };
  it.each(['forward', 'reverse'] as const)('of jacobian, %s', (mode) => {
    const [got] = numbersOf(jacobian(f, { mode }), [1, 2, 3]);
    expect(got!.shape).toEqual([4, 3]);
    expectClose(got!.data, [1, 0, 0, 0, 0, 5, 0, 16, -2, 3 * Math.cos(1), 0, Math.sin(1)], 1e-15);
  });

  it('of hessian', () => {
    const g = (x: Tensor) => {
      const [a, b] = [element(x, 0), element(x, 1)];
      const cube = (x: Tensor) => c.mul(x, c.square(x));
      return c.sub(c.sub(cube(a), c.mul(2, c.mul(a, b))), c.square(cube(b)));
    };
    const [got] = numbersOf(hessian(g), [1, 2]);
    expect(got!.shape).toEqual([2, 2]);
    expect([...got!.data]).toEqual([6, -2, -2, -480]);
    const [product] = numbersOf((x, v) => hvp(g, [x], v), [1, 2], [1, -1]);
    expect([...product!.data]).toEqual([8, 478]);
  });
});

describe('structures', () => {
  const f = ({ w, b }: { w: Tensor; b: [Tensor] }, x: Tensor) => ({
    y: c.add(c.matmul(x, w), b[0]),
    norm: c.reshape(c.sum(c.square(w)), []),
  });
  const specs = [{ w: of([3, 2]), b: [of([2])] }, of([4, 3])] as const;

  it.each(['forward', 'reverse'] as const)('have results over arguments, %s', (mode) => {
    const { result } = trace(jacobian(f, { mode }), specs);
    const shapes = [result.y.w, result.y.b[0], result.norm.w, result.norm.b[0]].map(({ shape }) => shape);
    expect(shapes).toEqual([[4, 2, 3, 2], [4, 2, 2], [3, 2], [2]]);
    const values = valuesOf([of([3, 2]), of([2]), of([4, 3])]);
    const [w, , x] = values as [Float64Array, Float64Array, Float64Array];
    const [yw, yb, nw, nb] = evaluate(
      (w, b, x) => jacobian(f, { mode })({ w, b: [b] }, x),
      [of([3, 2]), of([2]), of([4, 3])],
      values,
    );
    // ∂y[n,o]/∂w[i,p] = x[n,i] [o = p]
    const want = Array.from({ length: 48 }, (_, k) => {
      const [n, o, i, p] = [Math.floor(k / 12), Math.floor(k / 6) % 2, Math.floor(k / 2) % 3, k % 2];
      return o === p ? x[3 * n + i]! : 0;
    });
    expectClose(yw!.data, want, 0);
    expect([...yb!.data]).toEqual(Array.from({ length: 16 }, (_, k) => Number((k >> 1) % 2 === k % 2)));
    expectClose(
      nw!.data,
      w.map((x) => 2 * x),
      1e-15,
    );
    expect([...nb!.data]).toEqual([0, 0]);
  });

  it('have a block of a Hessian for each pair', () => {
    const g = ({ a, b }: { a: Tensor; b: Tensor }) => c.sum(c.mul(c.square(a), c.sum(b)));
    const { result } = trace(hessian(g), [{ a: of([2]), b: of([3]) }]);
    expect([result.a.a, result.a.b, result.b.a, result.b.b].map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 3],
      [3, 2],
      [3, 3],
    ]);
  });
});

describe('hvp', () => {
  const f = (x: Tensor, w: Tensor) => c.mean(c.square(c.tanh(c.matmul(c.reshape(x, [1, 3]), w))));
  it('is the Hessian times each of many vectors', () => {
    const operands = [of([3]), of([3, 5]), of([2, 3])];
    const [h, products] = evaluate(
      (x, w, v) => [hessian(f)(x, w), hvp(f, [x, w], v)],
      operands,
      valuesOf(operands),
    );
    const v = valuesOf(operands)[2]!;
    const want = Float64Array.from({ length: 6 }, (_, k) =>
      [0, 1, 2].reduce((s, j) => s + h!.data[3 * (k % 3) + j]! * v[3 * Math.floor(k / 3) + j]!, 0),
    );
    expectClose(products!.data, want, 1e-14);
  });

  it('runs on the device', async () => {
    const gpu = await testGpu();
    await expectAgreement(gpu, (x, w, v) => [hessian(f)(x, w), hvp(f, [x, w], v)], [
      of([3]),
      of([3, 5]),
      of([2, 3]),
    ]);
  });
});

describe('random functions', () => {
  it('have the same Jacobians forward and reverse, which are limits of differences', () => {
    fc.assert(
      fc.property(
        randomFunctions([1, 2], { steps: 5, out: ['copy', 'choice', 'max', 'relu', 'amax'] }),
        ({ f, operands }) => {
          const values = valuesOf(operands);
          const of1 = (mode: 'forward' | 'reverse') =>
            evaluate((x, ...rest) => jacobian((x: Tensor) => f(x, ...rest), { mode })(x), operands, values);
          const [forward, reverse] = [of1('forward'), of1('reverse')];
          const n = values[0]!.length;
          for (const [i, { data }] of forward.entries()) expectClose(reverse[i]!.data, data, 1e-11);
          for (let j = 0; j < n; j++) {
            const h = 1e-5;
            const [up, down] = [h, -h].map((step) =>
              evaluate(f, operands, [values[0]!.map((x, k) => x + (k === j ? step : 0)), ...values.slice(1)]),
            );
            forward.forEach(({ data }, i) => {
              const [a, b] = [up![i]!.data, down![i]!.data];
              const scale = 1 + Math.max(...a.map(Math.abs), ...data.map(Math.abs));
              a.forEach((y, m) => {
                expect(Math.abs(data[m * n + j]! - (y - b[m]!) / (2 * h))).toBeLessThan(1e-6 * scale);
              });
            });
          }
        },
      ),
      { numRuns: 60, seed: 5 },
    );
  });

  it('of one element have Jacobians like any other', () => {
    const [got] = evaluate(jacobian(grad((x: Tensor) => c.mul(x, c.square(x)))), [of([])], [[2]]);
    expect(got).toMatchObject({ shape: [], data: Float64Array.of(12) });
  });
});

describe('mistakes', () => {
  it('are told', () => {
    expect(() => jacobian(c.sin, { mode: 'both' as 'forward' })).toThrow(/there is no mode both/);
    const index = c.iota([2]);
    expect(() => jacobian((x: Tensor) => x)(index)).toThrow(/u32\[2\], but only f32/);
    expect(() => hvp((x: Tensor) => c.sum(x), [c.full(1, [2])], c.full(1, [3]))).toThrow(
      'hvp: v: expected f32[2], got f32[3]',
    );
  });
});
