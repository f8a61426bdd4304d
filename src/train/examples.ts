import { DeviceArray } from '../autograd/array.ts';
import { add, equal, full, iota, mul, reshape, sum, take, where } from '../autograd/functions.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Network } from './network.ts';

/** Labeled examples that a GPU trains on. */
export interface DeviceExamples {
  /** Bytes [n, features]; in images, channels vary fastest. On the host, steps read them piece by piece. */
  readonly images: DeviceArray | Uint8Array;
  /** u8 [n]. */
  readonly labels: DeviceArray;
  /** f32 [n, k]: target vectors in place of classes, of variance 1, as the squared error expects. */
  readonly targets?: DeviceArray;
  /** Byte x of channel c becomes x · scale[c] + shift[c]; their sum, if the network takes one for all. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** Throws unless labels have as many bytes as the network takes, each channel (or all) scale and shift. */
export function checkExamples(
  { input }: Pick<Network, 'input'>,
  { images, labels, scale, shift }: DeviceExamples,
): void {
  const features = input.reduce((a, b) => a * b, 1);
  const bytes = images instanceof DeviceArray ? images.size : images.length;
  const each = bytes / labels.size;
  const known = each === features ? features % scale.length === 0 : each === features * scale.length;
  if (scale.length > 0 && shift.length === scale.length && known) return;
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
  const normalized = add(mul(pixels, vector(scale)), vector(shift));
  return reshape(images.shape[1] === sizeOf(shape) ? normalized : sum(normalized, -1), to);
}

function vector(values: readonly number[]): Tensor {
  const last = full(values.at(-1)!, [values.length]);
  return values
    .slice(0, -1)
    .reduceRight((rest, x, i) => where(equal(iota([values.length]), i), x, rest), last);
}
