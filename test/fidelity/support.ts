import { DeviceArray } from '../../src/autograd/array.ts';
import type { ImageDataset } from '../../src/data/dataset.ts';
import { normalization } from '../../src/data/dataset.ts';
import { loadDataset } from '../../src/data/load.ts';
import { dataFolder } from '../../src/data/locate.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { shuffleIndex } from '../../src/kernels/shuffle.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import type { DeviceExamples } from '../../src/train/examples.ts';
import { type HostState, initialState, shuffleSeed } from '../../src/train/state.ts';
import type { State, Tensors } from './reference/network.ts';

/** Labelled inputs as bytes, and what turns a byte x of channel c into a number: x · scale[c] + shift[c]. */
export interface Examples {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly features: number;
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** Numbers in [0, 1) that look random (Mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Noise with random labels. */
export function syntheticExamples(count: number, features: number, classes: number, channels = 1): Examples {
  const next = randomNumbers(count);
  return {
    images: Uint8Array.from({ length: count * features }, () => 256 * next()),
    labels: Uint8Array.from({ length: count }, () => classes * next()),
    features,
    scale: [1 / 73, 1 / 61, 1 / 80].slice(0, channels),
    shift: [-1.7, -2, -1.5].slice(0, channels),
  };
}

let mnist: { train: Examples; test: Examples } | undefined;

/** MNIST, standardized. */
export async function mnistExamples(): Promise<{ train: Examples; test: Examples }> {
  if (mnist) return mnist;
  const { train, test } = await loadDataset('mnist', { dataDir: dataFolder({}) });
  const { mean, std } = normalization(train) as { mean: [number]; std: [number] };
  const examples = ({ images, labels }: ImageDataset): Examples => ({
    images,
    labels,
    features: 784,
    scale: [1 / (255 * std[0])],
    shift: [-mean[0] / std[0]],
  });
  mnist = { train: examples(train), test: examples(test) };
  return mnist;
}

/** The first `count` examples, of the first `classes` classes. */
export function firstOf(all: Examples, count: number, classes = 10): Examples {
  const kept = [...all.labels.keys()].filter((i) => all.labels[i]! < classes).slice(0, count);
  const images = new Uint8Array(kept.length * all.features);
  kept.forEach((i, n) => {
    images.set(all.images.subarray(i * all.features, (i + 1) * all.features), n * all.features);
  });
  return { ...all, images, labels: Uint8Array.from(kept, (i) => all.labels[i]!) };
}

/** The examples in GPU memory. */
export function upload(gpu: Gpu, { images, labels, features, scale, shift }: Examples) {
  const device: DeviceExamples = {
    images: DeviceArray.from(gpu, images, [labels.length, features], 'u8'),
    labels: DeviceArray.from(gpu, labels, [labels.length], 'u8'),
    scale,
    shift,
  };
  return {
    ...device,
    [Symbol.dispose]() {
      (device.images as DeviceArray).dispose();
      device.labels.dispose();
    },
  };
}

/** Inputs and labels of some examples, for the reference. */
export function select(
  { images, labels, features, scale, shift }: Examples,
  indices: readonly number[],
): { x: Float64Array; labels: number[] } {
  const x = new Float64Array(indices.length * features);
  indices.forEach((index, n) => {
    for (let f = 0; f < features; f++) {
      const c = f % scale.length;
      x[n * features + f] = images[index * features + f]! * scale[c]! + shift[c]!;
    }
  });
  return { x, labels: indices.map((i) => labels[i]!) };
}

/** Which examples make up the batch of a step. */
export function batchIndices(count: number, batch: number, seed: number, step: number): number[] {
  const stepsPerEpoch = Math.floor(count / batch);
  const epoch = Math.floor(step / stepsPerEpoch);
  const key = (Math.imul(epoch, 0x9e3779b1) + shuffleSeed(seed)) >>> 0;
  return Array.from({ length: batch }, (_, i) =>
    shuffleIndex((step % stepsPerEpoch) * batch + i, key, count),
  );
}

/** A state in which BatchNorm's parameters and statistics are no round numbers either. */
export function someState(network: ResidualNetwork): HostState {
  const state = initialState(network, 7);
  const next = randomNumbers(5);
  for (const { name } of network.norms) {
    for (const [kind, arrays, least, spread] of [
      ['weight', state.parameters, 0.5, 1],
      ['bias', state.parameters, -0.2, 0.4],
      ['running_mean', state.statistics, -0.2, 0.4],
      ['running_var', state.statistics, 0.5, 1],
    ] as const) {
      const values = arrays.get(`${name}.${kind}`)!;
      arrays.set(
        `${name}.${kind}`,
        values.map(() => least + spread * next()),
      );
    }
  }
  return state;
}

const doubles = (arrays: ReadonlyMap<string, Float32Array>): Tensors =>
  new Map([...arrays].map(([name, data]) => [name, Float64Array.from(data)]));

/** Our state as the reference's, digit for digit. */
export const referenceState = ({ step, parameters, statistics, moments }: HostState): State => ({
  step,
  tensors: doubles(new Map([...parameters, ...statistics])),
  moments: moments.map(doubles),
});

export const norm = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));

/** ‖a − b‖; infinite if anything is not a number. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const d = norm(Array.from(a, (v, i) => v - b[i]!));
  return Number.isNaN(d) || a.length !== b.length ? Number.POSITIVE_INFINITY : d;
}
