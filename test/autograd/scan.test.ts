import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { hvp, jacobian } from '../../src/autograd/jacobian.ts';
import { orthonormalize } from '../../src/autograd/linalg.ts';
import { plan } from '../../src/autograd/lower/plan.ts';
import { scan } from '../../src/autograd/scan.ts';
import { broadcastShapes } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize, valueAndGrad } from '../../src/autograd/transform.ts';
import { vmap } from '../../src/autograd/vmap.ts';
import { testGpu } from '../gpu/harness.ts';
import { randomFunctions } from './graphs.ts';
import {
  evaluate,
  expectAgreement,
  expectClose,
  indices,
  type Operand,
  of,
  timesAsLong,
  valuesOf,
} from './support.ts';

type F = (...xs: Tensor[]) => unknown;

/** Row `t` of an array, to write out what a loop does. */
const row = (x: Tensor, t: number) => {
  const { shape } = x;
  const chosen = c.equal(c.iota([shape[0]!, ...shape.slice(1).map(() => 1)], 0), t);
  return c.reshape(c.sum(c.where(chosen, x, 0), 0), shape.slice(1));
};

interface Weights {
  u: Tensor;
  w: Tensor;
  b: Tensor;
}
const tanhCell =
  ({ u, w, b }: Weights) =>
  (h: Tensor, x: Tensor): readonly [Tensor, Tensor] => {
    const next = c.tanh(c.add(c.add(c.matmul(h, w), c.matmul(x, u)), b));
    return [next, next];
  };
/** Gated, with two carries, one only added to, and outputs made of both and of neither. */
const gatedCell =
  ({ u, w, b }: Weights) =>
  ([h, s]: [Tensor, Tensor], x: Tensor): [[Tensor, Tensor], Record<'y' | 'x' | 'one', Tensor>] => {
    const gate = c.div(1, c.add(1, c.exp(c.neg(c.add(c.matmul(h, w), b)))));
    const next = c.add(c.mul(gate, h), c.mul(c.sub(1, gate), c.matmul(x, u)));
    const sum = c.add(s, c.relu(next));
    return [[next, sum], { y: c.mul(sum, gate), x: c.sin(x), one: c.full(1, [2]) }];
  };

const operands: Operand[] = [of([2, 3]), of([3, 3]), of([3]), of([4, 3]), of([5, 4, 2])];
const scalar = (x: Tensor) => c.reshape(x, []);
/** A loss over steps by a loop, and written out. */
const looped = (u: Tensor, w: Tensor, b: Tensor, h: Tensor, xs: Tensor) => {
  const [last, ys] = scan(gatedCell({ u, w, b }), [h, c.mul(h, 0.5)] as [Tensor, Tensor], xs);
  return scalar(
    c.mul(c.mul(scalar(c.sum(c.square(ys.y))), scalar(c.sum(ys.x))), scalar(c.mean(c.add(last[0], last[1])))),
  );
};
const unrolled = (u: Tensor, w: Tensor, b: Tensor, h: Tensor, xs: Tensor) => {
  let carry: readonly [Tensor, Tensor] = [h, c.mul(h, 0.5)];
  let [y, x]: Tensor[] = [c.constant(0), c.constant(0)];
  for (let t = 0; t < xs.shape[0]!; t++) {
    const [next, out] = gatedCell({ u, w, b })([carry[0], carry[1]], row(xs, t));
    carry = next;
    [y, x] = [c.add(y!, scalar(c.sum(c.square(out.y)))), c.add(x!, scalar(c.sum(out.x)))];
  }
  return c.mul(c.mul(y!, x!), scalar(c.mean(c.add(carry[0], carry[1]))));
};
const all =
  (f: (...xs: Tensor[]) => Tensor): F =>
  (...xs) =>
    valueAndGrad((xs: Tensor[]) => scalar(f(...xs)))(xs);

const twice = (x: Tensor) =>
  c.mul(c.add(c.reshape(c.cast(c.iota([2]), 'f32'), [2, ...x.shape.map(() => 1)]), 0.5), x);
const same = (f: F, g: F, operands: readonly Operand[], tolerance = 1e-12) => {
  const values = valuesOf(operands);
  const [got, want] = [f, g].map((f) => evaluate(f, operands, values));
  expect(got!.map(({ shape }) => shape)).toEqual(want!.map(({ shape }) => shape));
  got!.forEach(({ data }, i) => {
    expectClose(data, want![i]!.data, tolerance, `result ${i}`);
  });
};

describe('known values, from the documentation of JAX', () => {
  // jax.lax.scan: cumulative sums, forward and in reverse.
  const sums = (reverse: boolean) => (xs: Tensor) =>
    scan((sum: Tensor, x: Tensor) => [c.add(sum, x), c.add(sum, x)], c.full(0, []), xs, { reverse });
  it.each([
    [false, 10, [1, 3, 6, 10]],
    [true, 10, [10, 9, 7, 4]],
  ])('of cumulative sums, reverse: %s', (reverse, total, each) => {
    const [last, ys] = evaluate(sums(reverse), [of([4])], [[1, 2, 3, 4]]);
    expect([[...last!.data], [...ys!.data]]).toEqual([[total], each]);
  });

  it('of a fold without xs, and of the Fibonacci numbers', () => {
    const doubled = (x: Tensor) => scan((x: Tensor) => [c.mul(x, 2), null], x, undefined, { length: 5 })[0];
    expect([...evaluate(doubled, [of([2])], [[1, 3]])[0]!.data]).toEqual([32, 96]);
    const pair: [Tensor, Tensor] = [c.constant(0, 'u32'), c.constant(1, 'u32')];
    const fibonacci = () =>
      scan(([a, b]: [Tensor, Tensor]) => [[b, c.add(a, b)], a], pair, undefined, { length: 10 })[1];
    expect([...evaluate(fibonacci, [], [])[0]!.data]).toEqual([0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
  });
});

describe('a loop is what it would be written out', () => {
  it('with its derivatives of first and second order, forward and reverse', () => {
    same(all(looped), all(unrolled), operands);
    const slope =
      (f: typeof looped): F =>
      (...xs) =>
        grad((xs: Tensor[]) =>
          scalar(c.sum(grad((b: Tensor) => f(xs[0]!, xs[1]!, b, xs[3]!, xs[4]!))(xs[2]!))),
        )(xs);
    same(slope(looped), slope(unrolled), operands);
    const tangents = [...operands, ...operands];
    const along =
      (f: typeof looped): F =>
      (...xs) =>
        jvp((...xs: Tensor[]) => f(...(xs as Parameters<typeof looped>)), xs.slice(0, 5), xs.slice(5))[1];
    same(along(looped), along(unrolled), tangents);
  });

  it.each([1, 2])('of %i steps', (steps) => {
    const some = [...operands.slice(0, 4), of([steps, 4, 2])];
    same(all(looped), all(unrolled), some);
  });

  it('for many tangents at once, and over mapped axes', () => {
    const both =
      (f: typeof looped): F =>
      (...xs) => [
        jacobian((b: Tensor) => grad((h: Tensor) => f(xs[0]!, xs[1]!, b, h, xs[4]!))(xs[3]!))(xs[2]!),
        vmap(f, [null, null, 0, null, 0])(xs[0]!, xs[1]!, twice(xs[2]!), xs[3]!, c.mul(twice(xs[4]!), 0.5)),
        vmap((w: Tensor) => grad((h: Tensor) => f(xs[0]!, w, xs[2]!, h, xs[4]!))(xs[3]!))(
          twice(c.cos(xs[1]!)),
        ),
      ];
    same(both(looped), both(unrolled), operands);
  });

  it('inside another', () => {
    const nested = (w: Tensor, xs: Tensor) => {
      const inner = (h: Tensor, x: Tensor) =>
        scan((g: Tensor, z: Tensor) => [c.sin(c.add(c.mul(g, w), z)), c.mul(g, z)], h, x);
      const [last, ys] = scan((h: Tensor, x: Tensor) => inner(h, x), c.full(0.1, [2]), xs);
      return c.add(scalar(c.sum(c.square(ys))), scalar(c.sum(last)));
    };
    const flat = (w: Tensor, xs: Tensor) => {
      let h = c.full(0.1, [2]);
      let total: Tensor = c.constant(0);
      for (let i = 0; i < 3; i++)
        for (let j = 0; j < 4; j++) {
          const z = row(row(xs, i), j);
          total = c.add(total, scalar(c.sum(c.square(c.mul(h, z)))));
          h = c.sin(c.add(c.mul(h, w), z));
        }
      return c.add(total, scalar(c.sum(h)));
    };
    same(all(nested), all(flat), [of([2]), of([3, 4, 2])]);
  });

  it('with carries that change places, or are handed the same value', () => {
    const f = (a: Tensor, b: Tensor, xs: Tensor) => {
      const [[p, q], ys] = scan(
        ([a, b]: [Tensor, Tensor], x: Tensor) => [[b, c.mul(a, x)], c.add(a, b)],
        [a, b],
        xs,
      );
      const [[r, s]] = scan(
        ([a, b]: [Tensor, Tensor], x: Tensor) => {
          const next = c.sin(c.add(c.mul(a, x), b));
          return [[next, next], null];
        },
        [p, q],
        xs,
      );
      return c.add(scalar(c.sum(ys)), scalar(c.sum(c.mul(r, c.add(s, 3)))));
    };
    const g = (a: Tensor, b: Tensor, xs: Tensor) => {
      let [p, q] = [a, b];
      let total: Tensor = c.constant(0);
      for (let t = 0; t < 3; t++) {
        total = c.add(total, scalar(c.sum(c.add(p, q))));
        [p, q] = [q, c.mul(p, row(xs, t))];
      }
      for (let t = 0; t < 3; t++) p = q = c.sin(c.add(c.mul(p, row(xs, t)), q));
      return c.add(total, scalar(c.sum(c.mul(p, c.add(q, 3)))));
    };
    same(all(f), all(g), [of([2]), of([2]), of([3, 2])]);
  });
});

it('of random bodies, loops are what they would be written out, and so are derivatives', () => {
  fc.assert(
    fc.property(randomFunctions([1, 2], { steps: 5 }), fc.boolean(), ({ f, operands }, reverse) => {
      const shapes = [...operands, ...trace(f, operands).outputs].map(({ shape }) => shape);
      const base = broadcastShapes('base', shapes);
      const whole = (x: Tensor) => c.broadcastLike(x, c.full(0, base));
      const step =
        (w: Tensor) =>
        (h: Tensor, x: Tensor): [Tensor, Tensor] => {
          const [next, y] = f(h, x, w) as [Tensor, Tensor];
          return [whole(c.tanh(next)), y];
        };
      const result = (h: Tensor, ys: Tensor) => c.add(scalar(c.sum(c.square(h))), scalar(c.sum(c.sin(ys))));
      const looped = (h: Tensor, xs: Tensor, w: Tensor) =>
        result(...scan(step(w), whole(h), xs, { reverse }));
      const unrolled = (h: Tensor, xs: Tensor, w: Tensor) => {
        let next = whole(h);
        let total: Tensor = c.constant(0);
        for (let k = 0; k < 3; k++) {
          const [handed, y] = step(w)(next, row(xs, reverse ? 2 - k : k));
          next = handed;
          total = c.add(total, scalar(c.sum(c.sin(y))));
        }
        return c.add(scalar(c.sum(c.square(next))), total);
      };
      const [h, x, w] = operands as [Operand, Operand, Operand];
      const some = [h, of([3, ...x.shape]), w];
      same(all(looped), all(unrolled), some, 1e-10);
      const products =
        (f: typeof looped): F =>
        (...xs) =>
          hvp((xs: Tensor[]) => scalar(f(xs[0]!, xs[1]!, xs[2]!)), [xs.slice(0, 3)], xs.slice(3));
      same(
        products(looped),
        products(unrolled),
        [...some, ...some.map(({ shape }) => of([2, ...shape]))],
        1e-9,
      );
    }),
    { numRuns: 40, seed: 6 },
  );
});

describe('on the device', () => {
  /** Rows that lie where bindings can start, and others. */
  it.each([1, 16])(
    'with rows that start at multiples of %i times what the adapter asks for',
    async (times) => {
      const gpu = await testGpu();
      const offsetAlignment = times * gpu.traits.offsetAlignment;
      await expectAgreement(gpu, all(looped), operands, { traits: { offsetAlignment } });
    },
  );

  it('backward, with results at each step of all kinds', async () => {
    const f = (h: Tensor, xs: Tensor, k: Tensor) =>
      scan(
        ([h, n]: [Tensor, Tensor], { x, k }: { x: Tensor; k: Tensor }) => {
          const next = c.tanh(c.add(c.mul(h, 0.5), x));
          return [
            [next, c.add(n, k)],
            {
              before: h,
              after: next,
              count: n,
              big: c.greater(next, 0),
              x: c.mul(x, 2),
              one: c.full(1, [1]),
            },
          ];
        },
        [h, c.constant(3, 'u32')] as [Tensor, Tensor],
        { x: xs, k },
        { reverse: true },
      );
    for (const length of [1, 2, 5]) {
      const specs = [of([3]), of([length, 3]), indices([length], 9)];
      await expectAgreement(await testGpu(), f, specs);
    }
  });

  it('for batches, nested and in a row with others', async () => {
    const f = (w: Tensor, xs: Tensor, vs: Tensor) => {
      const rolled = (w: Tensor) =>
        scan(
          (h: Tensor, x: Tensor) =>
            scan((g: Tensor, z: Tensor) => [c.sin(c.add(c.mul(g, w), z)), c.mul(g, z)], h, x),
          c.mul(w, 0.1),
          xs,
        );
      const at = linearize((w: Tensor) => c.add(rolled(w)[0], scalar(c.sum(rolled(w)[1]))), w);
      return [at.value, at.apply(vs), at.applyTranspose(vs), vmap((w: Tensor) => rolled(w)[1])(vs)];
    };
    await expectAgreement(await testGpu(), f, [of([2]), of([3, 4, 2]), of([3, 2])], { tolerance: 3e-5 });
  });

  it('gives the same bits each time, and poisoned memory is never read', async () => {
    const gpu = await testGpu();
    const program = await expectAgreement(gpu, all(looped), operands);
    const values = valuesOf(operands);
    const [a, b] = [await program.run(...values), await program.run(...values)];
    expect(a).toEqual(b);
  });
});

describe('the work', () => {
  const cell = (u: Tensor, w: Tensor, b: Tensor, h: Tensor, xs: Tensor) =>
    c.mean(c.square(scan(tanhCell({ u, w, b }), h, xs)[1]));
  const specs = (steps: number) => [of([16, 32]), of([32, 32]), of([32]), of([8, 32]), of([steps, 8, 16])];

  it('is that of one body, repeated', async () => {
    const { traits } = await testGpu();
    const planned = (steps: number) => plan(trace(all(cell), specs(steps)), traits);
    // Written out, they take hundreds of times as long.
    expect(
      timesAsLong(
        () => planned(1000),
        () => planned(10),
      ),
    ).toBeLessThan(50);
    const { dispatches, slots } = planned(1000);
    expect(new Set(dispatches.map(({ kernel }) => kernel.wgsl)).size).toBeLessThan(20);
    expect(dispatches.length).toBeLessThan(8.1 * 1000);
    expect(slots.length).toBeLessThan(30);
    const forward = plan(trace(cell, specs(1000)), traits).dispatches;
    expect(forward.length).toBeLessThan(2.1 * 1000);
  });

  it('leaves out of a loop what nobody asks for, and before it what no step changes', async () => {
    const { traits } = await testGpu();
    const f = (h: Tensor, w: Tensor, xs: Tensor) =>
      scan(
        ([a, b]: [Tensor, Tensor], x: Tensor) => [
          [c.add(c.matmul(a, c.exp(w)), x), c.sin(c.matmul(b, w))],
          c.mul(x, 3),
        ],
        [h, h] as [Tensor, Tensor],
        xs,
      )[0][0];
    const { dispatches } = plan(trace(f, [of([4, 4]), of([4, 4]), of([6, 4, 4])]), traits);
    const names = dispatches.map(({ kernel }) => kernel.name.split('_')[0]);
    expect(names.filter((name) => name === 'pointwise').length).toBe(1);
    expect(names.filter((name) => name!.startsWith('matmul')).length).toBe(6);
  });

  it('prints with the body', () => {
    const f = (w: Tensor, h: Tensor, xs: Tensor) =>
      grad((w: Tensor) =>
        c.sum(scan((h: Tensor, x: Tensor) => [c.mul(c.sin(h), c.mul(x, w)), null], h, xs)[0]),
      )(w);
    expect(printGraph(trace(f, [of([]), of([]), of([5])]))).toMatchInlineSnapshot(`
      "graph(%0: f32[] 0, %1: f32[] 1, %2: f32[5] 2)
        %3: f32[] = copy(%0)
        loop 0, 5 steps: graph(%0: f32[] carry, %1: f32[] x, %2: f32[] shared)
            %3: f32[] = sin(%0)
            %4: f32[] = mul(%1, %2)
            %5: f32[] = mul(%3, %4)
            return %5, %0
        %4: f32[5] = scan{loop=0 each=%0}(%1, %2, %3)
        loop 1, 5 steps backward: graph(%0: f32[] step, %1: f32[] step, %2: f32[] step, %3: f32[] step, %4: f32[] shared)
            %5: f32[] = sin(%2)
            %6: f32[] = cos(%2)
            %7: f32[] = mul(%0, %5)
            %8: f32[] = mul(%7, %3)
            %9: f32[] = add(%1, %8)
            %10: f32[] = mul(%3, %4)
            %11: f32[] = mul(%0, %10)
            %12: f32[] = mul(%11, %6)
            return %12, %9
        %5: f32[] = scan{loop=1 last=%9}(1, 0, %4, %2, %3)
        return %5"
    `);
  });
});

describe('mistakes', () => {
  const x = (...shape: number[]) => c.full(1, shape);
  const step = (h: Tensor, x: Tensor): [Tensor, Tensor] => [c.add(h, x), x];
  it.each<[string, () => unknown, RegExp]>([
    [
      'rows of another number',
      () => scan(step, x(), x(3), { length: 4 }),
      /scan: xs is f32\[3\], for 4 steps/,
    ],
    [
      'lists of other lengths',
      () => scan((h: Tensor, _: { a: Tensor; b: Tensor }) => [h, null], x(), { a: x(3), b: x(2) }),
      /xs b is f32\[2\], for 3 steps/,
    ],
    ['scalars in the place of rows', () => scan(step, x(), x()), /the length is nothing/],
    ['no length', () => scan((h: Tensor) => [h, null], x()), /the length is nothing/],
    [
      'half a step',
      () => scan((h: Tensor) => [h, null], x(), undefined, { length: 1.5 }),
      /the length is 1\.5/,
    ],
    [
      'a carry that grows',
      () => scan(step, x(1), x(3, 2)),
      /scan: carry is f32\[2\] after a step, f32\[1\] before/,
    ],
    [
      'a carry of another type',
      () => scan((h: Tensor, x: Tensor) => [c.greater(h, x), null], x(), x(3)),
      /carry is bool\[\] after/,
    ],
    [
      'a carry of another structure',
      () => scan((h: Tensor[], _: Tensor) => [h.slice(1), null], [x(), x()], x(3)),
      /carry 1: expected/,
    ],
    [
      'no pair',
      () => scan(((h: Tensor) => h) as never, x(), x(3)),
      /returns f32\[\]|returns a Tensor|the function returns/,
    ],
    [
      'results of no step',
      () => scan((h: Tensor) => [h, h], x(), undefined, { length: 0 }),
      /no ys of 0 steps/,
    ],
    [
      'a derivative that a step lacks',
      () =>
        grad((h: Tensor) =>
          c.sum(scan((h: Tensor) => [orthonormalize(h), null], h, undefined, { length: 2 })[0]),
        )(x(2, 2)),
      /no derivative/,
    ],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
    expect(f).toThrow(expect.objectContaining({ remedy: expect.any(String) }));
  });

  it('but no step is fine where nothing is asked of it', () => {
    const h = x(2);
    expect(scan((h: Tensor) => [c.sin(h), null], h, undefined, { length: 0 })).toEqual([h, null]);
  });
});
