import type { AnalysisSamples } from '../analysis/measure-network.ts';
import { chooseSamples } from '../analysis/samples.ts';
import { DeviceArray } from '../autograd/array.ts';
import {
  type DatasetSplit,
  firstClasses,
  type ImageDataset,
  normalization,
  standardized,
} from '../data/dataset.ts';
import { CollimateError, checkWhole } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { philox } from '../kernels/philox.ts';
import { shuffleIndex } from '../kernels/shuffle.ts';
import type { Settings } from '../settings/table.ts';
import type { DeviceExamples } from '../train/examples.ts';
import { keyOf } from '../train/state.ts';

/** The images of a run, and how they are normalized. */
export interface Task {
  readonly dataset: string;
  /** What reports must say about the data, a sentence each. */
  readonly notes: readonly string[];
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  /** Training images that are held back, with their true labels. */
  readonly validation?: ImageDataset;
  /** Statistics of all training images, even if few are used, by channel, pixels scaled to [0, 1]. */
  readonly normalization: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/** The settings that decide a run's images and labels. */
export type DataSettings = Pick<Settings, 'classes' | 'images'> & Partial<Settings>;

/** The part of a whole dataset that the settings select. */
export function taskOf(all: DatasetSplit, settings: DataSettings): Task {
  const { classes, images, validation = 0, seed = 0, randomLabels = 0 } = settings;
  checkWhole('images', images, 1);
  checkWhole('validation', validation, 0);
  if (!(randomLabels >= 0 && randomLabels <= 1)) {
    throw new CollimateError(`randomLabels is ${randomLabels}`, 'Give a share from 0 to 1.');
  }
  const { train, ...selected } = firstClasses(all, classes);
  const used = Math.min(images, train.count);
  if (used + validation > train.count) {
    throw new CollimateError(
      `--validation is ${validation}, but only ${train.count - used} training images of ${classes} classes follow the first ${used}`,
      `Give --images ${train.count - validation}, or fewer.`,
    );
  }
  const parts = [imagesFrom(train, 0, used), selected.test, imagesFrom(train, used, validation)];
  const [first, test, held] = standardized(...(parts as [ImageDataset, ImageDataset, ImageDataset]));
  return {
    dataset: train.name,
    notes: train.notes ?? [],
    train: withRandomLabels(first!, randomLabels, seed),
    test: test!,
    ...(validation > 0 && { validation: held! }),
    normalization: normalization(all.train),
  };
}

export function imagesFrom(dataset: ImageDataset, first: number, count: number): ImageDataset {
  if (first === 0 && count === dataset.count) return dataset;
  const { images, labels, targets, classes } = dataset;
  const slice = <T extends Uint8Array | Float32Array>(all: T, each: number) =>
    all.subarray(first * each, (first + count) * each) as T;
  return {
    ...{ ...dataset, count, images: slice(images, featuresOf(dataset)), labels: slice(labels, 1) },
    ...(targets && { targets: slice(targets, classes) }),
  };
}

/** Last counter words for random labels; the order of epochs has 1. */
const LABELS = 2;

/** The images with a share of labels drawn uniformly from all classes (Zhang et al., ICLR 2017), by seed. */
function withRandomLabels(dataset: ImageDataset, share: number, seed: number): ImageDataset {
  if (share === 0) return dataset;
  const key = keyOf(seed);
  const [order] = philox([0, 1, 0, LABELS], key);
  const labels = dataset.labels.map((label, i) => {
    if (shuffleIndex(i, order, dataset.count) >= Math.round(share * dataset.count)) return label;
    return philox([i, 0, 0, LABELS], key)[0] % dataset.classes;
  });
  return { ...dataset, labels };
}

export const shapeOf = ({ height, width, channels }: ImageDataset) => [height, width, channels] as const;

export const featuresOf = ({ height, width, channels }: ImageDataset): number => height * width * channels;

/** Image bytes kept in GPU memory, if one binding may span as many; larger sets are streamed by batch. */
const RESIDENT_BYTES = 2 ** 30;

/** A task on a device: its images as bytes, ready for steps there. */
export class DeviceTask implements Disposable {
  readonly train: DeviceExamples;
  readonly test: DeviceExamples;
  readonly validation: DeviceExamples | undefined;

  constructor(
    readonly gpu: Gpu,
    readonly task: Task,
    residentBytes = Math.min(RESIDENT_BYTES, gpu.traits.maxBindingBytes),
  ) {
    const { train, test, validation } = task;
    const { mean, std } = task.normalization;
    const affine = { scale: std.map((s) => 1 / (255 * s)), shift: mean.map((m, c) => -m / std[c]!) };
    const put = (dataset: ImageDataset, label: string): DeviceExamples => {
      const { images, labels, targets, count, classes } = dataset;
      return {
        ...(targets && {
          targets: DeviceArray.from(gpu, targets, [count, classes], 'f32', `${label} targets`),
        }),
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
    this.validation = validation && put(validation, 'validation');
  }

  [Symbol.dispose](): void {
    for (const { images, labels, targets } of [this.train, this.test, this.validation ?? []].flat()) {
      if (images instanceof DeviceArray) images.dispose();
      labels.dispose();
      targets?.dispose();
    }
  }
}

/** The training examples at which Jacobians are taken, normalized. */
export function analysisSamples(task: Task, count: number, seed: number): AnalysisSamples {
  const { mean, std } = task.normalization;
  const { images, labels, count: available } = task.train;
  checkWhole('the number of samples', count, 1);
  if (count > available) {
    throw new CollimateError(`cannot take ${count} samples of ${available} training images`, 'Take fewer.');
  }
  const indices = chooseSamples(labels, count, seed);
  const features = featuresOf(task.train);
  const together = task.train.text ? mean.length : 1;
  const inputs = new Float32Array((count * features) / together);
  for (const [n, index] of indices.entries()) {
    for (let k = 0; k < features; k++) {
      const c = k % mean.length;
      const place = Math.floor((n * features + k) / together);
      inputs[place]! += (images[index * features + k]! / 255 - mean[c]!) / std[c]!;
    }
  }
  return { inputs, indices, labels: indices.map((index) => labels[index]!) };
}
