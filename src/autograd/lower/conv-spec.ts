import type { ConvSpec } from '../../kernels/conv.ts';
import { sizeOf, type Tensor } from '../tensor.ts';
import { mergeBatch } from './batch.ts';

/**
 * Sizes of a traced convolution. Leading axes along which the weights are repeated are further images of one problem, as
 * far as they lie next to the images.
 */
export function convSpec(node: Tensor<'conv'>): ConvSpec {
  const { part, window } = node.params;
  const [a, b] = node.inputs as [Tensor, Tensor];
  const [image, weight] = { response: [a, b], image: [node, b], weight: [b, node] }[part] as [Tensor, Tensor];
  const batch = mergeBatch(node.shape.slice(0, -4), [a, b], 4);
  let images = image.shape.at(-4)!;
  const inner = batch.at(-1);
  if (
    inner &&
    part !== 'weight' &&
    inner.strides[1] === 0 &&
    inner.strides[0] === sizeOf(a.shape.slice(-4))
  ) {
    batch.pop();
    images *= inner.size;
  }
  return {
    part,
    window,
    images,
    channels: image.shape.at(-1)!,
    features: weight.shape.at(part === 'image' ? -1 : -4)!,
    batch: batch.map(({ size, strides: [strideA, strideB] }) => ({
      size,
      strideA: strideA!,
      strideB: strideB!,
    })),
  };
}
