import { CollimateError } from '../errors.ts';
import type { Sides, Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import {
  add,
  amax,
  cast,
  conv,
  div,
  equal,
  exp,
  greater,
  iota,
  log,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  reshape,
  stopGradient,
  sub,
  sum,
  transpose,
  where,
} from './operations.ts';
import type { Params } from './primitives.ts';
import { formatShape, type Shape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor } from './tensor.ts';
import './rules.ts';

export * from './operations.ts';

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
 * Largest elements under each place of a window, NaN where one is, images [… , n, height, width, channels]; by default
 * windows do not overlap. The derivative is that of the first largest one (the first NaN), as in PyTorch.
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

/** Rows of `table [n, d…]` (u8 or f32) by `index` (u32 [b]), as f32 [b, d…], times `scale` plus `shift`; NaN beyond the table. */
export function take(table: Tensor, index: Tensor, options: { scale?: number; shift?: number } = {}): Tensor {
  expectOptions('take', options, ['scale', 'shift']);
  const { scale = 1, shift = 0 } = options;
  return bind('take', [table, index], { scale, shift });
}

/** Numbers that depend on `key` (u32 [2]), `stream` and position only: uniform in [0, 1) or standard normal. */
export function random(
  key: Tensor,
  shape: Shape,
  options: Partial<Omit<Params['random'], 'shape'>> = {},
): Tensor {
  expectOptions('random', options, ['distribution', 'stream']);
  const { distribution = 'uniform', stream = 0 } = options;
  return bind('random', [key], { distribution, shape: sides('random', shape), stream });
}

/** [r, …, d] → […, r, d]. */
export function directionsLast(x: Tensor): Tensor {
  const middle = Array.from({ length: x.rank - 2 }, (_, i) => i + 1);
  return transpose(x, [...middle, 0, x.rank - 1]);
}

/** […, r, d] → [r, …, d]. */
export function directionsFirst(x: Tensor): Tensor {
  const r = x.rank;
  return transpose(x, [r - 2, ...Array.from({ length: r - 2 }, (_, i) => i), r - 1]);
}

/** The largest finite float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** ln Σ exp(x) along the last axis, which stays with size 1, without overflow; infinities and NaN go on. */
export function logsumexp(x: Tensor): Tensor {
  const top = stopGradient(amax(x, -1));
  // ∞ − ∞ would be NaN.
  const shift = minimum(maximum(top, -LARGEST), LARGEST);
  return add(log(sum(exp(sub(x, shift)), -1)), shift);
}

/** Index of the first largest element along the last axis, as f32 [… , 1]; NaN counts as the largest. */
export function argmax(x: Tensor): Tensor {
  const top = amax(x, -1);
  const n = x.shape.at(-1)!;
  const index = neg(cast(iota([n]), 'f32'));
  const first = where(equal(x, x), where(equal(x, top), index, -n), index);
  return neg(amax(first, -1));
}

/**
 * Mean cross-entropy of logits [n, classes] against labels (f32 [n] holding class numbers), in nats, as a scalar of
 * shape [1, 1]. It is NaN if a logit is, or if a label is none of the classes.
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  expectTensors('softmaxCrossEntropy', [logits, labels]);
  const [n, classes] = logits.shape.slice(-2) as [number, number];
  if (logits.rank < 2 || labels.dtype !== 'f32' || labels.shape.at(-1) !== n) {
    throw new CollimateError(
      `softmaxCrossEntropy: logits are ${logits.dtype}${formatShape(logits.shape)}, labels ${labels.dtype}${formatShape(labels.shape)}`,
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
