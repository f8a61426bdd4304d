import { CollimateError } from '../errors.ts';
import type { Place, PlaceOptions, Sources } from './locate.ts';

/** Labelled images as bytes, ready to be put on the GPU as they are. */
export interface ImageDataset {
  readonly name: string;
  /** `[count, height, width, channels]`, row-major: channels are fastest. */
  readonly images: Uint8Array;
  /** `[count]`, each below `classes`. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
  /** What a reader of results made with these images has to know about where they come from. */
  readonly notes?: readonly string[];
}

export interface DatasetSplit {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** What is known of a dataset before it is loaded. */
export interface DatasetFacts {
  /** As it is written in headlines. */
  readonly title: string;
  /** Training and test images, at most. */
  readonly images: number;
  readonly test: number;
  /** Height and width, unless a resolution is set. */
  readonly side: number;
  readonly channels: number;
  readonly classes: number;
  /** Into which its classes can be put together, if they can. */
  readonly superclasses?: number;
  /** Settings that apply to this dataset, but not to all. */
  readonly settings?: readonly ('resolution' | 'superclasses')[];
  /**
   * Test accuracy from which a network and its control count as trained, where that is not MNIST's: about what a linear
   * classifier of the pixels reaches, or more. Ours.
   */
  readonly trainedAt?: number;
  /** What a report says of it where it is not one of the paper's. */
  readonly deviation?: string;
}

/** All there is of a dataset: each has a file, and a line in {@link datasets}. */
export interface Dataset extends DatasetFacts {
  /** How experiments on it begin, where that is not its name. */
  readonly prefix?: string;
  /** What can be fetched, if it is fetched; of several sources the first is meant where none is named. */
  readonly sources: Sources;
  /** The name of the source that options need, where it is not the first. */
  readonly sourceFor?: (options: DatasetOptions) => string;
  /** In `npm run data`: what it is, where facts and sources do not say that, and where it is, if it is there, but not fetched. */
  readonly about?: string;
  readonly where?: (dataDir: string) => string | undefined;
  /** Reads it; `place` has all files of the source, if it has one. */
  readonly load: (options: DatasetOptions, place: Place) => DatasetSplit | Promise<DatasetSplit>;
}

export interface DatasetOptions extends PlaceOptions {
  /** Of CIFAR-100: its 20 superclasses in place of its 100 classes. */
  readonly superclasses?: boolean | undefined;
  /** The name of the source, of sets that have several. */
  readonly source?: string | undefined;
  /** Height and width in pixels that images are brought to, of sets without a size of their own. */
  readonly size?: number | undefined;
  /** Training images that are needed, of sets that are made on the spot. */
  readonly images?: number | undefined;
  /** Called as images are decoded. */
  readonly onDecode?: ((done: number, total: number) => void) | undefined;
  /** Called with what is worth knowing but no failure; default: stderr. */
  readonly say?: ((message: string) => void) | undefined;
}

/** The name of a dataset whose files are not, or not known to be, the published ones. */
export const ownName = (name: string, where: string): string => `${name} (own files, ${where})`;

/** Passes a dataset on if its sizes agree and every label is below `classes`; otherwise says what is wrong. */
export function checkDataset(dataset: ImageDataset): ImageDataset {
  const { name, images, labels, count, height, width, channels, classes } = dataset;
  const fail = (message: string) =>
    new CollimateError(
      `dataset ${name}: ${message}`,
      'Check that its files belong together and are undamaged.',
    );
  const imageBytes = count * height * width * channels;
  if (images.length !== imageBytes) {
    const shape = `${count} images of ${height}×${width}×${channels}`;
    throw fail(`${shape} take ${imageBytes} bytes, but there are ${images.length}`);
  }
  if (labels.length !== count) throw fail(`there are ${count} images but ${labels.length} labels`);
  const bad = labels.findIndex((label) => label >= classes);
  if (bad !== -1) throw fail(`item ${bad} has the label ${labels[bad]}, but there are ${classes} classes`);
  return dataset;
}

/** Both splits with only the images of the first `classes` classes, in their order. */
export function firstClasses(split: DatasetSplit, classes: number): DatasetSplit {
  const available = split.train.classes;
  if (!Number.isInteger(classes) || classes < 2 || classes > available) {
    throw new CollimateError(
      `cannot keep ${classes} classes of ${split.train.name}, which has ${available}`,
      `Give a whole number from 2 to ${available}.`,
    );
  }
  if (classes === available) return split;
  return { train: keepClasses(split.train, classes), test: keepClasses(split.test, classes) };
}

function keepClasses(dataset: ImageDataset, classes: number): ImageDataset {
  const labels = dataset.labels.filter((label) => label < classes);
  const imageBytes = dataset.height * dataset.width * dataset.channels;
  const images = new Uint8Array(labels.length * imageBytes);
  let kept = 0;
  dataset.labels.forEach((label, i) => {
    if (label >= classes) return;
    images.set(dataset.images.subarray(i * imageBytes, (i + 1) * imageBytes), kept++ * imageBytes);
  });
  return { ...dataset, images, labels, count: labels.length, classes };
}

/**
 * Mean and population standard deviation of each channel over all pixels, bytes scaled to [0, 1]; exact up to the
 * last roundings, as the sums are of integers. Use the training images'. A constant channel gets the deviation 1, so that
 * dividing by it is harmless.
 */
export function normalization(dataset: ImageDataset): { mean: number[]; std: number[] } {
  const { images, channels } = dataset;
  const pixels = images.length / channels;
  const histogram = new Uint32Array(channels * 256);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = channel; i < images.length; i += channels) histogram[channel * 256 + images[i]!]! += 1;
  }
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const counts = histogram.subarray(channel * 256, (channel + 1) * 256);
    const average = counts.reduce((sum, n, value) => sum + n * value, 0) / pixels;
    const variance = counts.reduce((sum, n, value) => sum + n * (value - average) ** 2, 0) / pixels;
    mean.push(average / 255);
    std.push(variance > 0 ? Math.sqrt(variance) / 255 : 1);
  }
  return { mean, std };
}
