import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { svd } from '../../src/autograd/linalg.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize, valueAndGrad, vjp } from '../../src/autograd/transform.ts';
import { randomFunctions } from './graphs.ts';
import { dot, evaluate, expectClose, type Operand, of, valuesOf } from './support.ts';

/** The numbers that a function of scalars returns. */
const at = (f: (...xs: Tensor[]) => unknown, ...xs: number[]): number[] =>
  evaluate(
    f,
    xs.map(() => of([])),
    xs.map((x) => [x]),
  ).flatMap(({ data }) => [...data]);

describe('derivatives of derivatives', () => {
  it('do not mistake one variable for another', () => {
    // d/dx x·(d/dy (x + y)) = 1, not 2
    const f = (x: Tensor) => c.mul(x, grad((y: Tensor) => c.add(x, y))(c.constant(1)));
    expect(at(grad(f), 3)).toEqual([1]);
    // d/dx x·(d/dy x·y at y = x) = d/dx x² = 2x
    const g = (x: Tensor) => c.mul(x, grad((y: Tensor) => c.mul(x, y))(x));
    expect(at(grad(g), 3)).toEqual([6]);
    expect(at((x) => jvp(g, [x], [c.constant(1)])[1], 3)).toEqual([6]);
    const one = c.constant(1);
    const h = (x: Tensor) => c.mul(x, jvp((y: Tensor) => c.mul(x, y), [x], [one])[1]);
    expect(at((x) => jvp(h, [x], [one])[1], 3)).toEqual([6]);
  });

  it('go on to any order', () => {
    const derivatives: ((x: Tensor) => Tensor)[] = [c.sin];
    for (let i = 0; i < 4; i++) derivatives.push(grad(derivatives[i]!));
    const want = [Math.sin, Math.cos, (x: number) => -Math.sin(x), (x: number) => -Math.cos(x), Math.sin];
    expectClose(
      at((x) => derivatives.map((f) => f(x)), 0.7),
      want.map((f) => f(0.7)),
      1e-15,
    );
  });

  it('close over variables from outside, which may be differentiated in turn', () => {
    // x³ y: ∂/∂y of ∂/∂x = 3 x²
    const f = (y: Tensor) => (x: Tensor) => c.mul(c.mul(x, c.mul(x, x)), y);
    expect(at((x, y) => grad((y: Tensor) => grad(f(y))(x))(y), 2, 5)).toEqual([12]);
  });
});

describe('the work', () => {
  it('does not grow exponentially with shared values', () => {
    const depth = 60;
    const f = (x: Tensor) => {
      let y = x;
      for (let i = 0; i < depth; i++) y = c.mul(c.add(c.sin(y), c.cos(y)), 0.6);
      return y;
    };
    const graph = trace((x: Tensor) => [f(x), grad(f)(x), grad(grad(f))(x)], [of([])]);
    expect(ancestors(graph.outputs).length).toBeLessThan(100 * depth);
    const number = (x: number) => {
      let [y, dy] = [x, 1];
      for (let i = 0; i < depth; i++) {
        [y, dy] = [0.6 * (Math.sin(y) + Math.cos(y)), 0.6 * dy * (Math.cos(y) - Math.sin(y))];
      }
      return [y, dy];
    };
    expectClose(
      at((x) => [f(x), grad(f)(x)], 0.3),
      number(0.3),
      1e-14,
    );
  });

  it('leaves out what the derivative does not need', () => {
    const f = (x: Tensor, y: Tensor) => c.add(c.mul(x, 3), c.exp(c.sin(y)));
    const graph = trace((x: Tensor, y: Tensor) => grad((x: Tensor) => f(x, y))(x), [of([]), of([])]);
    expect(ancestors(graph.outputs).map(({ op }) => op)).not.toContain('exp');
  });
});

describe('conventions', () => {
  it.each<[string, (x: Tensor) => Tensor, number, number]>([
    ['relu at 0', c.relu, 0, 0],
    ['relu below', c.relu, -1, 0],
    ['relu above', c.relu, 1, 1],
    ['a tie of max: half of each', (x) => c.maximum(c.mul(x, 3), c.mul(x, 5)), 0, 4],
    ['a tie of min: half of each', (x) => c.minimum(c.mul(x, 3), c.mul(x, 5)), 0, 4],
    ['a tie with a literal', (x) => c.maximum(x, 0), 0, 0.5],
    ['|x| at 0', (x) => c.maximum(x, c.neg(x)), 0, 0],
    ['the larger of x and itself', (x) => c.maximum(x, x), 3, 1],
    ['the slope of x|x| at 0', grad((x) => c.mul(x, c.maximum(x, c.neg(x)))), 0, 0],
    ['where, taken', (x) => c.where(c.greater(x, 0), c.mul(x, 2), c.mul(x, 7)), 1, 2],
    ['where, not taken', (x) => c.where(c.greater(x, 0), c.mul(x, 2), c.mul(x, 7)), -1, 7],
    ['stopGradient', (x) => c.mul(c.stopGradient(x), x), 3, 3],
    ['cast', (x) => c.add(c.cast(c.cast(x, 'u32'), 'f32'), x), 3, 1],
    ['a function that ignores its argument', () => c.constant(4), 3, 0],
    ['the identity', (x) => x, 3, 1],
  ])('%s', (_, f, x, want) => {
    expect(at(grad(f), x)).toEqual([want]);
    expect(at((x) => jvp(f, [x], [c.constant(1)])[1], x)).toEqual([want]);
  });

  it('shares the derivative of amax among ties', () => {
    const [got] = evaluate(
      grad((x: Tensor) => c.sum(c.amax(x, -1))),
      [of([2, 4])],
      [[1, 3, 3, 0, 5, 5, 5, 5]],
    );
    expect([...got!.data]).toEqual([0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25]);
  });

  it('gives the structure of the first argument, and leaves the others alone', () => {
    const params = { w: of([2]), deep: [{ b: of([]) }, of([1])] } as const;
    const f = (p: { w: Tensor; deep: [{ b: Tensor }, Tensor] }, x: Tensor) =>
      c.sum(c.mul(c.add(c.mul(p.w, x), p.deep[0].b), p.deep[1]));
    const { result } = trace(grad(f), [params, of([2])]);
    expect(Object.keys(result)).toEqual(['w', 'deep']);
    expect([result.w, result.deep[0].b, result.deep[1]].map(({ shape }) => shape)).toEqual([[2], [], [1]]);
  });

  it('passes on what a function returns beside its value', () => {
    const f = (x: Tensor): [Tensor, { twice: Tensor }] => [c.mul(x, x), { twice: c.mul(x, 2) }];
    expect(at((x) => valueAndGrad(f, { hasAux: true })(x), 3)).toEqual([9, 6, 6]);
    expect(at((x) => valueAndGrad((x: Tensor) => f(x)[0])(x), 3)).toEqual([9, 6]);
  });

  it('gives a vjp of several results', () => {
    const f = (x: Tensor, y: Tensor) => ({ product: c.mul(x, y), sum: c.add(x, y), one: c.constant(1) });
    const back = (x: Tensor, y: Tensor) => {
      const [value, pull] = vjp(f, x, y);
      return [value, pull({ product: c.constant(10), sum: c.constant(1), one: c.constant(5) })];
    };
    expect(at(back, 2, 3)).toEqual([6, 5, 1, 31, 21]);
  });
});

describe('errors', () => {
  const x = (): Tensor => trace((x: Tensor) => x, [of([2])]).inputs[0]!;
  const index = (): Tensor => trace((x: Tensor) => x, [{ shape: [2], dtype: 'u32' }]).inputs[0]!;

  it.each<[string, () => unknown, RegExp]>([
    [
      'a gradient of what is not a scalar',
      () => grad((x: Tensor) => x)(x()),
      /grad: the function returns f32\[2\], not a scalar of f32/,
    ],
    ['an argument of integers', () => grad((x: Tensor) => c.sum(x))(index()), /an argument is u32\[2\]/],
    [
      'no derivative',
      () => grad((x: Tensor) => c.sum(svd(c.matmul(x, x)).s))(c.full(1, [2, 2])),
      /svd has no derivative/,
    ],
    [
      'a tangent of another shape',
      () => jvp(c.sin, [x()], [c.full(1, [3])]),
      /tangent 0: expected f32\[2\], got f32\[3\]/,
    ],
    [
      'a tangent with more axes',
      () => jvp(c.sin, [x()], [c.full(1, [3, 2])]),
      /tangent 0: expected f32\[2\], got f32\[3,2\]/,
    ],
    [
      'tangents of another number',
      () => jvp(c.sin, [x()], [] as never),
      /tangent 0: expected f32\[2\], got nothing/,
    ],
    [
      'directions with different leading axes',
      () =>
        linearize((a: Tensor, b: Tensor) => c.add(a, b), x(), x()).apply(c.full(1, [3, 2]), c.full(1, [2])),
      /tangent 1: expected f32\[3,2\], got f32\[2\]/,
    ],
    [
      'a cotangent of another shape',
      () => linearize(c.sin, x()).applyTranspose(c.full(1, [4])),
      /cotangent: expected f32\[2\], got f32\[4\]/,
    ],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
    expect(f).toThrow(expect.objectContaining({ remedy: expect.any(String) }));
  });
});

describe('random functions', () => {
  const shapesOf = (f: (...xs: Tensor[]) => Tensor[], operands: readonly Operand[]) =>
    trace(f, operands).outputs.map(({ shape }) => shape);

  it('have derivatives that are adjoint to their transposes, also for batches of directions', () => {
    fc.assert(
      fc.property(
        randomFunctions([1, 2, 3]),
        fc.constantFrom([], [1], [2], [2, 3]),
        ({ f, operands }, lead) => {
          const many = (shapes: readonly (readonly number[])[]) => shapes.map((s) => of([...lead, ...s]));
          const us = many(shapesOf(f, operands));
          const vs = many(operands.map(({ shape }) => shape));
          const values = valuesOf([...operands, ...vs, ...us]);
          const both = (...all: Tensor[]) => {
            const at = linearize((...xs: Tensor[]) => f(...xs), ...all.slice(0, 3));
            return [at.apply(...all.slice(3, 6)), at.applyTranspose(all.slice(6))];
          };
          const results = evaluate(both, [...operands, ...vs, ...us], values);
          const jv = results.slice(0, us.length);
          const jtu = results.slice(us.length);
          // Each direction is a pairing of its own.
          const count = lead.reduce<number>((a, b) => a * b, 1);
          const part = (v: Float64Array, k: number) =>
            v.subarray((k * v.length) / count, ((k + 1) * v.length) / count);
          for (let k = 0; k < count; k++) {
            const pair = (a: readonly { data: Float64Array }[], b: readonly Float64Array[]) =>
              a.reduce((s, x, i) => s + dot(part(x.data, k), part(b[i]!, k)), 0);
            const size = jv.reduce(
              (s, { data }, i) => s + dot(data.map(Math.abs), values[6 + i]!.map(Math.abs)),
              1,
            );
            expect(Math.abs(pair(jv, values.slice(6)) - pair(jtu, values.slice(3, 6)))).toBeLessThan(
              1e-11 * size,
            );
          }
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('have derivatives that are limits of differences', () => {
    fc.assert(
      fc.property(
        randomFunctions([2, 3], { steps: 6, out: ['copy', 'choice', 'max', 'relu', 'amax'] }),
        ({ f, operands }) => {
          const values = valuesOf([...operands, ...operands]);
          const tangents = (...all: Tensor[]) =>
            jvp((...xs: Tensor[]) => f(...xs), all.slice(0, 3), all.slice(3))[1];
          const got = evaluate(tangents, [...operands, ...operands], values);
          const h = 1e-5;
          const moved = (step: number) =>
            evaluate(
              f,
              operands,
              values.slice(0, 3).map((v, i) => v.map((x, j) => x + step * values[3 + i]![j]!)),
            );
          const [up, down] = [moved(h), moved(-h)];
          got.forEach(({ data }, i) => {
            const want = data.map((_, j) => (up[i]!.data[j]! - down[i]!.data[j]!) / (2 * h));
            const scale = 1 + Math.max(...up[i]!.data.map(Math.abs), ...want.map(Math.abs));
            expect(Math.max(...data.map((x, j) => Math.abs(x - want[j]!)))).toBeLessThan(1e-6 * scale);
          });
        },
      ),
      { numRuns: 200, seed: 4 },
    );
  });
});
