import { CollimateError } from '../errors.ts';
import type { Sides, Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import {
  add,
  alignRanks,
  cast,
  div,
  equal,
  exp,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  stopGradient,
  sub,
  where,
} from './pointwise.ts';
import type { Params } from './primitives.ts';
import { formatType, type Shape, sameShape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor } from './tensor.ts';
import { fromEnd, iota, reshape, transpose } from './views.ts';

export * from './pointwise.ts';
export * from './views.ts';

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

/** The same for operations that have axes of their own: a lack of those is not made up for. */
function alignBatches(op: string, tensors: Tensor[], own: number): Tensor[] {
  expectTensors(op, tensors);
  return tensors.every((t) => t.rank >= own) ? alignRanks(op, tensors) : tensors;
}

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
