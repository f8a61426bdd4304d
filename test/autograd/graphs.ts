import fc from 'fast-check';
import * as c from '../../src/autograd/functions.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { type Operand, of } from './support.ts';

/** A random function of three tensors, which are whole or repeated over [b, n, n], and its operands. */
export interface RandomFunction {
  readonly f: (...xs: Tensor[]) => Tensor[];
  readonly operands: readonly Operand[];
  toString(): string;
}

type Step = (pick: (nth: number) => Tensor, base: readonly number[], n: number) => Tensor;

/** Axes by number: each set of one to three. */
const axesOf = (n: number) => [-1, -2, -3].filter((_, i) => (((n % 7) + 1) >> i) & 1);
const whole = (x: Tensor, base: readonly number[]) => c.broadcastLike(x, c.full(0, base));

/** Continuous, and bounded enough that ten of them do not overflow. */
const STEPS: Record<string, Step> = {
  add: (x) => c.add(x(0), x(1)),
  sub: (x) => c.sub(x(0), x(1)),
  mul: (x) => c.mul(x(0), c.sin(x(1))),
  square: (x) => c.square(c.cos(x(0))),
  div: (x) => c.div(x(0), c.add(c.square(x(1)), 1)),
  neg: (x) => c.neg(x(0)),
  max: (x) => c.maximum(x(0), x(1)),
  choice: (x) => c.where(c.greater(x(0), x(1)), c.mul(x(0), 2), c.add(x(0), x(1))),
  relu: (x) => c.relu(x(0)),
  scale: (x, _, n) => c.mul(x(0), [-1, 0.5, 2, 1, 0, -0.25][n % 6]!),
  shift: (x, _, n) => c.add(x(0), [0, 1, -1.5][n % 3]!),
  column: (x, [b, n], k) => c.mul(x(0), c.full([1, 0, -1, 0.5][k % 4]!, [b!, n!, 1])),
  row: (x, [, n], k) => c.add(c.full([0, 1, 0.5][k % 3]!, [n!]), x(0)),
  sum: (x, _, n) => c.mul(c.sum(x(0), axesOf(n)), 0.1),
  mean: (x, _, n) => c.mean(x(0), axesOf(n)),
  amax: (x, _, n) => c.amax(x(0), axesOf(n)),
  variance: (x, _, n) => c.variance(x(0), axesOf(n)),
  weighted: (x, base, n) => c.mul(c.sum(c.mul(c.neg(whole(x(0), base)), x(1)), axesOf(n)), 0.1),
  spread: (x, base) => whole(x(0), base),
  swap: (x, base) => c.mT(whole(x(0), base)),
  flat: (x, base) => c.reshape(c.sin(c.reshape(whole(x(0), base), [base[0]! * base[1]!, base[1]!])), base),
  product: (x, base, n) =>
    c.mul(
      c.matmul(whole(x(0), base), c.mT(whole(x(1), base)), {
        transposeA: n % 2 > 0,
        transposeB: n % 4 > 1,
      }),
      0.2,
    ),
  copy: (x) => c.stopGradient(x(0)),
};

/** Functions of up to `steps` operations (none of `out`) that return `results` of their last values. */
export function randomFunctions(
  sides: readonly number[],
  { steps = 10, results = 2, out = [] as readonly string[] } = {},
): fc.Arbitrary<RandomFunction> {
  const names = Object.keys(STEPS).filter((name) => !out.includes(name));
  const step = fc.record({
    name: fc.constantFrom(...names),
    operands: fc.tuple(fc.nat(3), fc.nat(7)),
    n: fc.nat(11),
  });
  const operand = fc.record({ rank: fc.integer({ min: 1, max: 3 }), ones: fc.nat(7) });
  return fc
    .record({
      b: fc.constantFrom(1, 2, 3),
      n: fc.constantFrom(...sides),
      inputs: fc.tuple(operand, operand, operand),
      recipe: fc.array(step, { minLength: 2, maxLength: steps }),
    })
    .map(({ b, n, inputs, recipe }) => {
      const base = [b, n, n];
      const shapes = inputs.map(({ rank, ones }) =>
        base.map((d, axis) => ((ones >> axis) & 1 ? 1 : d)).slice(3 - rank),
      );
      const f = (...xs: Tensor[]) => {
        const made = xs.map((x) => c.reshape(x, [...new Array<number>(3 - x.rank).fill(1), ...x.shape]));
        for (const { name, operands, n } of recipe) {
          made.push(STEPS[name]!((nth) => made.at(-1 - (operands[nth]! % made.length))!, base, n));
        }
        return made.slice(3).slice(-results);
      };
      const text = recipe.map((s) => `${s.name}(${s.operands}; ${s.n})`).join(' ');
      return {
        f,
        operands: shapes.map((s) => of(s)),
        toString: () => `[${base}] ${JSON.stringify(shapes)} ${text}`,
      };
    });
}
