import type { AnalysisSamples } from '../analysis/measure.ts';
import { chooseSamples } from '../analysis/samples.ts';
import { DeviceArray } from '../autograd/array.ts';
import { firstClasses, type ImageDataset, normalization } from '../data/dataset.ts';
import { type DatasetOptions, loadDataset } from '../data/load.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { DeviceExamples } from '../train/examples.ts';
import { datasets, type Experiment, type Settings } from './experiment.ts';

/** The images of a run, and how they are normalized. */
export interface Task {
  readonly dataset: string;
  /** What has to be said of the data in a report, a sentence each. */
  readonly notes: readonly string[];
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  /** Of all training images, whatever part of them is used; pixels scaled to [0, 1], by channel. */
  readonly normalization: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/** Loads the part of a dataset that the settings name. */
export async function loadTask(
  name: Experiment['dataset'],
  { classes, images, resolution }: Pick<Settings, 'classes' | 'images' | 'resolution'>,
  options: DatasetOptions = {},
): Promise<Task> {
  const facts = datasets[name];
  const { side, test: testImages } = facts;
  const size = resolution ?? side;
  const synthetic = { height: size, width: size, train: Math.min(images, facts.images), test: testImages };
  const all = await loadDataset(name, { ...options, size, synthetic });
  const { train, test } = firstClasses(all, classes);
  return {
    dataset: train.name,
    notes: train.notes ?? [],
    train: firstImages(train, images),
    test,
    normalization: normalization(all.train),
  };
}

/** The first images, or all if there are fewer, as where only some classes are used. */
function firstImages(dataset: ImageDataset, count: number): ImageDataset {
  if (count >= dataset.count) return dataset;
  const bytes = featuresOf(dataset) * count;
  return {
    ...dataset,
    count,
    images: dataset.images.subarray(0, bytes),
    labels: dataset.labels.subarray(0, count),
  };
}

export const shapeOf = ({ height, width, channels }: ImageDataset): [number, number, number] => [
  height,
  width,
  channels,
];

export const featuresOf = ({ height, width, channels }: ImageDataset): number => height * width * channels;

/** Bytes of images that are put into GPU memory, where one binding may span as many; of larger sets, steps get the batches that they need. */
const RESIDENT_BYTES = 2 ** 30;

/** A task's images as bytes, ready for steps on the GPU. */
export class DeviceTask implements Disposable {
  readonly train: DeviceExamples;
  readonly test: DeviceExamples;

  constructor(
    gpu: Gpu,
    { train, test, normalization: { mean, std } }: Task,
    residentBytes = Math.min(RESIDENT_BYTES, gpu.traits.maxBindingBytes),
  ) {
    const affine = { scale: std.map((s) => 1 / (255 * s)), shift: mean.map((m, c) => -m / std[c]!) };
    const put = (dataset: ImageDataset, label: string): DeviceExamples => {
      const { images, labels, count } = dataset;
      return {
        images:
          images.length <= residentBytes
            ? DeviceArray.from(gpu, images, [count, featuresOf(dataset)], 'u8', `${label} images`)
            : images,
        labels: DeviceArray.from(gpu, labels, [count], 'u8', `${label} labels`),
        ...affine,
      };
    };
    this.train = put(train, 'training');
    this.test = put(test, 'test');
  }

  [Symbol.dispose](): void {
    for (const { images, labels } of [this.train, this.test]) {
      if (images instanceof DeviceArray) images.dispose();
      labels.dispose();
    }
  }
}

/** The training examples at which Jacobians are taken, normalized. */
export function analysisSamples(task: Task, count: number, seed: number): AnalysisSamples {
  const { mean, std } = task.normalization;
  const { images, labels, count: available } = task.train;
  if (count > available) {
    throw new CollimateError(`cannot take ${count} samples of ${available} training images`, 'Take fewer.');
  }
  const indices = chooseSamples(labels, count, seed);
  const features = featuresOf(task.train);
  const inputs = new Float32Array(count * features);
  for (const [n, index] of indices.entries()) {
    for (let k = 0; k < features; k++) {
      const c = k % mean.length;
      inputs[n * features + k] = (images[index * features + k]! / 255 - mean[c]!) / std[c]!;
    }
  }
  return { inputs, indices, labels: indices.map((index) => labels[index]!) };
}
