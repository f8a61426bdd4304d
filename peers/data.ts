/**
 * The numbers that every peer computes on, the same in each language (torch_peer.py has this file's twin),
 * so that results compare. A counter is hashed, not a generator run, so that any part can be made by itself.
 */
import type { ConvWork, LayerWork } from './serve.ts';

/** `length` numbers, uniform in ±`bound`, of the stream `seed`: the hash "lowbias32" of Chris Wellons. */
export function uniform(seed: number, length: number, bound: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => {
    let x = (seed * 0x9e3779b9 + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x = (x ^ (x >>> 16)) >>> 0;
    return bound * (x / 2 ** 31 - 1);
  });
}

/** Weights of a linear layer [inputs, outputs], as `torch.nn.Linear` begins: uniform in ±1/√inputs. */
export const linear = (seed: number, inputs: number, outputs: number): Float32Array<ArrayBuffer> =>
  uniform(seed, inputs * outputs, 1 / Math.sqrt(inputs));

/** A convolution's weights in PyTorch's layout [outputs, inputs, size, size], drawn as `nn.Conv2d` does. */
export const convolution = (
  seed: number,
  outputChannels: number,
  inputChannels: number,
  size: number,
): Float32Array<ArrayBuffer> =>
  uniform(seed, outputChannels * inputChannels * size * size, 1 / Math.sqrt(inputChannels * size * size));

/** Streams beside those of the layers, which count from 0. */
export const INPUTS = 1000;
export const LABELS = 1001;

export const labels = (batch: number, classes: number): Int32Array<ArrayBuffer> =>
  Int32Array.from(uniform(LABELS, batch, 1), (u) =>
    Math.min(classes - 1, Math.floor(((u + 1) / 2) * classes)),
  );

/** The operands of a product, m×k and k×n, however they are stored. */
export const operands = (
  m: number,
  n: number,
  k: number,
): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] => [
  Float32Array.from({ length: m * k }, (_, i) => Math.sin(0.37 * i)),
  Float32Array.from({ length: k * n }, (_, i) => Math.cos(0.23 * i)),
];

/** Images [n, height, width, channels], weights in PyTorch's layout, and cotangents of the output. */
export function convOperands(work: ConvWork): Record<'x' | 'w' | 'dy', Float32Array<ArrayBuffer>> {
  const { images, height, width, inputChannels, outputChannels, size } = work;
  const [rows, columns] = outputSides(work);
  const wave = (length: number, rate: number, f: (x: number) => number) =>
    Float32Array.from({ length }, (_, i) => f(rate * i));
  return {
    x: wave(images * height * width * inputChannels, 0.37, Math.sin),
    w: wave(outputChannels * inputChannels * size * size, 0.23, Math.cos),
    dy: wave(images * rows * columns * outputChannels, 0.41, Math.sin),
  };
}

/** Height and width of the output. */
export const outputSides = ({ height, width, size, stride, padding }: ConvWork): [number, number] => [
  Math.floor((height + 2 * padding - size) / stride) + 1,
  Math.floor((width + 2 * padding - size) / stride) + 1,
];

/**
 * The check value of a convolution: the sum over the first axis of middle pixels, in channel n modulo the
 * number of channels. Images are [n, channels, height, width], weights in PyTorch's layout.
 */
export function samples(values: Float32Array, [n, channels, height, width]: readonly number[]): number {
  const middle = Math.floor(height! / 2) * width! + Math.floor(width! / 2);
  let sum = 0;
  for (let i = 0; i < n!; i++) sum += values[(i * channels! + (i % channels!)) * height! * width! + middle]!;
  return sum;
}

/** Operands of a layer, in order, and the cotangent of its output. */
export function layerOperands({ layer, groups, rows, features }: LayerWork): Float32Array<ArrayBuffer>[] {
  const whole = groups * rows * features;
  const sizes = layer === 'attention' ? [whole, whole, whole, whole] : [whole, features, features, whole];
  return sizes.map((length, i) => {
    const [f, rate] = [i % 2 ? Math.cos : Math.sin, [0.37, 0.23, 0.41, 0.29][i]!];
    return Float32Array.from({ length }, (_, j) => f(rate * j));
  });
}

/** The check value of a layer: over the first group's rows r, the sum of elements r modulo the features. */
export function rowSamples(values: Float32Array, { rows, features }: LayerWork): number {
  let sum = 0;
  for (let i = 0; i < rows && i * features < values.length; i++)
    sum += values[i * features + (i % features)]!;
  return sum;
}
