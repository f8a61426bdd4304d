import type { Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import type { Params } from './primitives.ts';
import { type DType, type Shape, sameShape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor, type Typed } from './tensor.ts';
import { alignRanks, fromEnd, reshape, transpose } from './views.ts';

export * from './pointwise.ts';
export * from './views.ts';

/** Sums over the axes along which `shape` was repeated to become that of `x`: the transpose of broadcasting. */
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

/** What becomes of reduced axes: by default they stay, with size 1, so that the result broadcasts with the operand. */
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

/** Sum along `axes` (default: all), which are kept with size 1. */
export const sum = reduce('sum', 'sum');
/** Largest element along `axes` (default: all), which are kept with size 1; NaN if any is. Ties share the derivative equally. */
export const amax = reduce('max', 'amax');
/** Biased variance (divides by n) along `axes` (default: all), kept with size 1; NaN if any element is not finite. */
export const variance = reduce('variance', 'variance') as Float;
/** Mean along `axes` (default: all), which are kept with size 1. */
export const mean = reduce('mean', 'mean') as Float;

/** The same for operations that have axes of their own: a lack of those is not made up for. */
function alignBatches(op: string, tensors: Tensor[], own: number): Tensor[] {
  expectTensors(op, tensors);
  return tensors.every((t) => t.rank >= own) ? alignRanks(op, tensors) : tensors;
}

/** Matrix product over the last two axes, each operand transposed first on request; leading axes broadcast. */
export function matmul(a: Tensor, b: Tensor, options: Partial<Params['matmul']> = {}): Typed {
  expectOptions('matmul', options, ['transposeA', 'transposeB']);
  const { transposeA = false, transposeB = false } = options;
  return bind('matmul', alignBatches('matmul', [a, b], 2), { transposeA, transposeB });
}

/** A part of the trilinear form of a convolution: see {@link Params.conv}. */
export function conv(part: Params['conv']['part'], a: Tensor, b: Tensor, window: Window): Typed {
  return bind('conv', alignBatches('conv', [a, b], 4), { part, window });
}

/** Rows of `table [n, d…]` (u8 or f32) at `index` (u32 [b]), as f32 [b, d…], times `scale` plus `shift`; NaN out of range. */
export function take(table: Tensor, index: Tensor, options: { scale?: number; shift?: number } = {}): Typed {
  expectOptions('take', options, ['scale', 'shift']);
  const { scale = 1, shift = 0 } = options;
  return bind('take', [table, index], { scale, shift });
}

/** Random numbers, uniform in [0, 1) or standard normal, that depend on `key` (u32 [2]), `stream` and position alone. */
export function random(
  key: Tensor,
  shape: Shape,
  options: Partial<Omit<Params['random'], 'shape'>> = {},
): Typed {
  expectOptions('random', options, ['distribution', 'stream']);
  const { distribution = 'uniform', stream = 0 } = options;
  return bind('random', [key], { distribution, shape: sides('random', shape), stream });
}

/** One axis elsewhere, the others in their order: `moveaxis(x, 0, -2)` takes [r, …, d] to […, r, d]. */
export function moveaxis<D extends DType>(x: Typed<D>, from: number, to: number): Typed<D> {
  const axes = [...x.shape.keys()];
  const moved = axes.splice(from, 1);
  return transpose(x, axes.toSpliced(to < 0 ? x.rank + to : to, 0, ...moved));
}
