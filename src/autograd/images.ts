import { CollimateError } from '../errors.ts';
import { checkWindow, outputSides, type Sides, type Window } from '../kernels/window.ts';
import { bind } from './bind.ts';
import { conv, full, mean, mul, reshape, squeeze, transpose } from './operations.ts';
import { expectOptions, expectTensors, type Tensor, type Typed } from './tensor.ts';

/** How a window moves: numbers stand for both sides. */
export interface WindowOptions {
  readonly stride?: number | Sides;
  /** Rows and columns of zeros (for max pooling: of nothing) on each side of the image. */
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
 * [… , out, in, height, width]. The result is [… , n, height, width, out]; leading axes broadcast.
 * @example conv2d(array([1, 2, 3, 4], [1, 2, 2, 1]), full(1, [1, 1, 2, 2])) // [10], of height and width 1
 */
export function conv2d(x: Tensor, weight: Tensor, options: WindowOptions = {}): Typed {
  expectTensors('conv2d', [x, weight]);
  const size: Sides = [weight.shape.at(-2) ?? 0, weight.shape.at(-1) ?? 0];
  // With too few axes, conv's own rule throws.
  const channelsLast = weight.rank < 4 ? weight : transpose(weight, [0, 2, 3, 1]);
  return conv('forward', x, channelsLast, windowOf(x, size, options, [1, 1]));
}

/**
 * The transpose of {@link conv2d} in its images [… , n, height, width, in], as a layer of its own: PyTorch's
 * `conv_transpose2d`, with its weight layout [… , in, out, height, width]. A side h of an image becomes
 * (h − 1) · stride − 2 padding + size + outputPadding.
 * @example convTranspose2d(full(2, [1, 1, 1, 1]), array([1, 2, 3, 4], [1, 1, 2, 2])) // [2, 4, 6, 8], 2 × 2
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  options: WindowOptions & { readonly outputPadding?: number | Sides } = {},
): Typed {
  expectTensors('convTranspose2d', [x, weight]);
  expectOptions('convTranspose2d', options, ['stride', 'padding', 'outputPadding']);
  const [stride, padding, more] = [options.stride ?? 1, options.padding ?? 0, options.outputPadding ?? 0].map(
    (side) => sidesOf(side),
  ) as [Sides, Sides, Sides];
  const size: Sides = [weight.shape.at(-2) ?? 0, weight.shape.at(-1) ?? 0];
  const axis = more.findIndex((extra, i) => !Number.isInteger(extra) || extra < 0 || extra >= stride[i]!);
  if (axis >= 0) {
    throw new CollimateError(
      `convTranspose2d: an output padding of ${more[axis]} for a stride of ${stride[axis]}`,
      'Give a whole number below the stride.',
    );
  }
  const side = (i: 0 | 1) => ((x.shape.at(i - 3) ?? 0) - 1) * stride[i] - 2 * padding[i] + size[i] + more[i];
  const window = { image: [side(0), side(1)], size, stride, padding } as const;
  return conv('inputGradient', x, weight.rank < 4 ? weight : transpose(weight, [1, 2, 3, 0]), window);
}

/**
 * Largest element at each position of a window over images [… , n, height, width, channels]; NaN if any is.
 * By default windows do not overlap. The derivative goes to the first largest element or NaN, as in PyTorch.
 * @example maxPool2d(array([1, 2, 3, 4], [1, 2, 2, 1]), 2) // [4]
 */
export function maxPool2d(x: Tensor, size: number | Sides, options: WindowOptions = {}): Typed {
  expectTensors('maxPool2d', [x]);
  const window = windowOf(x, sidesOf(size), options, sidesOf(size));
  return bind('maxPool', [x], { part: 'value', window });
}

/**
 * Mean at each position of a window over images [… , n, height, width, channels]. By default windows do not
 * overlap. Padding counts as zeros, as in PyTorch.
 * @example averagePool2d(array([1, 2, 3, 4], [1, 2, 2, 1]), 2) // [2.5]
 */
export function averagePool2d(x: Tensor, size: number | Sides, options: WindowOptions = {}): Typed {
  expectTensors('averagePool2d', [x]);
  expectOptions('averagePool2d', options, ['stride', 'padding']);
  const window = windowOf(x, sidesOf(size), options, sidesOf(size));
  checkWindow('averagePool2d', window);
  const [n, h, w, channels] = x.shape.slice(-4) as [number, number, number, number];
  const [down, across] = outputSides(window);
  const [rows, columns] = window.size;
  if (`${window.stride}` === `${window.size}` && h === down * rows && w === across * columns) {
    return squeeze(mean(reshape(x, [down, rows, across, columns, channels], 3), [-4, -2]), [-4, -2]);
  }
  // Channels do not mix: each is an image of its own.
  const images = reshape(transpose(x, [0, 3, 1, 2]), [n * channels, h, w, 1], 4);
  const sums = conv('forward', images, full(1, [1, rows, columns, 1]), window);
  const means = mul(sums, 1 / (rows * columns));
  return transpose(reshape(means, [n, channels, down, across], 4), [0, 2, 3, 1]);
}

/**
 * Mean over height and width of images [… , n, height, width, channels]: [… , n, channels].
 * @example globalAveragePool(array([1, 2, 3, 4], [1, 2, 2, 1])) // [2.5]
 */
export function globalAveragePool(x: Tensor): Typed {
  return reshape(mean(x, [-3, -2]), [x.shape.at(-1)!], 3);
}
