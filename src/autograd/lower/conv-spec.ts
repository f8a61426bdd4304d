import type { ConvSpec } from '../../kernels/conv.ts';
import { sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { batchStrides, mergeAxes } from './batch.ts';

/** Axes of one problem. */
const AXES = 4;

/** Sizes of a traced convolution. */
export const convSpec = (node: Tensor<'conv'>): ConvSpec => layOutConv(node)!.spec;

/**
 * The spec of a convolution beside which other tensors are read, given the strides of each along the result's axes; also
 * returns their strides along `[batch…, pixels, channels]`. Undefined where pixels of an other are not evenly apart. Leading axes
 * along which the weights are repeated are further images of one problem, as far as they lie next to the images.
 */
export function layOutConv(
  node: Tensor<'conv'>,
  others: readonly (readonly number[])[] = [],
): { spec: ConvSpec; strides: number[][] } | undefined {
  const { part, window } = node.params;
  const [a, b] = node.inputs as [Tensor, Tensor];
  const [image, weight] = { response: [a, b], image: [node, b], weight: [b, node] }[part] as [Tensor, Tensor];
  const lead = node.rank - AXES;
  const [sa, sb] = [a, b].map((t) => batchStrides(t, lead, AXES)) as [number[], number[]];
  const along = (axis: number) => others.map((strides) => strides[axis]!);
  const batch = mergeAxes(
    node.shape.slice(0, lead).map((size, i) => ({ size, strides: [sa[i]!, sb[i]!, ...along(i)] })),
  );
  const pixels = mergeAxes([0, 1, 2].map((i) => ({ size: node.shape[lead + i]!, strides: along(lead + i) })));
  if (pixels.length > 1 && others.length > 0) return undefined;
  let rows = pixels[0]?.strides ?? others.map(() => 0);
  const count = pixels[0]?.size ?? 1;
  let images = image.shape.at(-AXES)!;
  const inner = batch.at(-1);
  if (inner && part !== 'weight') {
    const [strideA, strideB, ...rest] = inner.strides;
    const stacks = rest.every((stride, j) => (count === 1 ? true : stride === rows[j]! * count));
    if (strideB === 0 && strideA === sizeOf(a.shape.slice(-AXES)) && stacks) {
      batch.pop();
      if (count === 1) rows = rest;
      images *= inner.size;
    }
  }
  return {
    spec: {
      part,
      window,
      images,
      channels: image.shape.at(-1)!,
      features: weight.shape.at(part === 'image' ? -1 : -AXES)!,
      batch: batch.map(({ size, strides }) => ({ size, strideA: strides[0]!, strideB: strides[1]! })),
    },
    strides: others.map((strides, j) => [
      ...batch.map((axis) => axis.strides[j + 2]!),
      rows[j]!,
      strides.at(-1)!,
    ]),
  };
}
