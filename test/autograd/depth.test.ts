import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { type Plan, plan } from '../../src/autograd/lower/plan.ts';
import type { Spec } from '../../src/autograd/signature.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize } from '../../src/autograd/transform.ts';
import type { AnyFunction } from '../../src/autograd/tree.ts';
import { withGpu } from '../gpu/harness.ts';
import { softwareTraits } from '../gpu/traits.ts';
import { expectAgreement, of, timesAsLong } from './support.ts';

const traits = { ...softwareTraits, maxTexelBytes: 2 ** 26 };

/** Times as long as 2,000 operations: tens of thousands take a fifth of it, or far more if not linear. */
const LIMIT = 100;

type Options = Partial<Pick<Plan, 'inPlace'>>;
function planOf(f: AnyFunction<unknown>, specs: readonly unknown[], options: Options = {}) {
  const graph = trace(f, specs);
  return { graph, ...plan(graph, traits, options) };
}

/** The plan of a function, which must not take too long beside one of 2,000 operations. */
function planned(f: AnyFunction<unknown>, specs: readonly unknown[], options: Options = {}) {
  let made!: ReturnType<typeof planOf>;
  const body = () => {
    made = planOf(f, specs, options);
  };
  expect(timesAsLong(body, () => planOf(total(decay(1000)), [MATRIX]))).toBeLessThan(LIMIT);
  const { graph, dispatches } = made;
  for (const { buffers } of dispatches) {
    expect(buffers.length).toBeLessThanOrEqual(traits.maxStorageBuffersPerStage);
  }
  return { graph, dispatches, sources: new Set(dispatches.map(({ kernel }) => kernel.wgsl)) };
}

const repeat = (times: number, step: (y: Tensor, i: number) => Tensor) => (x: Tensor) => {
  let y = x;
  for (let i = 0; i < times; i++) y = step(y, i);
  return y;
};
const decay = (times: number) => repeat(times, (y) => c.add(c.mul(y, 0.9), 0.1));
const total = (f: (x: Tensor) => Tensor) => (x: Tensor) => c.sum(f(x));
const MATRIX = { shape: [4, 4] };

describe('deep graphs are planned in linear time', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['a chain of 20,000 operations', decay(10_000)],
    ['20,000 squares', repeat(20_000, c.square)],
    ['values that are used twice each', repeat(5000, (y) => c.mul(c.add(c.neg(y), 1), c.relu(y)))],
    ['sums of a value and its transpose', repeat(7000, (y) => c.add(y, c.mul(c.mT(y), 0.5)))],
    ['views of views', repeat(6000, (y) => c.reshape(c.mT(c.reshape(y, [4, 1, 4])), [4, 4]))],
    ['reductions', repeat(5000, (y) => c.sub(y, c.mul(c.mean(y, -1), 0.5)))],
    ['products', repeat(2000, (y) => c.matmul(y, y))],
    ['products with chains', repeat(1500, (y) => c.relu(c.add(c.matmul(y, y), 1)))],
  ])('%s', (_, f) => {
    const { dispatches, sources } = planned(total(f), [MATRIX]);
    // Nothing is compiled once for each of its thousand repetitions.
    expect(sources.size).toBeLessThan(30);
    for (const { kernel } of dispatches) expect(kernel.wgsl.length).toBeLessThan(16_000);
  });

  it.each<[string, AnyFunction<unknown>]>([
    ['by gradients of chains', grad(total(decay(10_000)))],
    ['by gradients of squares', grad(total(repeat(4000, c.square)))],
    ['by gradients of products', grad(total(repeat(1000, (y) => c.matmul(y, y))))],
    ['by tangents', (x: Tensor) => jvp(repeat(4000, c.sin), [x], [x])],
    [
      'by linear maps and their transposes',
      (x: Tensor) => {
        const map = linearize(repeat(2000, c.sin), x);
        return [map.apply(c.full(1, [3, 4, 4])), map.applyTranspose(x)];
      },
    ],
  ])('%s', (_, f) => {
    planned(f, [MATRIX]);
  });

  it('with outputs that replace inputs', () => {
    const f = (x: Tensor, y: Tensor) => [repeat(2000, (y) => c.sin(c.mT(y)))(x), c.add(x, y)];
    planned(f, [MATRIX, MATRIX], { inPlace: new Map([[1, 1]]) });
  });

  it('k squares under a sum as k operations', () => {
    const { dispatches } = planned((x) => c.sum(repeat(60, c.square)(x), -1), [MATRIX]);
    expect(dispatches.length).toBeLessThan(8);
  });
});

describe('wide graphs are planned in linear time', () => {
  const specs = Array.from({ length: 5000 }, (): Spec => ({ shape: [4] }));
  const added = (xs: readonly Tensor[]) => xs.reduce((a, b) => c.add(a, b));

  it('of 5,000 inputs', () => {
    const { dispatches } = planned((xs: Tensor[]) => added(xs), [specs]);
    // Each reads as many as a kernel may bind, less what it adds to.
    expect(dispatches.length).toBeLessThan(1.1 * (5000 / (traits.maxStorageBuffersPerStage - 2)));
    planned(
      grad((xs: Tensor[]) => c.sum(c.square(added(xs)))),
      [specs],
    );
  });

  it('of 5,000 outputs, that replace their inputs', () => {
    const inPlace = new Map(specs.map((_, i) => [i, i]));
    planned((xs: Tensor[]) => xs.map((x, i) => c.mul(x, i % 7)), [specs], { inPlace });
  });

  it('of 5,000 uses of a value', () => {
    const uses = (x: Tensor) => specs.map((_, i) => c.mul(x, c.add(c.sum(x), i % 7)));
    planned((x: Tensor) => uses(c.matmul(x, x)), [MATRIX]);
    planned(
      grad((x: Tensor) => c.sum(added(uses(x)))),
      [MATRIX],
    );
  });

  it('of 5,000 sums over one space', () => {
    const { dispatches } = planned((xs: Tensor[]) => added(xs.map((x) => c.sum(x))), [specs]);
    // Four of them fit into a kernel: four inputs, four sums.
    expect(dispatches.filter(({ kernel }) => kernel.name.startsWith('reduce'))).toHaveLength(1250);
  });
});

describe('deep programs run right', () => {
  it('of 20,000 operations, from few pipelines', () =>
    withGpu(async (gpu) => {
      const f = decay(10_000);
      const program = await expectAgreement(gpu, (x) => [f(x), grad(total(decay(20)))(x)], [of([33])], {
        tolerance: 1e-4,
      });
      expect(new Set(program.plan.dispatches.map(({ kernel }) => kernel.wgsl)).size).toBeLessThan(10);
    }));

  it('of 600 operations with their gradient', () =>
    withGpu(async (gpu) => {
      const f = repeat(200, (y) => c.add(y, c.mul(c.sin(y), 0.01)));
      await expectAgreement(gpu, (x) => [f(x), grad(total(f))(x)], [of([5, 4])], {
        tolerance: 1e-4,
      });
    }));

  it('of 400 inputs and outputs', () =>
    withGpu(async (gpu) => {
      const f = (...xs: Tensor[]) => [xs.reduce((a, b) => c.add(a, b)), ...xs.map((x) => c.mul(x, 2))];
      await expectAgreement(
        gpu,
        f,
        Array.from({ length: 400 }, () => of([3])),
      );
    }));

  it('in the interpreter, and as text', () => {
    const graph = trace(decay(10_000), [{ shape: [1] }]);
    expect(interpret(graph, [[5]])[0]!.data[0]).toBeCloseTo(1, 10);
    expect(printGraph(graph).split('\n')).toHaveLength(20_002);
  });
});
