import type { Sides, Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import { conv, mean, reshape, transpose } from './operations.ts';
import { expectTensors, type Tensor } from './tensor.ts';

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
