/**
 * Logits of the convolutional networks in inference mode, in float64 and plain loops: from PyTorch's and
 * torchvision's documentation, one image at a time as [channels, height, width], sharing nothing with `src`.
 */
import type { Tensors } from './network.ts';

interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Float64Array;
}

const EPSILON = 1e-5;

/** An image from bytes or numbers whose channels are fastest. */
export function imageOf(data: ArrayLike<number>, height: number, width: number, channels: number): Image {
  const planes = new Float64Array(data.length);
  for (let p = 0; p < height * width; p++)
    for (let c = 0; c < channels; c++) planes[c * height * width + p] = data[p * channels + c]!;
  return { channels, height, width, data: planes };
}

/** What a window of `size` sees at each place, folded by `see`. */
function slide(
  x: Image,
  channels: number,
  size: number,
  stride: number,
  padding: number,
  see: (channel: number, at: (c: number, i: number, j: number) => number) => number,
): Image {
  const height = Math.floor((x.height + 2 * padding - size) / stride) + 1;
  const width = Math.floor((x.width + 2 * padding - size) / stride) + 1;
  const data = new Float64Array(channels * height * width);
  for (let o = 0; o < channels; o++)
    for (let r = 0; r < height; r++)
      for (let q = 0; q < width; q++) {
        data[(o * height + r) * width + q] = see(o, (c, i, j) => {
          const [y, z] = [r * stride - padding + i, q * stride - padding + j];
          const inside = y >= 0 && y < x.height && z >= 0 && z < x.width;
          return inside ? x.data[(c * x.height + y) * x.width + z]! : Number.NaN;
        });
      }
  return { channels, height, width, data };
}

function conv(x: Image, weight: Float64Array, size: number, stride = 1, padding = 0): Image {
  const taps = size * size;
  return slide(x, weight.length / (x.channels * taps), size, stride, padding, (o, at) => {
    let sum = 0;
    for (let c = 0; c < x.channels; c++)
      for (let t = 0; t < taps; t++) {
        const value = at(c, Math.floor(t / size), t % size);
        if (!Number.isNaN(value)) sum += value * weight[(o * x.channels + c) * taps + t]!;
      }
    return sum;
  });
}

const maxPool = (x: Image, size: number, stride: number, padding: number): Image =>
  slide(x, x.channels, size, stride, padding, (o, at) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let t = 0; t < size * size; t++) {
      const value = at(o, Math.floor(t / size), t % size);
      if (value > best) best = value;
    }
    return best;
  });

function batchNorm(x: Image, tensors: Tensors, name: string): Image {
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (kind) => tensors.get(`${name}.${kind}`)!,
  ) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const area = x.height * x.width;
  const data = x.data.map((v, i) => {
    const c = Math.floor(i / area);
    return ((v - mean[c]!) / Math.sqrt(variance[c]! + EPSILON)) * gamma[c]! + beta[c]!;
  });
  return { ...x, data };
}

const relu = (x: Image): Image => ({ ...x, data: x.data.map((v) => Math.max(v, 0)) });
const plus = (a: Image, b: Image): Image => ({ ...a, data: a.data.map((v, i) => v + b.data[i]!) });

/** Global average pooling and a linear layer. */
function classify(x: Image, tensors: Tensors, name: string): number[] {
  const area = x.height * x.width;
  const features = Array.from(
    { length: x.channels },
    (_, c) => x.data.subarray(c * area, (c + 1) * area).reduce((s, v) => s + v, 0) / area,
  );
  const weight = tensors.get(`${name}.weight`)!;
  return [...tensors.get(`${name}.bias`)!].map((bias, o) =>
    features.reduce((sum, f, c) => sum + f * weight[o * x.channels + c]!, bias),
  );
}

interface Blocks {
  readonly skip: boolean;
  readonly activation: 'relu' | 'identity';
}

/** F of a basic block, or with a third convolution of a bottleneck, whose 3×3 one strides (ResNet v1.5). */
export function branchOf(x: Image, tensors: Tensors, name: string, stride: number): Image {
  const layer = (h: Image, n: number, size: number, step = 1) =>
    batchNorm(
      conv(h, tensors.get(`${name}.conv${n}.weight`)!, size, step, (size - 1) / 2),
      tensors,
      `${name}.bn${n}`,
    );
  if (!tensors.has(`${name}.conv3.weight`)) return layer(relu(layer(x, 1, 3, stride)), 2, 3);
  return layer(relu(layer(relu(layer(x, 1, 1)), 2, 3, stride)), 3, 1);
}

/** A block: with a projection where the file has one. */
function block(
  x: Image,
  tensors: Tensors,
  name: string,
  stride: number,
  { skip, activation }: Blocks,
): Image {
  const branch = branchOf(x, tensors, name, stride);
  const projection = tensors.get(`${name}.downsample.0.weight`);
  const shortcut = projection
    ? batchNorm(conv(x, projection, 1, stride), tensors, `${name}.downsample.1`)
    : x;
  const sum = skip ? plus(shortcut, branch) : branch;
  return activation === 'relu' ? relu(sum) : sum;
}

/** torchvision's ResNets, or such with a stem for small images where the first convolution is 3×3. */
export function resnetLogits(
  x: Image,
  tensors: Tensors,
  { layers = [3, 4, 6, 3], ...options }: Blocks & { layers?: readonly number[] },
): number[] {
  const first = tensors.get('conv1.weight')!;
  const small = first.length / x.channels / tensors.get('bn1.weight')!.length === 9;
  const stem = small ? conv(x, first, 3, 1, 1) : conv(x, first, 7, 2, 3);
  let h = relu(batchNorm(stem, tensors, 'bn1'));
  if (!small) h = maxPool(h, 3, 2, 1);
  layers.forEach((count, stage) => {
    for (let i = 0; i < count; i++)
      h = block(h, tensors, `layer${stage + 1}.${i}`, stage > 0 && i === 0 ? 2 : 1, options);
  });
  return classify(h, tensors, 'fc');
}

/** The network of constant resolution; the stem's window is given. */
export function convNetLogits(
  x: Image,
  tensors: Tensors,
  options: Blocks & { depth: number; stem: { size: number; stride: number; padding: number } },
): number[] {
  const { depth, stem } = options;
  const first = conv(x, tensors.get('stem.conv.weight')!, stem.size, stem.stride, stem.padding);
  let h = relu(batchNorm(first, tensors, 'stem.bn'));
  for (let i = 0; i < depth; i++) h = block(h, tensors, `blocks.${i}`, 1, options);
  return classify(h, tensors, 'head');
}
