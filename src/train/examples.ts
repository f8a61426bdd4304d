import { DeviceArray } from '../autograd/array.ts';
import { add, equal, full, iota, mul, reshape, take, where } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Network } from './network.ts';

/** Labeled examples that a GPU trains on. */
export interface DeviceExamples {
  /**
   * Bytes [n, features]; in images, channels vary fastest. In GPU memory, or on the host if that is too small: then steps
   * read them piece by piece.
   */
  readonly images: DeviceArray | Uint8Array;
  /** u8 [n]. */
  readonly labels: DeviceArray;
  /** f32 [n, k]: vectors that outputs are to be, in place of classes. Of variance 1, as the squared error expects. */
  readonly targets?: DeviceArray;
  /** A byte x of channel c becomes x · scale[c] + shift[c]. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** Throws unless each label has as many bytes as the network takes, and each channel (or all) a scale and a shift. */
export function checkExamples(
  { input }: Pick<Network, 'input'>,
  { images, labels, scale, shift }: DeviceExamples,
): void {
  const features = input.reduce((a, b) => a * b, 1);
  const bytes = images instanceof DeviceArray ? images.size : images.length;
  const channels = scale.length > 0 && features % scale.length === 0 && shift.length === scale.length;
  if (bytes === labels.size * features && channels) return;
  throw new CollimateError(
    `examples of ${bytes} bytes, ${labels.size} labels, ${scale.length} scales and ${shift.length} shifts do not fit a network of inputs [${input}]`,
    `Give ${features} bytes for each label, and a scale and a shift for each channel, or one for all.`,
  );
}

/** The normalized examples at `index` (u32 [n]), [n, ...shape]. */
export function inputsOf(
  images: Tensor,
  index: Tensor,
  { scale, shift }: Pick<DeviceExamples, 'scale' | 'shift'>,
  shape: readonly number[],
): Tensor {
  const to = [index.size, ...shape];
  if (scale.length === 1) return reshape(take(images, index, { scale: scale[0]!, shift: shift[0]! }), to);
  const channels = scale.length;
  const pixels = reshape(take(images, index), [index.size, images.shape[1]! / channels, channels]);
  return reshape(add(mul(pixels, vector(scale)), vector(shift)), to);
}

function vector(values: readonly number[]): Tensor {
  const last = full(values.at(-1)!, [values.length]);
  return values
    .slice(0, -1)
    .reduceRight((rest, x, i) => where(equal(iota([values.length]), i), x, rest), last);
}
