import type * as v from 'valibot';
import type { DatasetFacts } from '../data/dataset.ts';
import { type SettingName, unusual } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import type { ResidualNetwork } from './residual-network.ts';

/** A preset: what it takes, in words, and what it changes of the one before it. */
export interface PresetChanges {
  readonly summary: string;
  readonly changes: Partial<Settings>;
}

/** Everything about a kind of network with options O: each has a file, and a line in the networks' table. */
export interface NetworkKind<O, P = object> {
  /** In headlines. */
  readonly title: string;
  /** Whether its blocks work on maps, which have thresholds of their own, rather than on vectors. */
  readonly convolutional: boolean;
  /** Whether it reads texts rather than images: experiments pair it with data of its kind. */
  readonly text?: true;
  /** What a report says about it, if it is not one of the paper's. */
  readonly deviation?: string;
  /** Options as files have them. */
  readonly schema: v.GenericSchema<O>;
  readonly create: (options: O) => ResidualNetwork;
  /** Settings of its size, which not every network has, at the preset `paper`. */
  readonly sizes: (dataset: DatasetFacts) => Partial<Settings>;
  /** Variations that not every network has. */
  readonly variations: readonly SettingName[];
  /** Weight decays that the paper states for such networks; `paper` uses the first. */
  readonly decays: readonly [number, ...number[]];
  /** Test accuracy from which it counts as trained, if not the dataset's. Our choice. */
  readonly trainedAt?: number;
  /** Its options for images [height, width, channels], without defaults: checkpoints stay as they were. */
  readonly optionsOf: (settings: Settings, image: readonly [number, number, number]) => O;
  /** `quick` changes `paper`; `smoke` says whether it changes `paper` or `quick`. */
  readonly presets: (dataset: DatasetFacts) => {
    readonly smoke: PresetChanges & { readonly of: 'quick' | 'paper' };
    readonly quick: PresetChanges;
    /** How long the paper's settings take. */
    readonly paper: string;
  };
  /** What a report says of its shape. */
  readonly shape: (settings: Settings) => string;
  /** A small network of its kind, or a similar one, to measure how fast an adapter trains it. */
  readonly probe: P;
}

export const sharedOptions = (settings: Settings) => {
  const { classes, activation, skip } = settings;
  return { classes, activation, skip, ...unusual(settings, 'skipScale', 'survival', 'branchScale') };
};

/** With momentum, alignment shows soonest, and needs less weight decay. */
export const SOON: Partial<Settings> = {
  ...{ momentum: 0.9, weightDecay: 1e-2, controlWeightDecay: 1e-3, samples: 8 },
};

/** At most so many images; of many classes the first 20, for enough images each; large images at 64×64. */
export const few = (
  { images, classes, side, settings = [] }: DatasetFacts,
  maximum: number,
): Partial<Settings> => ({
  images: Math.min(images, maximum),
  classes: Math.min(classes, 20),
  ...(side > 64 && settings.includes('resolution') && { resolution: 64 }),
});

export const halfOf = ({ images }: DatasetFacts, maximum = images): number =>
  Math.min(Math.round(images / 2), maximum);

export const minutes = (
  { epochs, images }: Partial<Settings>,
  network: string,
  optimizer = 'momentum 0.9',
  examples = 'images',
): string => `minutes: ${images} ${examples}, ${epochs} epochs, ${network}, and ${optimizer}`;
