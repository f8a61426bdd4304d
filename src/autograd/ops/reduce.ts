import { CollimateError } from '../../errors.ts';
import * as c from '../operations.ts';
import type { ReduceKind } from '../primitives.ts';
import type { Rules } from '../rule.ts';
import { formatShape, isInteger, sizeOf, type Tensor, wrap } from '../tensor.ts';
import { broadcastIndex } from './indexing.ts';

/** For each element, the product of all others along an axis, by halves: no division, so zeros are fine. */
function others(x: Tensor, axis: number): Tensor {
  const n = x.shape.at(axis)!;
  if (n === 1) return c.full(1, x.shape);
  const half = Math.ceil(n / 2);
  const even = c.pad(x, [[0, n % 2], ...new Array<[0, 0]>(-1 - axis).fill([0, 0])], 1);
  const [a, b] = [c.slice(even, 0, half, axis), c.slice(even, half, 2 * half, axis)];
  const rest = others(c.mul(a, b), axis);
  return c.slice(c.concat([c.mul(rest, b), c.mul(rest, a)], axis), 0, n, axis);
}

/** Kinds for integers, too. */
const WHOLE: readonly ReduceKind[] = ['sum', 'max', 'prod'];

export const reduceRules: Pick<Rules, 'reduce'> = {
  reduce: {
    shape: ([x], { kind, axes }) => {
      const bad = axes.find((a, i) => !Number.isInteger(a) || a >= 0 || -a > x!.rank || axes.indexOf(a) < i);
      if (bad !== undefined) {
        throw new CollimateError(
          `${kind}: axis ${bad} is not in shape ${formatShape(x!.shape)}, or given twice`,
          'Reductions take axes counted from the end: −1 is the last.',
        );
      }
      if (x!.dtype !== 'f32' && !(isInteger(x!.dtype) && WHOLE.includes(kind))) {
        throw new CollimateError(`${kind}: the operand is ${x!.dtype}`, 'Convert it with cast to f32.');
      }
      return {
        shape: x!.shape.map((d, i) => (axes.includes(i - x!.rank) ? 1 : d)),
        dtype: x!.dtype,
      };
    },
    reference: ([x], { kind }, out) => {
      const map = broadcastIndex(x!.shape, out.shape);
      const n = x!.data.length / sizeOf(out.shape);
      const fold = (start: number, f: (acc: number, v: number, o: number) => number) => {
        const acc = new Float64Array(sizeOf(out.shape)).fill(start);
        x!.data.forEach((v, i) => {
          const o = map(i);
          acc[o] = f(acc[o]!, v, o);
        });
        return acc;
      };
      if (kind === 'max') return fold(-Infinity, (acc, v) => Math.max(acc, v));
      const { dtype } = out;
      if (kind === 'prod')
        return fold(1, isInteger(dtype) ? (a, v) => wrap(dtype, Math.imul(a, v)) : (a, v) => a * v);
      const total = fold(0, (acc, v) => wrap(dtype, acc + v));
      if (kind === 'sum') return total;
      if (kind === 'mean') return total.map((x) => x / n);
      return fold(0, (acc, v, o) => acc + (v - total[o]! / n) ** 2).map((s) => s / n);
    },
    jvp: ([t], [x], out) => {
      if (!t) return null;
      const { kind, axes } = out.params;
      switch (kind) {
        case 'sum':
          return c.sum(t, axes);
        case 'mean':
          return c.mean(t, axes);
        case 'max': {
          // d max(x) = mean of dx over the places where x attains it
          const attained = c.equal(x!, out);
          const pick = (x: Tensor) => c.sum(c.where(attained, x, 0), axes);
          return c.div(pick(t), pick(c.zerosLike(x!, 1)));
        }
        case 'prod': {
          // d Π x = Σ dx_i Π_{j ≠ i} x_j, axis by axis
          const factors = axes.map((axis, i) => others(i ? c.prod(x!, axes.slice(0, i)) : x!, axis));
          return c.sum(factors.reduce(c.mul, t), axes);
        }
        case 'variance': {
          // d var(x) = 2 mean((x − mean x) dx), since Σ(x − mean x) = 0
          return c.mul(c.mean(c.mul(c.sub(x!, c.mean(x!, axes)), t), axes), 2);
        }
      }
    },
    transpose: (ct, [x], _, { params: { kind } }) => {
      if (kind === 'sum') return [c.broadcastLike(ct, x!)];
      if (kind === 'mean') return [c.broadcastLike(c.mul(ct, ct.size / x!.size), x!)];
      throw new Error(`reduce ${kind} is not linear`);
    },
    lowering: { kind: 'reduce' },
  },
};
