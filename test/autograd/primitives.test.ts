import { describe, expect, it } from 'vitest';
import * as c from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import type { Primitive } from '../../src/autograd/primitives.ts';
import { rules } from '../../src/autograd/rules.ts';
import { scan } from '../../src/autograd/scan.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad, jvp, linearize } from '../../src/autograd/transform.ts';
import { vmap } from '../../src/autograd/vmap.ts';
import { testGpu } from '../gpu/harness.ts';
import { differences } from './derivatives.ts';
import {
  countOps,
  dot,
  evaluate,
  expectAgreement,
  expectClose,
  indices,
  numbers,
  type Operand,
  of,
  valuesOf,
} from './support.ts';

/** A function of tensors and its operands. Those of f32 are differentiated. */
interface Case {
  f: (...xs: Tensor[]) => Tensor;
  operands: readonly Operand[];
}

const on = (f: Case['f'], ...operands: (Operand | readonly number[])[]): Case => ({
  f,
  operands: operands.map((x) => ('shape' in x ? x : of(x))),
});

const positive = (...shape: number[]) => of(shape, 0.3, 3);
const u32 = (shape: number[], high = 1000): Operand => indices(shape, high);
const i32 = (shape: number[], high = 1000): Operand => ({ shape, dtype: 'i32', low: -high, high });
const ANY = 2 ** 31 - 128;
const image = (shape: number[]): Operand => ({ shape, dtype: 'u8' });

/** Windows of any size, stride and padding, with an image and channels to move over: the same each time. */
const windows = Array.from({ length: 6 }, (_, i) => {
  const draw = numbers(10, 40 + i, 0, 1);
  const from = (k: number, low: number, high: number) => low + Math.floor(draw[k]! * (high - low + 1));
  const size = [from(0, 1, 4), from(1, 1, 4)] as const;
  return {
    size,
    options: {
      stride: [from(2, 1, 3), from(3, 1, 3)],
      padding: [from(4, 0, size[0] - 1), from(5, 0, size[1] - 1)],
    } as const,
    image: [size[0] + from(6, 0, 4), size[1] + from(7, 0, 4), from(8, 1, 5)],
    features: from(9, 1, 6),
  };
});

/** Every primitive: a missing one does not compile. Binary ones also meet integers and repeated shapes. */
const cases: { [P in Primitive]: readonly Case[] } = {
  input: [on((x) => x, [3, 5])],
  constant: [
    on((x) => c.mul(c.add(x, -1.25), 3e7), [6]),
    on((x) => c.add(c.full(1e-7, [3]), c.mul(x, 0)), [3]),
    on((x) => c.mul(c.mul(x, 16_777_217), 3.4e-30), [3]),
    on((k) => c.sub(c.maximum(k, 0x9e3779b9), 2 ** 32 - 5), u32([5], 2 ** 32)),
    on((k) => c.sub(c.maximum(k, -(2 ** 31)), 2 ** 31 - 1), i32([5], ANY)),
  ],
  iota: [
    on((x) => c.mul(x, c.cast(c.iota([3, 4, 2], -2), 'f32')), [3, 4, 2]),
    on((x) => c.add(c.rem(c.iota([4, 8]), 3), x), u32([1, 8])),
  ],
  copy: [on((x) => c.mul(x, x), [5])],
  stopGradient: [on((x) => c.mul(c.stopGradient(c.exp(x)), x), [7])],
  add: [
    on(c.add, [3, 4], [3, 4]),
    on(c.add, [2, 3, 4], [3, 1]),
    on(c.add, u32([5], 2 ** 32), u32([5], 2 ** 32)),
    on(c.add, i32([2, 8], ANY), i32([8], ANY)),
  ],
  sub: [
    on(c.sub, [3, 4], [3, 4]),
    on(c.sub, [4], [3, 1]),
    on(c.sub, u32([5]), u32([5])),
    on(c.sub, i32([9], ANY), i32([9], ANY)),
  ],
  mul: [
    on(c.mul, [3, 4], [3, 4]),
    on((x) => c.mul(c.cast(x, 'f32'), x), [3]),
    on(c.mul, [3, 1], [2, 1, 5]),
    on(c.mul, u32([5], 2 ** 32), u32([5], 2 ** 32)),
    on(c.mul, i32([16], ANY), i32([16], ANY)),
  ],
  div: [
    on(c.div, [3, 4], positive(3, 4)),
    on(c.div, [1, 4], positive(3, 1)),
    on((a, b) => c.div(a, c.add(b, 1)), u32([9]), u32([9], 20)),
    on((a, b) => c.add(c.div(a, b), c.div(a, -7)), i32([40]), i32([40], 9)),
  ],
  rem: [
    on((a, b) => c.rem(a, c.add(b, 1)), u32([9]), u32([9], 20)),
    on((a, b) => c.add(c.rem(a, b), c.rem(a, -7)), i32([40]), i32([40], 9)),
  ],
  max: [
    on(c.maximum, [3, 4], [3, 4]),
    on(c.maximum, [3, 4], [4]),
    on(c.maximum, u32([9]), u32([9])),
    on(c.maximum, i32([9]), i32([9])),
  ],
  min: [
    on(c.minimum, [3, 4], [3, 4]),
    on(c.minimum, [1], [3, 4]),
    on(c.minimum, u32([9]), u32([9])),
    on(c.minimum, i32([8]), i32([8])),
  ],
  neg: [on(c.neg, [3, 5]), on(c.neg, i32([3, 8], ANY))],
  exp: [on(c.exp, [3, 5])],
  log: [on(c.log, positive(3, 5))],
  sqrt: [on(c.sqrt, positive(3, 5))],
  rsqrt: [on(c.rsqrt, positive(3, 5))],
  cos: [on(c.cos, [3, 5]), on(c.cos, of([40], -500, 500))],
  sin: [on(c.sin, [3, 5]), on(c.sin, of([40], -500, 500))],
  tanh: [on(c.tanh, [3, 5]), on((x) => c.mul(c.tanh(x), c.exp(x)), [4, 8])],
  sigmoid: [on(c.sigmoid, [3, 5]), on((x) => c.mul(c.sigmoid(x), x), of([4, 8], -20, 20))],
  erf: [on(c.erf, [3, 5]), on((x) => c.mul(x, c.add(c.erf(x), 1)), of([4, 8], -5, 5))],
  pow: [
    on(c.pow, positive(3, 4), [3, 4]),
    on(c.pow, positive(3, 1), [4]),
    on((x) => c.pow(x, 3), [3, 4]),
    on((x) => c.add(c.pow(x, 1), c.add(c.pow(x, 0), c.pow(x, 2))), [5]),
    on((x) => c.pow(2.5, x), [9]),
    on((x) => c.pow(x, -1.5), positive(2, 8)),
  ],
  abs: [
    on(c.abs, [3, 5]),
    on((x) => c.mul(c.sign(x), c.abs(c.exp(x))), [4, 8]),
    on((k) => c.sub(c.abs(k), c.sign(k)), i32([9])),
  ],
  floor: [on((x) => c.mul(c.floor(x), x), of([40], -9, 9))],
  round: [on((x) => c.mul(c.round(x), x), of([40], -9, 9))],
  relu: [on(c.relu, [3, 8])],
  normalize: [
    on(c.normalize, [3, 4, 5], [1, 5], [5], [1, 5], [5]),
    on(c.normalize, [6, 4], [6, 1], [6, 1], [4], [1]),
  ],
  greater: [
    on((a, b) => c.where(c.greater(a, b), a, c.neg(b)), [3, 4], [3, 1]),
    on((a, b) => c.cast(c.greater(a, b), 'u32'), u32([20], 3), u32([20], 3)),
    on(c.greater, [2, 8], [8]),
    on(c.greater, i32([4, 8], 3), i32([8], 3)),
  ],
  equal: [
    on((a, b) => c.cast(c.equal(a, b), 'f32'), u32([20], 3), u32([20], 3)),
    on((a, b) => c.cast(c.equal(a, b), 'i32'), i32([20], 2), i32([20], 2)),
    on((a) => c.where(c.equal(c.relu(a), 0), a, c.mul(a, a)), [12]),
  ],
  and: [
    on((a, b) => c.and(c.less(a, b), c.notEqual(a, 1)), u32([4, 8], 3), u32([8], 3)),
    on((a, b) => c.where(c.and(c.greaterEqual(a, 0), c.lessEqual(b, 1)), a, b), [3, 1], [4]),
  ],
  or: [on((a, b) => c.cast(c.or(c.lessEqual(a, b), c.equal(b, 0)), 'f32'), u32([20], 3), u32([20], 3))],
  not: [on((a, b) => c.not(c.greaterEqual(a, b)), u32([20], 3), u32([20], 3))],
  where: [
    on((a, b) => c.where(c.greater(a, b), c.less(b, 0), c.equal(b, b)), [3, 4], [4]),
    on((a, b) => c.where(c.greater(c.stopGradient(a), 0), c.mul(a, b), c.sin(b)), [3, 4], [3, 4]),
    on((a, b) => c.where(c.greater(c.iota([4]), 1), a, b), [3, 1], [4]),
    on((a, b) => c.where(c.equal(c.rem(a, 2), 0), a, b), u32([9]), u32([9])),
    on((a, b) => c.where(c.less(a, 0), b, -5), i32([3, 8]), i32([8])),
  ],
  cast: [
    on((x) => c.cast(x, 'f32'), u32([9])),
    on((x) => c.cast(x, 'u32'), of([2, 9], -300, 300)),
    on((x) => c.cast(x, 'i32'), of([2, 9], -300, 300)),
    on((k) => c.cast(k, 'f32'), i32([8])),
    on((k) => c.cast(c.add(c.cast(k, 'u32'), 1), 'i32'), i32([9], ANY)),
    on((x) => c.add(x, c.cast(c.cast(x, 'u32'), 'f32')), positive(7)),
  ],
  shuffle: [on((i, key) => c.shuffle(i, key, 37), u32([2, 37], 37), u32([1], 2 ** 32))],
  reshape: [on((x) => c.reshape(c.sin(x), [4, 6]), [2, 3, 4]), on((x) => c.reshape(x, [1, 3, 1], 1), [2, 3])],
  transpose: [
    on((x) => c.transpose(x), [2, 3, 4]),
    on((x) => c.transpose(x, [2, 0, 1]), [5, 2, 3, 4]),
    on((x) => c.mul(c.mT(x), x), [4, 4]),
  ],
  broadcast: [
    on((x) => c.broadcast(x, [3, 4]), [2, 1, 4]),
    on((x) => c.broadcast(c.exp(x), [2, 3, 5]), [2, 1, 1]),
    on((x) => c.broadcast(x, [2, 3, 4]), [3, 1]),
  ],
  slice: [
    on((x) => c.slice(x, 1, 4), [3, 5]),
    on(
      (x) => c.mul(c.slice(x, [1, 4], [3, 8], [0, 2]), c.exp(c.slice(x, [0, 0], [2, 4], [0, -1]))),
      [3, 2, 8],
    ),
    on((x) => c.sum(c.slice(c.mT(x), 2, 3, -2), -1), [2, 4, 6]),
    on((x, w) => c.matmul(c.slice(x, 2, 5), w), [4, 6], [3, 2]),
    on((x) => c.reshape(c.slice(c.broadcast(c.square(x), [4, 6]), [1, 2], [3, 4]), [4]), [1, 6]),
    on((x) => c.mul(x, c.cast(c.slice(c.iota([3, 9], -1), 2, 7), 'f32')), [3, 5]),
    on((i) => c.slice(c.greater(i, 3), 1, 3), u32([4, 5], 8)),
  ],
  concat: [
    on((a, b) => c.concat([a, b]), [3, 2], [3, 4]),
    on((a, b) => c.concat([c.exp(a), b, a], -2), [2, 4, 8], [1, 8]),
    on((a, b) => c.sum(c.square(c.concat([a, b, c.sin(b)])), [-1, -2]), [2, 3, 4], [2, 3, 8]),
    on((a) => c.concat([c.slice(a, 3, 5), c.slice(a, 0, 3)]), [4, 5]),
    on((a) => c.concat([c.slice(a, 4, 12), c.slice(a, 0, 4)]), [4, 12]),
    on((a) => c.add(a, c.slice(c.concat([a, c.cos(a)], 0), 1, 4, 0)), [3, 4]),
    on((a) => c.concat([c.concat([a, c.neg(a)], -2), c.full(2, [1, 3]), c.mT(a)], 0), [3, 3]),
    on(
      (x) =>
        c.pad(
          x,
          [
            [2, 1],
            [0, 3],
          ],
          -0.5,
        ),
      [2, 3, 5],
    ),
    on(
      (x, w) =>
        c.add(
          c.matmul(x, w),
          c.pad(c.square(x), [
            [0, 0],
            [4, 0],
          ]),
        ),
      [4, 4],
      [4, 8],
    ),
    on((i, j) => c.concat([i, j, c.iota([2, 3])]), u32([2, 1], 9), u32([2, 2], 9)),
    on((i) => c.pad(i, [[1, 0]], 7), u32([5], 9)),
    // More than one kernel could read.
    on((...xs) => c.concat(xs, 0), ...Array.from({ length: 17 }, () => [2, 3])),
    on((i) => c.pad(c.concat([i, c.cast(c.iota([2, 1]), 'i32')]), [[3, 4]], -7), i32([2, 4])),
  ],
  reduce: [
    on((x) => c.sum(x, -1), [3, 7]),
    on((x) => c.sum(x), [3, 2, 4]),
    on((x) => c.sum(c.mul(x, x), [0, 2]), [3, 4, 2]),
    on((x) => c.amax(x, -2), [5, 3]),
    on((x) => c.amax(c.mul(x, x), [-1, -2]), [2, 5, 3]),
    on((x) => c.variance(x, 0), [6, 4]),
    on((x) => c.variance(x), [3, 5]),
    on((x) => c.mean(x, -1), [3, 8]),
    on((x) => c.amin(x, -1), [3, 7]),
    on((x) => c.prod(x, -1), [3, 7]),
    on((x) => c.prod(x, [0, 2]), [2, 3, 4]),
    on((x) => c.prod(c.concat([c.mul(x, 0), x, c.sin(x)], 1), 1), [4, 2]),
    on((k) => c.sum(k, -1), u32([3, 7], 2 ** 32)),
    on((k) => c.add(c.add(c.sum(k), c.prod(k)), c.sub(c.amin(k), c.amax(k))), i32([5, 4], ANY)),
    on((k) => c.amin(c.concat([k, c.amax(k, 0)], 0), 0), i32([3, 8])),
  ],
  cumsum: [
    on((x) => c.cumsum(x), [3, 7]),
    on((x) => c.cumsum(c.square(x), 0, { reverse: true }), [5, 4]),
    on((x) => c.cumsum(x, -2), [2, 3, 4]),
    on((x) => c.cumsum(x), [2, 300]),
    on((x) => c.cumsum(x, 0, { reverse: true }), [261, 2]),
    on((k) => c.cumsum(k, 1), i32([2, 261], ANY)),
    on((k) => c.cumsum(k), u32([2, 8], 2 ** 32)),
  ],
  matmul: [
    on((a, b) => c.matmul(a, b), [3, 5], [5, 4]),
    on((a, b) => c.matmul(a, b, { transposeA: true }), [2, 5, 3], [5, 4]),
    on((a, b) => c.matmul(a, b, { transposeB: true }), [2, 1, 3, 5], [4, 4, 5]),
    on((a, b) => c.matmul(a, b, { transposeA: true, transposeB: true }), [5, 3], [4, 5]),
    on((a, b) => c.matmul(a, b), [2, 3, 3, 5], [5, 4]),
    on((a) => c.matmul(a, a), [2, 4, 4]),
    on((a, b, k) => c.where(c.greater(k, 0), c.matmul(a, b), c.cast(k, 'f32')), [3, 5], [5, 8], i32([8])),
  ],
  conv: [
    on((x, w) => c.conv2d(x, w), [2, 5, 4, 3], [2, 3, 3, 2]),
    on((x, w) => c.conv2d(x, w, { padding: 1 }), [3, 6, 5, 4], [8, 4, 3, 3]),
    on((x, w) => c.conv2d(x, w, { stride: 2, padding: 1 }), [2, 7, 8, 4], [4, 4, 3, 3]),
    on((x, w) => c.conv2d(x, w, { stride: [2, 3], padding: [2, 0] }), [2, 2, 6, 9, 1], [3, 1, 5, 2]),
    on((x, w) => c.conv2d(x, w), [2, 1, 2, 3, 3, 4], [2, 5, 4, 1, 1]),
    ...windows.map(({ size, options, image, features }) =>
      on((x, w) => c.conv2d(x, w, options), [2, ...image], [features, image[2]!, ...size]),
    ),
  ],
  maxPool: [
    on((x) => c.maxPool2d(x, 2), [2, 6, 5, 3]),
    on((x) => c.maxPool2d(x, 3, { stride: 2, padding: 1 }), [2, 7, 6, 4]),
    on((x) => c.maxPool2d(c.relu(x), [2, 3], { stride: 1, padding: [0, 1] }), [3, 4, 4, 1]),
    ...windows.map(({ size, options, image }) => on((x) => c.maxPool2d(x, size, options), [2, ...image])),
  ],
  take: [
    on((t, i) => c.take(t, i, { scale: 1 / 255, shift: -0.5 }), image([6, 7]), u32([5], 6)),
    on((t, i) => c.take(t, i), image([6, 2, 4]), u32([5], 9)),
    on((i) => c.take(c.cast(c.iota([6, 3], -2), 'f32'), i), u32([5], 6)),
    on((t, i) => c.take(t, i, { scale: -0.5, shift: 2 }), [6, 8], u32([50], 6)),
    on((t, i) => c.take(c.sin(t), i, { axis: 1 }), [2, 5, 3], u32([2, 3], 5)),
    on((t, i) => c.take(t, i, { axis: -1 }), [3, 300], u32([7], 300)),
    on((t, i) => c.where(c.less(i, 0), -1, c.take(t, i)), [9], i32([3, 8], 9)),
  ],
  scatterAdd: [
    on((x, i) => c.scatterAdd(x, i, 6), [5, 7], u32([5], 6)),
    on((x, i) => c.scatterAdd(c.square(x), i, 3), [9, 2, 4], u32([9], 5)),
    on((x, i) => c.scatterAdd(x, i, 40), [500], u32([500], 40)),
    on((x, i) => c.scatterAdd(x, i, 9, -2), [2, 3, 5, 4], u32([5], 11)),
    on((x, i) => c.scatterAdd(x, i, 5), [9, 4], i32([9], 8)),
  ],
  random: [
    on((key) => c.random(key, [3, 7]), u32([2], 2 ** 32)),
    on((key) => c.random(key, [9], { distribution: 'normal', stream: 3 }), u32([2], 2 ** 32)),
  ],
  orthonormalize: [],
  scan: [
    on(
      (x, w) => {
        const [last, all] = scan(
          (h: Tensor, x: Tensor) => {
            const next = c.tanh(c.add(c.matmul(h, w), x));
            return [next, c.mul(next, 2)];
          },
          c.full(0.5, [1, 3]),
          x,
        );
        return c.add(all, last);
      },
      [4, 1, 3],
      [3, 3],
    ),
    on(
      (x, h) =>
        scan((h: Tensor, x: Tensor) => [c.add(c.mul(h, x), 1), c.mul(h, h)], h, x, { reverse: true })[1],
      [5],
      [],
    ),
    on((k) => scan((sum: Tensor, k: Tensor) => [c.add(sum, k), null], c.constant(7, 'u32'), k)[0], u32([6])),
    on(
      (k) => scan((least: Tensor, k: Tensor) => [c.minimum(least, k), least], c.constant(0, 'i32'), k)[1],
      i32([6]),
    ),
  ],
  svd: [],
};

/** Factorizations are determined up to signs: linalg.test.ts tests what they must satisfy. */
const elsewhere: Primitive[] = ['orthonormalize', 'svd'];
const table = Object.entries(cases).flatMap(([op, list]) =>
  list.map((x, i) => ({ op: op as Primitive, name: list.length > 1 ? `${op} ${i + 1}` : op, ...x })),
);

/** The function of its differentiable operands, and those operands. */
function differentiable({ f, operands }: Case) {
  const free = operands.flatMap((x, i) => ((x.dtype ?? 'f32') === 'f32' ? [i] : []));
  return {
    operands: free.map((i) => operands[i]!),
    /** `g` of the function and its free arguments, at all operands and further arguments. */
    within:
      <R>(g: (f: (...xs: Tensor[]) => Tensor, xs: Tensor[], rest: Tensor[]) => R) =>
      (...all: Tensor[]): R =>
        g(
          (...xs) => f(...operands.map((_, i) => (free.includes(i) ? xs[free.indexOf(i)]! : all[i]!))),
          free.map((i) => all[i]!),
          all.slice(operands.length),
        ),
  };
}

/** Cases with derivatives that are limits of differences, which stopGradient's are not on purpose. */
const smooth = table.filter(
  (x) =>
    x.op !== 'stopGradient' &&
    differentiable(x).operands.length > 0 &&
    trace(x.f, x.operands).outputs[0]!.dtype === 'f32',
);
const shapeOf = (x: Case) => trace(x.f, x.operands).outputs[0]!.shape;
const ahead = (lead: number[], operands: readonly Operand[]) =>
  operands.map(({ shape }) => of([...lead, ...shape]));

describe('the table of cases', () => {
  it('meets every primitive', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(rules).sort());
    for (const { op, name, f, operands } of table) {
      const graph =
        op === 'copy'
          ? trace(
              grad((x) => c.sum(f(x))),
              operands,
            )
          : trace(f, operands);
      expect(countOps(graph)[op], name).toBeGreaterThan(0);
    }
    expect(
      Object.entries(cases)
        .filter(([, list]) => !list.length)
        .map(([op]) => op),
    ).toEqual(elsewhere);
  });
});

describe('on the GPU as in the interpreter', () => {
  it.each(table)('$name', async ({ f, operands }) => {
    await expectAgreement(await testGpu(), f, operands);
  });

  it.each(smooth)('derivatives of $name', async (x) => {
    const { operands, within } = differentiable(x);
    const both = within((f, xs, rest) => {
      const at = linearize(f, ...xs);
      return [at.apply(...rest.slice(0, -1)), at.applyTranspose(rest.at(-1)!)];
    });
    await expectAgreement(await testGpu(), both, [...x.operands, ...ahead([], operands), of(shapeOf(x))]);
  });
});

describe('in float64', () => {
  it.each(smooth)('the derivative of $name is the limit of differences', (x) => {
    const { operands, within } = differentiable(x);
    const values = valuesOf(x.operands);
    const tangents = operands.map(({ shape }, i) =>
      numbers(
        of(shape).shape.reduce((a, b) => a * b, 1),
        50 + i,
      ),
    );
    const [got] = evaluate(
      within((f, xs, rest) => jvp(f, xs, rest)[1]),
      [...x.operands, ...operands],
      [...values, ...tangents],
    );
    expectClose(got!.data, differences(x.f, x.operands, values, tangents), 1e-7);
  });

  it.each(smooth)('the transpose of the derivative of $name is its adjoint', (x) => {
    const { operands, within } = differentiable(x);
    const all = [...x.operands, ...ahead([], operands), of(shapeOf(x))];
    const values = valuesOf(all);
    const [jv, ...jtu] = evaluate(
      within((f, xs, rest) => {
        const at = linearize(f, ...xs);
        return [at.apply(...rest.slice(0, -1)), ...at.applyTranspose(rest.at(-1)!)];
      }),
      all,
      values,
    );
    const right = jtu.reduce((s, x, i) => s + dot(x.data, values[all.length - 1 - operands.length + i]!), 0);
    const left = dot(values.at(-1)!, jv!.data);
    expect(Math.abs(left - right)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(left)));
  });

  it.each(smooth)('the second derivative of $name is the limit of differences of the first', (x) => {
    const { operands, within } = differentiable(x);
    // Of the cube, so that linear functions have nonzero second derivatives.
    const cube = (x: Tensor) => c.sum(c.mul(x, c.square(x)));
    const slope = within((f, xs) => grad((ys: Tensor[]) => cube(f(...ys)))(xs));
    const values = valuesOf(x.operands);
    const tangents = valuesOf(ahead([], operands), 60);
    const got = evaluate(
      within(
        (f, xs, rest) => jvp((...zs: Tensor[]) => grad((ys: Tensor[]) => cube(f(...ys)))(zs), xs, rest)[1],
      ),
      [...x.operands, ...operands],
      [...values, ...tangents],
    );
    operands.forEach((_, i) => {
      const part = (...xs: Tensor[]) => slope(...xs)[i]!;
      expectClose(got[i]!.data, differences(part, x.operands, values, tangents), 1e-6);
    });
  });

  it.each(smooth)('batches of directions through $name give what each direction gives', (x) => {
    const { operands, within } = differentiable(x);
    const lead = [2, 3];
    const directions = [...ahead(lead, operands), of([...lead, ...shapeOf(x)])];
    const values = [...valuesOf(x.operands), ...valuesOf(directions, 70)];
    const both = within((f, xs, rest) => {
      const at = linearize(f, ...xs);
      return [at.apply(...rest.slice(0, -1)), ...at.applyTranspose(rest.at(-1)!)];
    });
    const batched = evaluate(both, [...x.operands, ...directions], values);
    for (let k = 0; k < 6; k++) {
      const column = (v: Float64Array) => v.subarray((k * v.length) / 6, ((k + 1) * v.length) / 6);
      const single = evaluate(
        both,
        [...x.operands, ...ahead([], operands), of(shapeOf(x))],
        values.map((v, i) => (i < x.operands.length ? v : column(v))),
      );
      single.forEach((want, i) => {
        expectClose(column(batched[i]!.data), want.data, 1e-12);
      });
    }
  });

  /** Asserts that `f` over an axis of operand `i`, or of all, gives at each index what it does alone. */
  const expectEach = (f: (...xs: Tensor[]) => unknown, operands: readonly Operand[], i: number) => {
    const mapped = operands.map((_, j) => i < 0 || i === j);
    const many = operands.map((x, j) => (mapped[j] ? { ...x, shape: [2, ...x.shape] } : x));
    const values = valuesOf(many, 90);
    const half = (v: Float64Array, k: number) => v.subarray((k * v.length) / 2, ((k + 1) * v.length) / 2);
    const all = evaluate(vmap(f, [...mapped.map((is) => (is ? 0 : null))]), many, values);
    for (const k of [0, 1]) {
      const alone = values.map((v, j) => (mapped[j] ? half(v, k) : v));
      evaluate(f, operands, alone).forEach((want, r) => {
        expect(all[r]!.shape).toEqual([2, ...want.shape]);
        expectClose(half(all[r]!.data, k), want.data, 1e-12, `${f} over operand ${i}`);
      });
    }
  };

  it.each(table)('$name over an axis gives at each index what it gives alone', ({ f, operands }) => {
    for (let i = -1; i < operands.length; i++) expectEach(f, operands, i);
  });

  it.each(smooth)('and so do derivatives of $name', (x) => {
    const { operands, within } = differentiable(x);
    const both = within((f, xs, rest) => {
      const at = linearize(f, ...xs);
      return [at.apply(...rest.slice(0, -1)), ...at.applyTranspose(rest.at(-1)!)];
    });
    const all = [...x.operands, ...ahead([3], operands), of([3, ...shapeOf(x)])];
    for (let i = -1; i < x.operands.length; i++) expectEach(both, all, i);
  });
});
