import { CollimateError } from '../errors.ts';
import * as c from './operations.ts';
import { formatType, type Numeric, sameShape } from './shape.ts';
import { expectOptions, expectTensors, sides, type Tensor, type Typed } from './tensor.ts';

/** The largest finite float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** The matrix [rows, columns] with 1 on its diagonal, else 0. @example eye(2) // [[1, 0], [0, 1]] */
export function eye(rows: number, columns = rows): Typed {
  const shape = sides('eye', [rows, columns]);
  return c.cast(c.equal(c.iota(shape, -2), c.iota(shape, -1)), 'f32');
}

/**
 * ln Σ exp(x) without overflow along an axis (default: the last), kept with size 1; ±∞ and NaN propagate.
 * @example logsumexp(array([0, Math.log(3)])) // [1.386294]
 */
export function logsumexp(x: Tensor, axes: c.Axes = -1): Typed {
  const top = c.stopGradient(c.amax(x, axes));
  // ∞ − ∞ would be NaN.
  const shift = c.minimum(c.maximum(top, -LARGEST), LARGEST);
  return c.add(c.log(c.sum(c.exp(c.sub(x, shift)), axes)), shift as Typed);
}

/**
 * eˣ / Σ eˣ without overflow along an axis (default: the last); all NaN with NaN, ∞ or only −∞, as in
 * PyTorch.
 * @example softmax(array([0, Math.log(3)])) // [0.25, 0.75]
 */
export function softmax(x: Tensor, axes: c.Axes = -1): Typed {
  const e = c.exp(c.sub(x, c.stopGradient(c.amax(x, axes))));
  return c.div(e, c.sum(e, axes));
}

/**
 * x − ln Σ eˣ along an axis (default: the last): the log of {@link softmax}, accurate where that is tiny.
 * @example logSoftmax(array([0, -200])) // [0, -200]
 */
export function logSoftmax(x: Tensor, axes: c.Axes = -1): Typed {
  const shifted = c.sub(x, c.stopGradient(c.amax(x, axes)));
  return c.sub(shifted as Typed, c.log(c.sum(c.exp(shifted), axes)));
}

/**
 * f32 index of the first maximum along an axis (default: the last), kept with size 1. NaN is the largest.
 * @example argmax(array([1, 3, 3, 2])) // [1]
 */
export function argmax(x: Tensor, axis = -1, options: c.ReduceOptions = {}): Typed {
  expectTensors('argmax', [x]);
  expectOptions('argmax', options, ['keepDims']);
  const along = c.fromEnd(axis, x.rank);
  const top = c.amax(x, along);
  const n = x.shape.at(along)!;
  const index = c.neg(c.cast(c.iota([n, ...new Array<number>(-1 - along).fill(1)], along), 'f32'));
  const first = c.where(c.equal(x, x), c.where(c.equal(x, top), index, -n), index);
  return c.neg(c.amax(first, along, options));
}

/**
 * f32 index of the first minimum along an axis (default: the last), kept with size 1. NaN is the smallest.
 * @example argmin(array([1, 3, 0, 0])) // [2]
 */
export const argmin = (x: Tensor, axis = -1, options: c.ReduceOptions = {}): Typed =>
  argmax(c.reversed(x), axis, options);

/**
 * A new last axis of size `classes`: 1 at `index` (of any shape), else 0; all zeros where that is no class.
 * @example oneHot(array([2, 0]), 3) // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(index: Tensor, classes: number): Typed {
  expectTensors('oneHot', [index]);
  const same = c.equal(c.reshape(index, [1], 0), c.cast(c.iota([classes]), index.dtype as Numeric));
  return c.cast(same, 'f32');
}

/** x · {@link sigmoid}(x), or swish; NaN at −∞. @example silu(array([1, -1])) // [0.731059, -0.268941] */
export const silu = (x: Tensor): Typed => c.mul(x as Typed, c.sigmoid(x));

/**
 * x Φ(x), with Φ the standard normal distribution function (Hendrycks & Gimpel, *Gaussian error linear
 * units*, 2016). As in JAX, approximated within 5e-4 by ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) unless
 * `approximate` is false. NaN at −∞.
 * @example gelu(array([1, -1]), { approximate: false }) // [0.841345, -0.158655], as PyTorch's by default
 */
export function gelu(x: Tensor, options: { readonly approximate?: boolean } = {}): Typed {
  expectTensors('gelu', [x]);
  expectOptions('gelu', options, ['approximate']);
  const inner = () => c.mul(c.add(x, c.mul(c.mul(x, c.square(x)), 0.044715)), Math.sqrt(2 / Math.PI));
  const whole = options.approximate === false ? c.erf(c.mul(x, Math.SQRT1_2)) : c.tanh(inner());
  return c.mul(c.mul(x as Typed, 0.5), c.add(whole, 1));
}

/** How {@link layerNorm} normalizes. */
export interface LayerNormOptions {
  /** Axes that are normalized together (default: the last). */
  readonly axes?: c.Axes;
  /** A factor and a summand of the result, which broadcast (default: 1 and 0). */
  readonly weight?: Tensor;
  readonly bias?: Tensor;
  /** Added to the variance (default: 1e-5). */
  readonly epsilon?: number;
}

/**
 * (x − mean) / √(variance + ε) · weight + bias, with the mean and biased variance along `axes` (Ba, Kiros &
 * Hinton, *Layer normalization*, 2016). All that is normalized with a non-finite element is NaN.
 * @example layerNorm(array([1, 3, 5, 5], [2, 2]), { bias: array([1, 2]) }) // [[0.000005, 2.999995], [1, 2]]
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Typed {
  expectTensors('layerNorm', [x]);
  expectOptions('layerNorm', options, ['axes', 'weight', 'bias', 'epsilon']);
  const { axes = -1, weight = c.constant(1), bias = c.constant(0), epsilon = 1e-5 } = options;
  const rate = c.rsqrt(c.add(c.variance(x, axes), epsilon));
  const y = c.normalize(x, c.mean(x, axes), rate, weight, bias);
  if (sameShape(x.shape, y.shape)) return y;
  throw new CollimateError(
    `layerNorm: x is ${formatType(x)}, weight ${formatType(weight)}, bias ${formatType(bias)}`,
    'Give weight and bias sides of x, or 1.',
  );
}

/**
 * Mean cross-entropy, in nats, of logits [n, classes] against labels (class numbers, f32 [n]): a scalar of
 * shape [1, 1]. NaN if any logit is, or if a label is not a class.
 * @example softmaxCrossEntropy(array([0, 0], [1, 2]), array([1])) // [[0.693147]]
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Typed {
  expectTensors('softmaxCrossEntropy', [logits, labels]);
  const [n, classes] = logits.shape.slice(-2) as [number, number];
  if (logits.rank < 2 || labels.dtype !== 'f32' || labels.shape.at(-1) !== n) {
    throw new CollimateError(
      `softmaxCrossEntropy: logits are ${formatType(logits)}, labels ${formatType(labels)}`,
      'Give logits f32 [n, classes], and labels f32 [n].',
    );
  }
  const label = c.reshape(labels, [n, 1], 1);
  const chosen = c.equal(label, c.cast(c.iota([classes]), 'f32'));
  const loss = c.sub(logsumexp(logits), c.sum(c.where(chosen, logits, 0), -1));
  // 1/1, or 0/0 where no class is chosen: there the gradient is NaN, too.
  const whole = c.cast(c.equal(c.cast(c.cast(label, 'u32'), 'f32'), label), 'f32');
  const known = c.where(c.greater(classes, label), whole, 0);
  return c.mean(c.mul(loss, c.div(known, known)), [-2, -1]);
}
