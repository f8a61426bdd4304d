import { CollimateError } from '../errors.ts';
import type { Sides, Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import type { Params } from './primitives.ts';
import { type DType, formatType, type Shape, sameShape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor } from './tensor.ts';

/** An operand of arithmetic: a number is a constant of the other operand's type. */
export type Operand = Tensor | number;

/** A literal, rounded to float32 (NaN and ±Infinity are allowed) or a u32; it broadcasts to any shape. */
export function constant(value: number, dtype: DType = 'f32'): Tensor {
  return bind('constant', [], { value, dtype });
}

/** Each element's index along one axis of a shape, as u32. */
export function iota(shape: Shape, axis = -1): Tensor {
  return bind('iota', [], { shape: sides('iota', shape), axis: fromEnd(axis, shape.length) });
}

/** An axis as primitives count it: −1 is the last. */
const fromEnd = (axis: number, rank: number): number =>
  Number.isInteger(axis) && axis >= 0 && axis < rank ? axis - rank : axis;

/** Numbers as literals of the other's type. */
function literals(...pair: [Operand, Operand]): Tensor[] {
  const u32 = pair.some((x) => typeof x !== 'number' && x?.dtype === 'u32');
  return pair.map((x) => (typeof x === 'number' ? constant(x, u32 ? 'u32' : 'f32') : x));
}

type Binary = 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'max' | 'min' | 'greater' | 'equal';

const binary =
  (op: Binary) =>
  (a: Operand, b: Operand): Tensor =>
    bind(op, alignRanks(op, literals(a, b)), {});

/**
 * Operands of one rank, by leading axes of size 1. Broadcasting is thereby decided when an operation is recorded:
 * applied again with further leading axes, each operand's own axes stay where they were.
 */
function alignRanks(op: string, tensors: Tensor[]): Tensor[] {
  expectTensors(op, tensors);
  const rank = Math.max(...tensors.map((t) => t.rank));
  return tensors.map((t) =>
    t.rank === rank || t.is('constant')
      ? t
      : reshape(t, [...new Array<number>(rank - t.rank).fill(1), ...t.shape]),
  );
}

/** The same for operations that have axes of their own: a lack of those is not made up for. */
function alignBatches(op: string, tensors: Tensor[], own: number): Tensor[] {
  expectTensors(op, tensors);
  return tensors.every((t) => t.rank >= own) ? alignRanks(op, tensors) : tensors;
}

/** Sum of f32, or of u32 modulo 2³². */
export const add = binary('add');
/** Difference of f32, or of u32 modulo 2³². */
export const sub = binary('sub');
/** Product of f32, or of u32 modulo 2³². */
export const mul = binary('mul');
/** Quotient; for u32 it is rounded down, and division by zero gives the dividend. */
export const div = binary('div');
/** Remainder of u32; 0 if the divisor is 0. */
export const rem = binary('rem');
/** The larger of two numbers; NaN if either is. Equal f32 operands share the derivative equally. */
export const maximum = binary('max');
/** The smaller of two numbers; NaN if either is. Equal f32 operands share the derivative equally. */
export const minimum = binary('min');
/** a > b, as bool; false if either is NaN. */
export const greater = binary('greater');
/** a = b, as bool; false if either is NaN, so `equal(x, x)` is false for NaN alone. */
export const equal = binary('equal');

/** −x. */
export const neg = (x: Tensor): Tensor => bind('neg', [x], {});
/** eˣ. */
export const exp = (x: Tensor): Tensor => bind('exp', [x], {});
/** Natural logarithm; NaN of negative numbers. */
export const log = (x: Tensor): Tensor => bind('log', [x], {});
/** √x; NaN of negative numbers. */
export const sqrt = (x: Tensor): Tensor => bind('sqrt', [x], {});
/** 1/√x. */
export const rsqrt = (x: Tensor): Tensor => bind('rsqrt', [x], {});
/** Cosine of an angle in radians. */
export const cos = (x: Tensor): Tensor => bind('cos', [x], {});
/** Sine of an angle in radians. */
export const sin = (x: Tensor): Tensor => bind('sin', [x], {});
/** Hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => bind('tanh', [x], {});
/** max(x, 0), NaN of NaN; the derivative is 0 at 0 and where x is NaN. */
export const relu = (x: Tensor): Tensor => bind('relu', [x], {});
/** x². */
export const square = (x: Tensor): Tensor => mul(x, x);

/**
 * (x − mean) · rate · weight + bias, all of which broadcast: a normalization, whose derivative sums over x twice if the others are
 * repeated over it, whichever of them depend on what it is taken by.
 */
export const normalize = (x: Tensor, mean: Tensor, rate: Tensor, weight: Tensor, bias: Tensor): Tensor =>
  bind('normalize', alignRanks('normalize', [x, mean, rate, weight, bias]), {});

/** `a` where `condition` (bool) is true, else `b`. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  return bind('where', alignRanks('where', [condition, ...literals(a, b)]), {});
}

/** Converts; f32 to u32 rounds toward 0, clamps to 0 … 2³² − 256, and maps NaN to 0. */
export const cast = (x: Tensor, dtype: 'f32' | 'u32'): Tensor => bind('cast', [x], { dtype });
/** The identity, with a derivative of zero. */
export const stopGradient = (x: Tensor): Tensor => bind('stopGradient', [x], {});
/** Position of `index` (u32) in the pseudorandom permutation of 0 … n−1 that `key` (u32) selects; n and above stay. */
export const shuffle = (index: Tensor, key: Tensor, n: number): Tensor =>
  bind('shuffle', alignRanks('shuffle', [index, key]), { n });

/** A zero (or another number) that has the shape of `x` wherever it is used beside it. */
export const zerosLike = (x: Tensor, value = 0): Tensor => constant(value, x.dtype);

/** The last axes (all, if their number is not given) with other sides. */
export function reshape(x: Tensor, to: Shape, last?: number): Tensor {
  expectTensors('reshape', [x]);
  const [shape, from] = [sides('reshape', to), last ?? x.rank];
  if (from === to.length && sameShape(x.shape.slice(x.rank - from), shape)) return x;
  return bind('reshape', [x], { from, to: shape });
}

/** Permutes the last axes by `perm` (default: reverses all axes). */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  expectTensors('transpose', [x]);
  return bind('transpose', [x], { perm: perm === undefined ? [...x.shape.keys()].reverse() : [perm].flat() });
}

/** Swaps the last two axes, like JAX’s `mT`. */
export const mT = (x: Tensor): Tensor => transpose(x, [1, 0]);

/** Repeats axes of size 1 so that the trailing axes become `to`. */
export function broadcast(x: Tensor, to: Shape): Tensor {
  expectTensors('broadcast', [x]);
  const shape = sides('broadcast', to);
  if (sameShape(x.shape.slice(-to.length), shape)) return x;
  return bind('broadcast', [x], { to: shape });
}

/** A tensor of one value. */
export function full(value: number, shape: Shape): Tensor {
  const ones = sides('full', shape).map(() => 1);
  return broadcast(reshape(constant(value), ones), shape);
}

/** `x` repeated to the shape of `target`. */
export function broadcastLike(x: Tensor, target: Tensor): Tensor {
  if (sameShape(x.shape, target.shape)) return x;
  return broadcast(
    x.rank < target.rank ? reshape(x, [...new Array<number>(target.rank - x.rank).fill(1), ...x.shape]) : x,
    target.shape,
  );
}

/** Sums over the axes along which `shape` was repeated to become that of `x`: the transpose of broadcasting. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((d, i) =>
    i < lead || (shape[i - lead] === 1 && d !== 1) ? [i - x.rank] : [],
  );
  const summed = axes.length ? sum(x, axes) : x;
  return lead ? reshape(summed, shape) : summed;
}

type Axes = number | readonly number[];

function reduce(kind: Params['reduce']['kind'], x: Tensor, axes?: Axes): Tensor {
  expectTensors(kind, [x]);
  const given = axes === undefined ? [...x.shape.keys()] : [axes].flat();
  const list = given.map((axis) => fromEnd(axis, x.rank));
  return bind('reduce', [x], { kind, axes: list.sort((a, b) => a - b) });
}

/** Sum along `axes` (default: all), which are kept with size 1. */
export const sum = (x: Tensor, axes?: Axes): Tensor => reduce('sum', x, axes);
/** Largest element along `axes`, which are kept with size 1; NaN if any is. Ties share the derivative equally. */
export const amax = (x: Tensor, axes?: Axes): Tensor => reduce('max', x, axes);
/** Biased variance (divides by n) along `axes`, which are kept with size 1; NaN if any element is not finite. */
export const variance = (x: Tensor, axes?: Axes): Tensor => reduce('variance', x, axes);
/** Mean along `axes` (default: all), which are kept with size 1. */
export const mean = (x: Tensor, axes?: Axes): Tensor => reduce('mean', x, axes);

/** Matrix product over the last two axes, each operand transposed first on request; leading axes broadcast. */
export function matmul(a: Tensor, b: Tensor, options: Partial<Params['matmul']> = {}): Tensor {
  expectOptions('matmul', options, ['transposeA', 'transposeB']);
  const { transposeA = false, transposeB = false } = options;
  return bind('matmul', alignBatches('matmul', [a, b], 2), { transposeA, transposeB });
}

/** A part of the trilinear form of a convolution: see {@link Params.conv}. */
export function conv(part: Params['conv']['part'], a: Tensor, b: Tensor, window: Window): Tensor {
  return bind('conv', alignBatches('conv', [a, b], 4), { part, window });
}

/** How a window moves: numbers stand for both sides. */
export interface WindowOptions {
  readonly stride?: number | Sides;
  /** Rows and columns of zeros (for pooling: of nothing) on each side of the image. */
  readonly padding?: number | Sides;
}

const sidesOf = (x: number | Sides): Sides => (typeof x === 'number' ? [x, x] : x);

const windowOf = (x: Tensor, size: Sides, { stride, padding = 0 }: WindowOptions, step: Sides): Window => ({
  image: [x.shape.at(-3) ?? 0, x.shape.at(-2) ?? 0],
  size,
  stride: stride === undefined ? step : sidesOf(stride),
  padding: sidesOf(padding),
});

/**
 * Convolution (without flipping) of images [… , n, height, width, in] with weights in PyTorch's layout
 * [… , out, in, height, width]: responses [… , n, height, width, out]; leading axes broadcast.
 */
export function conv2d(x: Tensor, weight: Tensor, options: WindowOptions = {}): Tensor {
  expectTensors('conv2d', [x, weight]);
  const size: Sides = [weight.shape.at(-2) ?? 0, weight.shape.at(-1) ?? 0];
  // Of too few axes, the rule of conv speaks.
  const channelsLast = weight.rank < 4 ? weight : transpose(weight, [0, 2, 3, 1]);
  return conv('response', x, channelsLast, windowOf(x, size, options, [1, 1]));
}

/**
 * Largest element at each position of a window over images [… , n, height, width, channels]; NaN if any is. By default
 * windows do not overlap. The derivative goes to the first largest element (the first NaN), as in PyTorch.
 */
export function maxPool2d(x: Tensor, size: number | Sides, options: WindowOptions = {}): Tensor {
  expectTensors('maxPool2d', [x]);
  const window = windowOf(x, sidesOf(size), options, sidesOf(size));
  return bind('maxPool', [x], { part: 'value', window });
}

/** Mean over height and width of images [… , n, height, width, channels]: [… , n, channels]. */
export function globalAveragePool(x: Tensor): Tensor {
  return reshape(mean(x, [-3, -2]), [x.shape.at(-1)!], 3);
}

/** Rows of `table [n, d…]` (u8 or f32) at `index` (u32 [b]), as f32 [b, d…], times `scale` plus `shift`; NaN out of range. */
export function take(table: Tensor, index: Tensor, options: { scale?: number; shift?: number } = {}): Tensor {
  expectOptions('take', options, ['scale', 'shift']);
  const { scale = 1, shift = 0 } = options;
  return bind('take', [table, index], { scale, shift });
}

/** Random numbers, uniform in [0, 1) or standard normal, that depend on `key` (u32 [2]), `stream` and position alone. */
export function random(
  key: Tensor,
  shape: Shape,
  options: Partial<Omit<Params['random'], 'shape'>> = {},
): Tensor {
  expectOptions('random', options, ['distribution', 'stream']);
  const { distribution = 'uniform', stream = 0 } = options;
  return bind('random', [key], { distribution, shape: sides('random', shape), stream });
}

/** One axis elsewhere, the others in their order: `moveaxis(x, 0, -2)` takes [r, …, d] to […, r, d]. */
export function moveaxis(x: Tensor, from: number, to: number): Tensor {
  const axes = [...x.shape.keys()];
  const moved = axes.splice(from, 1);
  return transpose(x, axes.toSpliced(to < 0 ? x.rank + to : to, 0, ...moved));
}

/** The largest finite float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** ln Σ exp(x) along the last axis, which is kept with size 1, without overflow; infinities and NaN propagate. */
export function logsumexp(x: Tensor): Tensor {
  const top = stopGradient(amax(x, -1));
  // ∞ − ∞ would be NaN.
  const shift = minimum(maximum(top, -LARGEST), LARGEST);
  return add(log(sum(exp(sub(x, shift)), -1)), shift);
}

/** Index of the first largest element along the last axis, as f32 [… , 1]; NaN counts as largest. */
export function argmax(x: Tensor): Tensor {
  const top = amax(x, -1);
  const n = x.shape.at(-1)!;
  const index = neg(cast(iota([n]), 'f32'));
  const first = where(equal(x, x), where(equal(x, top), index, -n), index);
  return neg(amax(first, -1));
}

/**
 * Mean cross-entropy of logits [n, classes] against labels (f32 [n] holding class numbers), in nats, as a scalar of
 * shape [1, 1]. It is NaN if any logit is, or if a label is not a class.
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  expectTensors('softmaxCrossEntropy', [logits, labels]);
  const [n, classes] = logits.shape.slice(-2) as [number, number];
  if (logits.rank < 2 || labels.dtype !== 'f32' || labels.shape.at(-1) !== n) {
    throw new CollimateError(
      `softmaxCrossEntropy: logits are ${formatType(logits)}, labels ${formatType(labels)}`,
      'Give logits f32 [n, classes], and labels f32 [n].',
    );
  }
  const label = reshape(labels, [n, 1], 1);
  const chosen = equal(label, cast(iota([classes]), 'f32'));
  const loss = sub(logsumexp(logits), sum(where(chosen, logits, 0), -1));
  // 1/1, or 0/0 where no class is chosen: there the gradient is NaN, too.
  const whole = cast(equal(cast(cast(label, 'u32'), 'f32'), label), 'f32');
  const known = where(greater(classes, label), whole, 0);
  return mean(mul(loss, div(known, known)), [-2, -1]);
}
