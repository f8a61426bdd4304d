import { CollimateError } from '../errors.ts';
import { expectData, packed } from './array.ts';
import { bind } from './bind.ts';
import { type DType, type Numeric, type Shape, sameShape, sizeOf } from './shape.ts';
import { expectTensors, sides, type Tensor, type Typed } from './tensor.ts';

/** A literal of any shape: an integer, or rounded to float32 (NaN and ±∞ too). @example constant(2) // 2 */
export function constant<D extends DType = 'f32'>(value: number, dtype = 'f32' as D): Typed<D> {
  return bind('constant', [], { value, dtype });
}

/**
 * A constant array of numbers, row by row (default: of one axis). Programs upload it when their arrays are
 * bound; printed graphs do not show its numbers.
 * @throws CollimateError unless there is one number per element and the type holds each
 * @example array([1, 2, 3, 4], [2, 2]) // [[1, 2], [3, 4]]
 */
export function array<D extends Numeric | 'u8' = 'f32'>(
  data: ArrayLike<number>,
  shape: Shape = [data.length],
  dtype = 'f32' as D,
): Typed<D> {
  const own = sides('array', shape);
  expectData('array', data, own, dtype);
  // A copy, so that later writes to the data do not change the graph.
  const copy = packed(Array.from(data), dtype);
  return bind('input', [], { name: 'array', shape: own, dtype, data: copy });
}

/** Each element's index along one axis of a shape, as u32. @example iota([2, 2], 0) // [[0, 0], [1, 1]] */
export function iota(shape: Shape, axis = -1): Typed<'u32'> {
  return bind('iota', [], { shape: sides('iota', shape), axis: fromEnd(axis, shape.length) });
}

/** An axis as primitives count it: −1 is the last. */
export const fromEnd = (axis: number, rank: number): number =>
  Number.isInteger(axis) && axis >= 0 && axis < rank ? axis - rank : axis;

/** A zero (or another number) of `x`'s dtype that broadcasts to its shape. */
export const zerosLike = <D extends DType>(x: Typed<D>, value = 0): Typed<D> => constant(value, x.dtype);

/**
 * Gives the `last` axes (default: all) other sides. One may be −1: what the others leave.
 * @example reshape(iota([4]), [2, -1]) // [[0, 1], [2, 3]]
 */
export function reshape<D extends DType>(x: Typed<D>, to: Shape, last?: number): Typed<D> {
  expectTensors('reshape', [x]);
  const from = last ?? x.rank;
  const old = x.shape.slice(x.rank - from);
  const shape = sides('reshape', filled(to, sizeOf(old)));
  if (from === shape.length && sameShape(old, shape)) return x;
  return bind('reshape', [x], { from, to: shape });
}

/** A shape with its −1, if it has one, replaced by the side that gives it `size` elements. */
function filled(shape: Shape, size: number): Shape {
  const at = Array.isArray(shape) ? shape.indexOf(-1) : -1;
  if (at < 0) return shape;
  const rest = sizeOf(shape.toSpliced(at, 1));
  return rest > 0 && size % rest === 0 ? shape.with(at, size / rest) : shape;
}

/** Permutes the last axes by `perm` (default: reversed). @example transpose(iota([1, 2])) // [[0], [1]] */
export function transpose<D extends DType>(x: Typed<D>, perm?: readonly number[]): Typed<D> {
  expectTensors('transpose', [x]);
  return bind('transpose', [x], { perm: perm === undefined ? [...x.shape.keys()].reverse() : [perm].flat() });
}

/** Swaps the last two axes, like JAX’s `mT`. @example mT(array([1, 2, 3, 4], [2, 2])) // [[1, 3], [2, 4]] */
export const mT = <D extends DType>(x: Typed<D>): Typed<D> => transpose(x, [1, 0]);

/** Repeats axes of size 1, and missing ones, to `to`. @example broadcast(array([7]), [3]) // [7, 7, 7] */
export function broadcast<D extends DType>(x: Typed<D>, to: Shape): Typed<D> {
  expectTensors('broadcast', [x]);
  const shape = sides('broadcast', to);
  const missing = new Array<number>(Math.max(0, to.length - x.rank)).fill(1);
  const whole = missing.length ? reshape(x, [...missing, ...x.shape]) : x;
  return sameShape(whole.shape.slice(-to.length), shape) ? whole : bind('broadcast', [whole], { to: shape });
}

/** A tensor of one value. @example full(7, [2]) // [7, 7] */
export function full<D extends DType = 'f32'>(value: number, shape: Shape, dtype?: D): Typed<D> {
  return broadcast(constant(value, dtype), sides('full', shape));
}

/** `x` repeated to the shape of `target`. */
export function broadcastLike<D extends DType>(x: Typed<D>, target: Tensor): Typed<D> {
  return sameShape(x.shape, target.shape) ? x : broadcast(x, target.shape);
}

/** Moves one axis, the others keeping their order: `moveaxis(x, 0, -2)` takes [r, …, d] to […, r, d]. */
export function moveaxis<D extends DType>(x: Typed<D>, from: number, to: number): Typed<D> {
  const [at, place] = [from, to].map((axis) => (axis < 0 ? x.rank + axis : axis)) as [number, number];
  if (at === place) return x;
  const axes = [...x.shape.keys()];
  const moved = axes.splice(at, 1);
  return transpose(x, axes.toSpliced(place, 0, ...moved));
}

/**
 * Operands brought to one rank by leading axes of size 1. That settles broadcasting at recording: applied
 * again with further leading axes, each operand's own axes stay where they were.
 */
export function alignRanks(op: string, tensors: readonly Tensor[]): Tensor[] {
  expectTensors(op, tensors);
  const rank = Math.max(...tensors.map((t) => t.rank));
  return tensors.map((t) =>
    t.rank === rank || t.is('constant')
      ? t
      : reshape(t, [...new Array<number>(rank - t.rank).fill(1), ...t.shape]),
  );
}

/**
 * The elements `start` … `limit` − 1 along an axis, or lists for several (default: the last). They are read
 * in place, not copied. For every k-th element, reshape k of them into an axis of their own first.
 * @example slice(iota([5]), 1, 3) // [1, 2]
 */
export function slice<D extends DType>(
  x: Typed<D>,
  start: number | readonly number[],
  limit: number | readonly number[],
  axes?: number | readonly number[],
): Typed<D> {
  expectTensors('slice', [x]);
  const [starts, limits] = [[start].flat(), [limit].flat()];
  const list = axes === undefined ? starts.map((_, i) => i - starts.length) : [axes].flat();
  return list.reduce((part, given, i) => {
    const axis = fromEnd(given, x.rank);
    const [first, size] = [starts[i]!, limits[i]! - starts[i]!];
    if (first === 0 && size === part.shape.at(axis) && axis < 0) return part;
    return bind('slice', [part], { axis, start: first, size });
  }, x);
}

/** Operands of one concatenation: every adapter's kernels can bind eight arrays, and one is the result. */
const MOST_JOINED = 7;

/**
 * Tensors one after the other along an axis (default: the last); along the others they broadcast.
 * @example concat([array([1]), array([2, 3])]) // [1, 2, 3]
 */
export function concat<D extends DType>(xs: readonly Typed<D>[], axis = -1): Typed<D> {
  expectTensors('concat', xs);
  if (!xs.length) throw new CollimateError('concat: there is no tensor', 'Give one or more.');
  if (xs.length === 1) return xs[0]!;
  const aligned = alignRanks('concat', xs) as Typed<D>[];
  const at = fromEnd(axis, aligned[0]!.rank);
  const each = Math.ceil(xs.length / MOST_JOINED);
  const parts = aligned.flatMap((x, i) => {
    if (each === 1) return x;
    return i % each ? [] : concat(aligned.slice(i, i + each), at);
  });
  return bind('concat', parts, { axis: at });
}

/**
 * Puts `[before, after]` elements of `value` around a tensor, along each of the last axes.
 * @example pad(array([1, 2]), [[1, 0]]) // [0, 1, 2]
 */
export function pad<D extends DType>(
  x: Typed<D>,
  widths: readonly (readonly [number, number])[],
  value = 0,
): Typed<D> {
  expectTensors('pad', [x]);
  return widths.reduce((inner, pair, i) => {
    const axis = i - widths.length;
    const sideOf = (a: number, n: number) => (a === inner.rank + axis ? n : 1);
    const shape = (n: number) => inner.shape.map((_, a) => sideOf(a, n));
    const parts = pair.map((n) => (n === 0 ? [] : [full(value, shape(n), x.dtype)]));
    return concat([...parts[0]!, inner, ...parts[1]!], axis);
  }, x);
}
