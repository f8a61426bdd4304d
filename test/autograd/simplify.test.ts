import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { printGraph, trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { plan } from '../../src/autograd/lower/plan.ts';
import { simplify } from '../../src/autograd/lower/simplify.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { softwareTraits } from '../gpu/traits.ts';
import { randomFunctions } from './graphs.ts';
import { countOps, expectClose, type Operand, of, valuesOf } from './support.ts';

/** A function's simplified graph, after checking that it has the original's values and shapes. */
function simplified(f: (...xs: Tensor[]) => unknown, operands: readonly Operand[]) {
  const graph = trace(f, operands);
  const outputs = simplify(graph.outputs);
  const values = valuesOf(operands);
  const want = interpret(graph, values);
  interpret({ ...graph, outputs }, values).forEach((got, i) => {
    expect(got.shape).toEqual(want[i]!.shape);
    expect(got.dtype).toBe(want[i]!.dtype);
    expectClose(got.data, want[i]!.data, 1e-11, printGraph(graph));
  });
  return { inputs: graph.inputs, outputs };
}

const opsAfter = (f: (...xs: Tensor[]) => unknown, ...shapes: number[][]) => {
  const { input, ...ops } = countOps(
    simplified(
      f,
      shapes.map((s) => of(s)),
    ),
  );
  return ops;
};

describe('simplify keeps the values', () => {
  it('of random functions', () => {
    fc.assert(
      fc.property(randomFunctions([1, 2, 3, 4]), ({ f, operands }) => {
        simplified(f, operands);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('of their gradients', () => {
    fc.assert(
      fc.property(randomFunctions([1, 2, 3], { steps: 8 }), ({ f, operands }) => {
        const total = (xs: Tensor[]) => f(...xs).reduce((s, y) => c.add(s, c.sum(y)), c.constant(0));
        simplified((...xs) => grad(total)(xs), operands);
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});

describe('simplify', () => {
  describe('takes a matrix for its product with unit vectors', () => {
    const unit = (d: number) => c.cast(c.equal(c.iota([d, d]), c.iota([d, d], -2)), 'f32');

    it('as rows', () => {
      expect(opsAfter((b) => c.matmul(unit(5), b), [5, 7])).toEqual({});
      expect(opsAfter((b) => c.matmul(unit(5), b, { transposeB: true }), [7, 5])).toEqual({ transpose: 1 });
    });

    it('as matrices along a batch, beside batches of both', () => {
      // [5 unit vectors, 2 batches, 3 rows each the same, 5] · [2, 5, 7]
      const a = () => c.broadcast(c.reshape(unit(5), [5, 1, 1, 5]), [5, 2, 3, 5]);
      expect(opsAfter((b) => c.sin(c.matmul(a(), b)), [2, 5, 7])).not.toHaveProperty('matmul');
      expect(opsAfter((b) => c.sin(c.matmul(a(), b, { transposeB: true })), [2, 7, 5])).not.toHaveProperty(
        'matmul',
      );
    });

    it('but not where the matrices differ along the unit vectors, or it is something else', () => {
      const a = () => c.broadcast(c.reshape(unit(5), [5, 1, 5]), [5, 3, 5]);
      expect(opsAfter((b) => c.matmul(a(), b), [5, 5, 7])).toMatchObject({ matmul: 1 });
      expect(opsAfter((b) => c.matmul(unit(5), b, { transposeA: true }), [5, 7])).toMatchObject({
        matmul: 1,
      });
      const less = () => c.cast(c.greater(c.iota([5, 5]), c.iota([5, 5], -2)), 'f32');
      expect(opsAfter((b) => c.matmul(less(), b), [5, 7])).toMatchObject({ matmul: 1 });
      const first = () => c.cast(c.equal(c.iota([5, 5]), c.iota([3, 5, 5], -3)), 'f32');
      expect(opsAfter((b) => c.matmul(first(), b), [5, 7])).toMatchObject({ matmul: 1 });
    });
  });

  it('makes equal operations one, whatever the order of operands', () => {
    const f = (x: Tensor, y: Tensor) => c.sub(c.sin(c.add(x, y)), c.mul(c.sin(c.add(y, x)), 0.5));
    expect(opsAfter(f, [3], [3])).toEqual({ add: 1, sin: 1, sub: 1, mul: 1, constant: 1 });
  });

  it('does not take operations with other parameters for equal', () => {
    const f = (x: Tensor) => [
      c.sum(x, -1),
      c.amax(x, -1),
      c.transpose(x, [1, 0, 2]),
      c.transpose(x, [2, 1, 0]),
    ];
    expect(opsAfter(f, [2, 2, 2])).toEqual({ reduce: 2, transpose: 2 });
  });

  it('makes one of two transpositions', () => {
    const f = (x: Tensor) => c.transpose(c.transpose(x, [1, 2, 0]), [0, 2, 1]);
    expect(opsAfter(f, [2, 3, 4])).toEqual({ transpose: 1 });
    const g = (x: Tensor) => c.transpose(c.mT(x), [2, 0, 1]);
    expect(opsAfter(g, [2, 3, 4])).toEqual({ transpose: 1 });
  });

  it('drops what does nothing', () => {
    const f = (x: Tensor) => {
      const same = c.stopGradient(c.neg(c.neg(c.transpose(c.transpose(x, [1, 2, 0]), [2, 0, 1]))));
      return c.add(c.mul(c.reshape(c.reshape(same, [24]), [2, 3, 4]), 1), c.full(-0, [2, 3, 4]));
    };
    expect(opsAfter((x) => c.sin(f(x)), [2, 3, 4])).toEqual({ sin: 1 });
  });

  it('keeps the shape that adding zeros or multiplying by ones gives', () => {
    const { outputs } = simplified(
      (x) => [c.add(c.full(0, [4, 1]), x), c.mul(c.full(1, [4, 1]), x)],
      [of([1, 4])],
    );
    expect(outputs.map((y) => y.shape)).toEqual([
      [4, 4],
      [4, 4],
    ]);
    const three = () => c.cast(c.full(3, [2, 2]), 'u32');
    const f = () => [
      c.add(c.full(2, [2, 2]), 1),
      c.mul(c.full(2, [2, 1]), c.full(4, [3])),
      c.add(three(), three()),
    ];
    simplified(f, []);
  });

  it('keeps what is not nothing: to −0, 0 adds a sign', () => {
    expect(opsAfter((x) => c.add(x, 0), [3])).toMatchObject({ add: 1 });
    expect(opsAfter((x) => [c.mul(x, 0), c.sub(x, x), c.div(x, x), c.mul(x, -0)], [3])).toEqual({
      mul: 2,
      sub: 1,
      div: 1,
      constant: 2,
    });
  });

  it('computes with literals where float32 does not round otherwise', () => {
    const literals = (f: () => Tensor) =>
      simplify(trace(f, []).outputs).map((y) => (y.is('constant') ? y.params.value : y.op));
    const [tiny, huge] = [c.constant(1e-9), c.constant(3e38)];
    expect(literals(() => c.mul(c.constant(3), c.constant(0.5)))).toEqual([1.5]);
    expect(literals(() => c.mul(c.constant(1), c.constant(0.1)))).toEqual([0.1]);
    expect(literals(() => c.add(c.add(tiny, 1), -1))).toEqual(['add']);
    expect(literals(() => c.mul(tiny, c.mul(tiny, c.mul(tiny, c.mul(tiny, tiny)))))).toEqual(['mul']);
    expect(literals(() => c.add(huge, huge))).toEqual(['add']);
    expect(literals(() => c.neg(c.constant(0)))).toEqual([-0]);
    expect(literals(() => c.add(c.constant(2 ** 32 - 1, 'u32'), 1))).toEqual(['add']);
  });

  it('leaves factors in their groups', () => {
    expect(opsAfter((x) => c.mul(2, c.mul(c.neg(c.mul(x, 3)), 4)), [3])).toMatchObject({ mul: 3 });
    expect(opsAfter((x, s) => c.sum(c.mul(x, s), -1), [3, 4], [3, 1])).toEqual({ mul: 1, reduce: 1 });
  });

  it('gives products their operands as they are stored', () => {
    const f = (x: Tensor, y: Tensor) => c.matmul(c.mT(x), c.mT(y), { transposeB: true });
    const { outputs } = simplified(f, [of([2, 5, 3]), of([2, 5, 4])]);
    expect(outputs[0]!.op).toBe('matmul');
    expect(outputs[0]!.params).toEqual({ transposeA: true, transposeB: false });
  });
});

describe('sums of copies', () => {
  it('are multiples', () => {
    const copies = (x: Tensor) => c.sum(c.broadcast(x, [3, 4]), -1);
    expect(opsAfter(copies, [3, 1])).toEqual({ mul: 1, constant: 1 });
    expect(opsAfter((x) => c.sum(c.broadcast(x, [3, 4])), [1, 1])).toEqual({ mul: 1, constant: 1 });
    expect(opsAfter((x) => c.sum(c.broadcast(x, [3, 4]), 0), [3, 1])).toMatchObject({ reduce: 1 });
  });

  it.each<[string, (x: Tensor, s: Tensor) => Tensor, number[], number[]]>([
    ['repeated along a part of the axes', (x, s) => c.sum(c.mul(x, s)), [3, 4], [3, 1]],
    ['the only one', (_, s) => c.sum(c.broadcast(s, [3, 4]), -1), [1], [3, 1]],
    ['a scalar that is repeated', (_, s) => c.sum(c.broadcast(s, [3, 4])), [1], [1, 1]],
    [
      'of lower rank',
      (x, s) => c.sum(c.mul(x, c.broadcast(c.reshape(s, [1, 4]), [3, 4])), 0),
      [5, 3, 4],
      [4],
    ],
    ['narrower than the sum', (x, s) => c.sum(c.mul(c.broadcast(x, [5, 4]), s), 1), [1, 4], [1, 1]],
    [
      'repeated along an axis that stays too',
      (x, s) => c.add(c.sum(c.broadcast(s, [3, 4]), 1), x),
      [3, 1],
      [1, 1],
    ],
    ['of ones only', () => c.sum(c.full(1, [3, 4]), 0), [1], [1]],
    ['beside axes of size 1', (x, s) => c.sum(c.mul(x, s), [0, 1]), [1, 4], [1, 4]],
  ])('%s', (_, f, x, s) => {
    simplified(f, [of(x), of(s)]);
  });
});

describe('BatchNorm', () => {
  it('takes two sums, in one kernel, in its backward pass', () => {
    const norm = (x: Tensor, gamma: Tensor, beta: Tensor) => {
      const rate = c.rsqrt(c.add(c.variance(x, 0), 1e-5));
      return c.normalize(x, c.mean(x, 0), rate, gamma, beta);
    };
    const f = (x: Tensor, gamma: Tensor, beta: Tensor, target: Tensor) =>
      grad(([x, gamma, beta]: Tensor[]) => c.sum(c.mul(c.sin(norm(x!, gamma!, beta!)), target)))([
        x,
        gamma,
        beta,
      ]);
    const operands = [of([32, 8]), of([8]), of([8]), of([32, 8])];
    const { dispatches } = plan(trace(f, operands), { ...softwareTraits, maxStorageBuffersPerStage: 16 });
    simplified(f, operands);
    expect(dispatches.map(({ kernel }) => kernel.name)).toMatchInlineSnapshot(`
      [
        "reduce_variance_mean",
        "pointwise",
        "reduce_sum_sum",
        "pointwise",
        "pointwise",
      ]
    `);
  });
});
