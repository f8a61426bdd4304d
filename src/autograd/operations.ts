import type { Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import { add, neg, sub } from './pointwise.ts';
import type { Params } from './primitives.ts';
import { type DType, isInteger, type Shape, sameShape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor, type Typed } from './tensor.ts';
import { alignRanks, constant, fromEnd, pad, reshape, slice } from './views.ts';

export * from './pointwise.ts';
export * from './views.ts';

/** Sums `x` over the axes along which `shape` was broadcast to its shape: the transpose of broadcasting. */
export function sumTo<D extends DType>(x: Typed<D>, shape: Shape): Typed<D> {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((d, i) =>
    i < lead || (shape[i - lead] === 1 && d !== 1) ? [i - x.rank] : [],
  );
  const summed = axes.length ? sum(x, axes) : x;
  return lead ? reshape(summed, shape) : summed;
}

/** One axis or several; those from 0 on count from the first, negative ones from the last. */
export type Axes = number | readonly number[];

/** By default reduced axes stay, with size 1, so that the result broadcasts with the operand. */
export interface ReduceOptions {
  /** `false` drops them (default: true). */
  readonly keepDims?: boolean;
}

const reduce =
  (kind: Params['reduce']['kind'], op: string) =>
  <D extends DType>(x: Typed<D>, axes?: Axes, options: ReduceOptions = {}): Typed<D> => {
    expectTensors(op, [x]);
    expectOptions(op, options, ['keepDims']);
    const given = axes === undefined ? [...x.shape.keys()] : [axes].flat();
    const list = given.map((axis) => fromEnd(axis, x.rank)).sort((a, b) => a - b);
    const y: Typed<D> = bind('reduce', [x], { kind, axes: list });
    return options.keepDims === false ? squeeze(y, list) : y;
  };

/** A reduction of f32 alone. */
type Float = (x: Tensor, axes?: Axes, options?: ReduceOptions) => Typed;

/** Without some axes, counted from the end, of size 1. */
export function squeeze<D extends DType>(x: Typed<D>, axes: readonly number[]): Typed<D> {
  const stays = (_: number, i: number) => !axes.includes(i - x.rank);
  return reshape(x, x.shape.filter(stays));
}

/** Sum along `axes` (default: all), kept with size 1; integers wrap. @example sum(array([1, 2])) // [3] */
export const sum = reduce('sum', 'sum');
/**
 * Largest element along `axes` (default: all), kept with size 1; NaN if any is. Ties share the derivative.
 * @example amax(array([1, 3, 2, 0], [2, 2]), -1) // [[3], [2]]
 */
export const amax = reduce('max', 'amax');
/** Reverses the order of numbers: −x, but −1 − x of integers, whose smallest has no negative. */
export const reversed = <D extends DType>(x: Typed<D>): Typed<D> =>
  isInteger(x?.dtype) ? sub(constant(x.dtype === 'u32' ? 2 ** 32 - 1 : -1, x.dtype), x) : neg(x);
/**
 * Smallest element along `axes` (default: all), kept with size 1; NaN if any is. Ties share the derivative.
 * @example amin(array([1, 3, 2, 0], [2, 2]), -1) // [[1], [0]]
 */
export const amin = <D extends DType>(x: Typed<D>, axes?: Axes, options?: ReduceOptions): Typed<D> =>
  reversed(amax(reversed(x), axes, options));
/**
 * Product along `axes` (default: all), kept with size 1; integers wrap. The derivative is right at zeros.
 * @example prod(array([2, 3, 4])) // [24]
 */
export const prod = reduce('prod', 'prod');
/**
 * Biased variance (over n) along `axes` (default: all), kept with size 1; NaN if any element is not finite.
 * @example variance(array([1, 3])) // [1]
 */
export const variance = reduce('variance', 'variance') as Float;
/** Mean along `axes` (default: all), kept with size 1. @example mean(array([1, 3], [1, 2]), -1) // [[2]] */
export const mean = reduce('mean', 'mean') as Float;

/** Elements that are summed one after the other; more are summed in blocks. */
const LONGEST = 256;

/**
 * Running sums along an axis (default: the last), each element included; with `reverse`, from the end.
 * @example cumsum(array([1, 2, 3])) // [1, 3, 6]
 */
export function cumsum<D extends DType>(
  x: Typed<D>,
  axis = -1,
  options: { reverse?: boolean } = {},
): Typed<D> {
  expectOptions('cumsum', options, ['reverse']);
  expectTensors('cumsum', [x]);
  const { reverse = false } = options;
  const at = fromEnd(axis, x.rank);
  const along = (t: Tensor, axis: number): Typed<D> => bind('cumsum', [t], { axis, reverse });
  const n = x.shape.at(at) ?? 0;
  if (n <= LONGEST || at >= 0) return along(x, at);
  const size = 2 ** Math.ceil(Math.log2(n) / 2);
  const count = Math.ceil(n / size);
  const widths = (before: number, after: number, rest: number) =>
    [[before, after], ...new Array<[number, number]>(rest).fill([0, 0])] as [number, number][];
  const whole = pad(x, widths(0, count * size - n, -1 - at));
  const within = along(reshape(whole, whole.shape.toSpliced(x.rank + at, 1, count, size)), at);
  const totals = along(reverse ? slice(within, 0, 1, at) : slice(within, size - 1, size, at), at - 1);
  const before = reverse
    ? pad(slice(totals, 1, count, at - 1), widths(0, 1, -at))
    : pad(slice(totals, 0, count - 1, at - 1), widths(1, 0, -at));
  return slice(reshape(add(within, before), whole.shape), 0, n, at);
}

/** {@link alignRanks} for operations with `own` last axes; where one lacks those, their rule throws. */
function alignBatches(op: string, tensors: Tensor[], own: number): Tensor[] {
  expectTensors(op, tensors);
  return tensors.every((t) => t.rank >= own) ? alignRanks(op, tensors) : tensors;
}

/**
 * Matrix product over the last two axes, each operand transposed first on request; leading axes broadcast.
 * @example matmul(array([1, 2, 3, 4], [2, 2]), array([1, 10], [2, 1])) // [[21], [43]]
 */
export function matmul(a: Tensor, b: Tensor, options: Partial<Params['matmul']> = {}): Typed {
  expectOptions('matmul', options, ['transposeA', 'transposeB']);
  const { transposeA = false, transposeB = false } = options;
  return bind('matmul', alignBatches('matmul', [a, b], 2), { transposeA, transposeB });
}

/** A part of the trilinear form of a convolution: see {@link Params.conv}. */
export function conv(part: Params['conv']['part'], a: Tensor, b: Tensor, window: Window): Typed {
  return bind('conv', alignBatches('conv', [a, b], 4), { part, window });
}

/**
 * Elements of `table` (u8 or f32) at `index` (u32 or i32), whose axes replace an axis (default: the first);
 * as f32, times `scale` plus `shift`. Out of range, or negative: NaN, with no derivative.
 * @example take(array([10, 20, 30]), array([2, 0], [2], 'u32')) // [30, 10]
 */
export function take(
  table: Tensor,
  index: Tensor,
  options: { axis?: number; scale?: number; shift?: number } = {},
): Typed {
  expectOptions('take', options, ['axis', 'scale', 'shift']);
  expectTensors('take', [table, index]);
  const { axis: given = 0, scale = 1, shift = 0 } = options;
  const axis = fromEnd(given, table.rank);
  const list = index.rank === 1 || !isInteger(index.dtype) ? index : reshape(index, [index.size]);
  const taken = bind('take', [table, list], { axis, scale, shift }) as Typed;
  const at = table.rank + axis;
  return list === index ? taken : reshape(taken, table.shape.toSpliced(at, 1, ...index.shape));
}

/**
 * Sums the parts of `updates` (f32) along an axis (default: the first) by `index` (u32 or i32 [b]) into
 * `rows` rows, 0 where there is none. Parts are added in order, so the same data give the same bits; those
 * with an index out of range are dropped.
 * @example scatterAdd(array([1, 2, 3]), array([0, 1, 0], [3], 'u32'), 2) // [4, 2]
 */
export const scatterAdd = (updates: Tensor, index: Tensor, rows: number, axis = 0): Typed =>
  bind('scatterAdd', [updates, index], { axis: fromEnd(axis, updates.rank), rows });

/**
 * Random numbers, uniform in [0, 1) or standard normal, fixed by `key` (u32 [2]), `stream` and position.
 * @example random(array([1, 2], [2], 'u32'), [2]) // [0.021864, 0.596962]
 */
export function random(
  key: Tensor,
  shape: Shape,
  options: Partial<Omit<Params['random'], 'shape'>> = {},
): Typed {
  expectOptions('random', options, ['distribution', 'stream']);
  const { distribution = 'uniform', stream = 0 } = options;
  return bind('random', [key], { distribution, shape: sides('random', shape), stream });
}
