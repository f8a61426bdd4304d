import type { DeviceArray } from '../autograd/array.ts';
import { add, equal, full, iota, mul, reshape, take, where } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';

/** Labelled examples that a GPU trains on. */
export interface DeviceExamples {
  /**
   * Bytes [n, features]; of images, channels are fastest. In GPU memory, or on the host where that is too small: then steps
   * find them in a {@link Feed}.
   */
  readonly images: DeviceArray | Uint8Array;
  /** u8 [n]. */
  readonly labels: DeviceArray;
  /** A byte x of channel c becomes x · scale[c] + shift[c]. */
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** The normalized examples of some numbers (u32 [n]), [n, ...shape]. */
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

/** A few numbers as a tensor. */
function vector(values: readonly number[]): Tensor {
  const last = full(values.at(-1)!, [values.length]);
  return values
    .slice(0, -1)
    .reduceRight((rest, x, i) => where(equal(iota([values.length]), i), x, rest), last);
}
