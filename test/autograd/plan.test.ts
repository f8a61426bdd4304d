import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import * as c from '../../src/autograd/functions.ts';
import { type Graph, trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { fuse } from '../../src/autograd/lower/fuse.ts';
import { type Plan, plan } from '../../src/autograd/lower/plan.ts';
import { simplify } from '../../src/autograd/lower/simplify.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { withGpu } from '../gpu/harness.ts';
import { softwareTraits } from '../gpu/traits.ts';
import { randomFunctions } from './graphs.ts';
import {
  evaluate,
  expectAgreement,
  expectClose,
  type Operand,
  of,
  poisoned,
  timesAsLong,
  valuesOf,
} from './support.ts';

const traits = softwareTraits;

const planOf = (
  f: (...xs: Tensor[]) => unknown,
  operands: readonly Operand[],
  options: Partial<Pick<Plan, 'inPlace'>> = {},
) => plan(trace(f, operands), traits, options);

/**
 * Walks a plan along the groups it was made from, noting which tensor each slot holds, and asserts that what
 * a group reads is still there, and that no dispatch writes what it or another of its bindings reads.
 */
function expectSoundMemory(graph: Graph, { dispatches, slots }: Plan): void {
  const groups = fuse(simplify(graph.outputs), traits);
  const held = slots.map((): Tensor | undefined => undefined);
  const place = new Map<Tensor, number>();
  let next = 0;
  for (const group of groups) {
    for (const t of new Set(group.reads)) {
      const slot = place.get(t);
      if (slot !== undefined) expect(held[slot], `slot ${slot} before dispatch ${next}`).toBe(t);
    }
    const steps = group.kind === 'reduce' && isSplit(dispatches[next]!) ? 1 + group.nodes.length : 1;
    const outs = dispatches.slice(next, next + steps).flatMap(({ kernel, buffers }) => {
      const written = buffers.filter((_, i) => kernel.bindings[i] === 'read_write').map(name);
      const read = buffers.filter((_, i) => kernel.bindings[i] !== 'read_write').map(name);
      expect(new Set([...written, ...read]).size).toBe(written.length + new Set(read).size);
      for (const ref of buffers) if (ref.kind === 'slot') expect(slots[ref.index]).toBeGreaterThan(0);
      // A split's step writes what nobody reads until the group is done.
      buffers.forEach((ref, i) => {
        if (ref.kind === 'slot' && kernel.bindings[i] === 'read_write') held[ref.index] = undefined;
      });
      return [buffers.filter((_, i) => kernel.bindings[i] === 'read_write')];
    });
    const refs = steps > 1 ? outs.slice(1).flat() : outs[0]!;
    expect(refs.length).toBe(group.nodes.length);
    group.nodes.forEach((t, i) => {
      const ref = refs[i]!;
      if (ref.kind !== 'slot') return;
      expect(slots[ref.index]).toBeGreaterThanOrEqual(4 * t.size);
      held[ref.index] = t;
      place.set(t, ref.index);
    });
    next += steps;
  }
  expect(next).toBe(dispatches.length);
}

const name = (ref: { kind: string; index: number }) => `${ref.kind} ${ref.index}`;
const isSplit = ({ kernel }: Plan['dispatches'][number]) => kernel.uniforms![1] !== kernel.uniforms![0];

describe('memory', () => {
  it('never holds two live values in one slot', () => {
    fc.assert(
      fc.property(randomFunctions([2, 3], { steps: 12 }), ({ f, operands }) => {
        const total = (xs: Tensor[]) => f(...xs).reduce((s, y) => c.add(s, c.sum(y)), c.constant(0));
        // Own outputs, so that the plan need not copy any.
        const whole = (...xs: Tensor[]) =>
          grad(total)(xs).map((g, i) => c.add(c.sin(g), c.full(i + 1, g.shape)));
        const graph = trace(whole, operands);
        expectSoundMemory(graph, plan(graph, traits));
      }),
      { numRuns: 100, seed: 8 },
    );
  });

  it('is kept for a value that one kernel reads in two ways', async () => {
    const f = (x: Tensor) => {
      const product = c.matmul(x, x);
      const both = c.matmul(c.add(product, c.mT(product)), x);
      const [p, q] = [c.matmul(both, x), c.matmul(x, both)];
      return c.matmul(p, q);
    };
    const graph = trace(f, [of([5, 5])]);
    expectSoundMemory(graph, plan(graph, traits));
    await withGpu((gpu) => expectAgreement(gpu, f, [of([5, 5], -0.5, 0.5)]));
  });

  it('is used again along a chain', () => {
    const chain = (x: Tensor) => {
      let y = x;
      for (let i = 0; i < 20; i++) y = c.matmul(y, x);
      return y;
    };
    expect(planOf(chain, [of([8, 8])]).slots).toEqual([256, 256]);
  });

  it('is refused beyond what one binding may span', () => {
    expect(() => planOf((x) => c.matmul(x, c.neg(x)), [of([6000, 6000])])).toThrow(
      /input of shape \[6000,6000\] takes 144000000 bytes, more than the 134217728/,
    );
    expect(() => planOf((x) => c.sum(c.broadcast(c.matmul(x, x), [8, 8]), 0), [of([8, 8])])).not.toThrow();
  });
});

describe('planning', () => {
  it('takes time in proportion to shared values, not exponentially more', () => {
    const f = (times: number) => (x: Tensor) => {
      let y = x;
      for (let i = 0; i < times; i++) y = c.mul(c.add(c.neg(y), 1), c.relu(y));
      return y;
    };
    const planned = (times: number) => planOf(f(times), [of([4])]);
    expect(
      timesAsLong(
        () => planned(60),
        () => planned(10),
      ),
    ).toBeLessThan(50);
    expect(planned(60).dispatches.length).toBeLessThan(60);
  });

  it('computes what is expensive once, and what is cheap where it is used', () => {
    const twice = (g: (x: Tensor) => Tensor) => (x: Tensor) => {
      const y = g(x);
      return [c.sum(y, 0), c.matmul(y, y), c.mul(y, 2)];
    };
    const names = (f: (x: Tensor) => unknown) =>
      planOf(f, [of([8, 8])]).dispatches.map(({ kernel }) => kernel.name);
    // Products need their operand in memory, where sums read it; pointwise work is computed beside it.
    expect(names(twice(c.sin)).filter((n) => n === 'pointwise')).toHaveLength(1);
    const apart = (g: (x: Tensor) => Tensor) => (x: Tensor) => [
      c.variance(g(x), 0),
      c.amax(c.mul(g(x), 2), 1),
    ];
    expect(names(apart((x) => c.sin(c.exp(x))))).toHaveLength(3);
    expect(names(apart(c.neg))).toHaveLength(2);
  });

  it('reduces the same space in one kernel', () => {
    const f = (x: Tensor, y: Tensor) => [c.sum(x, 0), c.amax(c.mul(x, y), 0), c.variance(y, 0), c.sum(x, 1)];
    const names = planOf(f, [of([8, 6]), of([8, 6])]).dispatches.map(({ kernel }) => kernel.name);
    expect(names.sort()).toEqual(['reduce_sum', 'reduce_sum_max_variance']);
  });
});

describe('outputs', () => {
  it('may be inputs, each other, other sides of each other, literals and coordinates', () =>
    withGpu(async (gpu) => {
      const f = (x: Tensor, k: Tensor) => {
        const y = c.mul(x, 2);
        const flat = c.reshape(y, [6]);
        return [
          x,
          y,
          y,
          flat,
          flat,
          c.reshape(x, [6]),
          c.full(3, [2]),
          c.iota([2, 3], -2),
          k,
          c.constant(5),
          c.mT(x),
        ];
      };
      await expectAgreement(gpu, f, [of([2, 3]), { shape: [4], dtype: 'u32' }]);
    }));
});

describe('an output that replaces an input', () => {
  const data = [1, 2, 3, 4, 5, 6, 7, 8];
  /** Runs with output `o` bound to the array of input `i` for each pair; returns the outputs. */
  const run = (f: (...xs: Tensor[]) => Tensor[], inPlace: [number, number][], shapes: number[][]) =>
    withGpu(async (gpu) => {
      const operands = shapes.map((s) => of(s));
      const program = await compile(poisoned(gpu), f, operands, { inPlace });
      const values = shapes.map((s, i) => (i ? valuesOf([of(s)], i)[0]! : Float64Array.from(data)));
      const inputs = shapes.map((s, i) => DeviceArray.from(gpu, values[i]!, s));
      const made: DeviceArray[] = [];
      const outputs = program.graph.outputs.map((t, o) => {
        const pair = inPlace.find(([p]) => p === o);
        if (pair) return inputs[pair[1]]!;
        const array = DeviceArray.from(gpu, new Float32Array(t.size).fill(Number.NaN), t.shape);
        made.push(array);
        return array;
      });
      const bound = program.bind(inputs, outputs);
      bound.submit();
      const want = evaluate(f, operands, values);
      for (const [i, y] of outputs.entries()) expectClose(await y.read(), want[i]!.data, 1e-5);
      for (const x of [bound, ...inputs, ...made]) x.dispose();
      return program;
    });

  it('is written after everyone has read the input', () =>
    run(
      (x, g) => [c.sub(x, c.mul(g, 0.1)), c.sum(c.mul(x, x)), c.matmul(x, c.mT(x))],
      [[0, 0]],
      [
        [2, 4],
        [2, 4],
      ],
    ));

  it('may itself be read afterwards', () =>
    run(
      (x) => {
        const next = c.add(c.mul(x, 2), 1);
        return [next, c.matmul(next, c.mT(next)), c.mul(next, 3)];
      },
      [[0, 0]],
      [[2, 4]],
    ));

  it('may come from a kernel that does not read it', () =>
    run(
      (_, a, b) => [c.matmul(a, b)],
      [[0, 0]],
      [
        [2, 4],
        [2, 3],
        [3, 4],
      ],
    ));

  it('may be made of a product and the input', () =>
    run(
      (x, a, b) => [c.sub(x, c.mul(c.matmul(a, b), 0.1))],
      [[0, 0]],
      [
        [2, 4],
        [2, 3],
        [3, 4],
      ],
    ));

  it('may be read after a product has read the input', () =>
    run(
      (x, g) => {
        const next = c.add(x, g);
        return [next, c.mul(c.matmul(c.mT(x), x), c.sum(next, 0))];
      },
      [[0, 0]],
      [
        [2, 4],
        [2, 4],
      ],
    ));

  it('may be the input as it is', () => run((x) => [x], [[0, 0]], [[8]]));

  it('may stand beside others', () =>
    run(
      (x, v, g) => {
        const momentum = c.add(c.mul(v, 0.9), g);
        return [c.sub(x, c.mul(momentum, 0.1)), momentum];
      },
      [
        [0, 0],
        [1, 1],
      ],
      [[8], [8], [8]],
    ));

  it('may be needed beside the input, in one kernel', async () => {
    const both = (x: Tensor) => [c.mul(x, 2), c.add(c.mul(x, 2), c.square(x))];
    expect((await run(both, [[0, 0]], [[8]])).plan.dispatches).toHaveLength(1);
  });

  it('is computed with what follows from it, and counters beside other small values', async () => {
    const update = (mean: Tensor, x: Tensor, v: Tensor, g: Tensor, step: Tensor) => {
      const momentum = c.add(c.mul(v, 0.9), g);
      const rate = c.mul(c.cos(step), 0.1);
      return [c.mul(mean, 0.9), c.sub(x, c.mul(momentum, rate)), momentum, c.add(step, 1)];
    };
    const pairs = [0, 1, 2, 4].map((i, o): [number, number] => [o, i]);
    const { plan } = await run(update, pairs, [[8], [20_000], [20_000], [20_000], [1]]);
    expect(plan.dispatches.map(({ kernel }) => kernel.bindings.length)).toEqual([3, 4]);
  });

  // Outputs may be views of one buffer.
  it('is not computed beside what reads another output', () => {
    const f = (x: Tensor, v: Tensor) => {
      const sums = c.sum(x, 0);
      return [sums, c.mul(v, 2), c.matmul(c.mul(c.sin(sums), v), x)];
    };
    for (const { kernel, buffers } of planOf(f, [of([4, 4]), of([1, 4])]).dispatches) {
      const bound = kernel.bindings.map((access, i) => buffers[i]!.kind === 'output' && access);
      expect(bound.includes('read_write') && bound.some((access) => access && access !== 'read_write')).toBe(
        false,
      );
    }
  });

  it('is computed beside more elements, as long as these are not too many', async () => {
    const both = (x: Tensor, y: Tensor, z: Tensor) => [c.mul(x, 2), c.add(y, z)];
    for (const [size, dispatches] of [
      [12, 1],
      [20_000, 2],
    ] as const) {
      const pairs: [number, number][] = [
        [0, 0],
        [1, 1],
      ];
      expect((await run(both, pairs, [[8], [size], [1]])).plan.dispatches).toHaveLength(dispatches);
    }
  });

  it('is taken by a list that others are taken by, in one kernel if no other is what it replaces', async () => {
    const list = c.rem(c.add(c.iota([4]), 2), 4);
    const take = (a: Tensor, b: Tensor) => [c.take(a, list), c.take(b, list, { scale: 2 })];
    const shapes = [
      [4, 2],
      [4, 2],
    ];
    expect((await run(take, [], shapes)).plan.dispatches).toHaveLength(2);
    expect((await run(take, [[0, 1]], shapes)).plan.dispatches).toHaveLength(3);
  });

  it('is no single element that other workgroups read', async () => {
    const { plan } = await run((x, step) => [c.mul(x, step), c.add(step, 1)], [[1, 1]], [[8], [1]]);
    expect(plan.dispatches).toHaveLength(2);
  });

  it('is written between one that reads the input and one that reads it itself, over one space', () =>
    run(
      (x, a, b) => {
        const [next, late] = [c.matmul(a, b), c.amax(c.square(c.sum(a, 1)))];
        return [next, c.mul(next, 3), c.mul(x, late)];
      },
      [[0, 0]],
      [
        [2, 4],
        [2, 3],
        [3, 4],
      ],
    ));

  const refusal = /output \d cannot replace input 0 in place/;
  it.each<[string, (...xs: Tensor[]) => Tensor[], [number, number][], number[][]]>([
    ['is needed in another order', (x) => [c.add(x, c.mT(x))], [[0, 0]], [[4, 4]]],
    ['is needed turned', (x) => [c.mul(c.mT(x), 2)], [[0, 0]], [[4, 4]]],
    ['is read by the product that replaces it', (x) => [c.matmul(x, x)], [[0, 0]], [[4, 4]]],
    ['is read by the reduction that replaces it', (x) => [c.sum(x, -1)], [[0, 0]], [[4, 4]]],
    ['has another size', (x) => [c.add(x, c.full(0.5, [4, 4]))], [[0, 0]], [[1, 4]]],
    [
      'is needed beside the output',
      (x) => [c.mul(x, 2), c.sum(c.add(c.mul(x, 2), c.square(x)), 0)],
      [[0, 0]],
      [[4, 4]],
    ],
  ])('is refused where the input %s', (_, f, inPlace, shapes) => {
    expect(() =>
      planOf(
        f,
        shapes.map((s) => of(s)),
        { inPlace: new Map(inPlace) },
      ),
    ).toThrow(refusal);
  });
});

describe('a plan', () => {
  it('is the same for the same graph', () => {
    fc.assert(
      fc.property(randomFunctions([3, 4]), ({ f, operands }) => {
        const [a, b] = [planOf(f, operands), planOf(f, operands)];
        expect(b.dispatches.map(({ kernel }) => kernel.wgsl)).toEqual(
          a.dispatches.map(({ kernel }) => kernel.wgsl),
        );
        expect(b.slots).toEqual(a.slots);
      }),
      { numRuns: 30, seed: 9 },
    );
  });

  it('gives results of the right size and type to the interpreter too', () => {
    const graph = trace((x: Tensor) => [c.greater(x, 0), c.cast(x, 'u32')], [of([3])]);
    expect(interpret(graph, [[-1, 0, 2.7]])).toMatchObject([
      { dtype: 'bool', data: Float64Array.of(0, 0, 1) },
      { dtype: 'u32', data: Float64Array.of(0, 0, 2) },
    ]);
  });
});
