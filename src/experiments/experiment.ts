import { type DatasetName, datasets } from '../data/datasets.ts';
import type { NetworkOptions } from '../models/network-of.ts';

/** Kinds of networks. */
export type Model = NetworkOptions['kind'];

/** What a run can be told, each with a value where it applies to the experiment's network and data. */
export interface Settings extends Variations {
  readonly seed: number;
  /** Passes over the training images. */
  readonly epochs: number;
  /** Training images, the first ones of the set. */
  readonly images: number;
  /** The first classes of the set. */
  readonly classes: number;
  /** Height and width that images are brought to, where the set does not fix them. */
  readonly resolution?: number;
  /** Number L of residual blocks; resnet34 has its own. */
  readonly depth?: number;
  /** Number D of features, of fc. */
  readonly width?: number;
  /** Channels, of conv; those of the first stage, of resnet34. */
  readonly channels?: number;
  /** Stride of the stem, of conv: blocks work on maps that are smaller by it. */
  readonly stride?: number;
  /** σ in h ← σ(h + F(h)). */
  readonly activation: 'relu' | 'identity';
  readonly batch: number;
  /** At the first step; falls to 0 along a cosine. */
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  /** That of the no-skip control, which is otherwise trained alike; null where none is trained. */
  readonly controlWeightDecay: number | null;
  /** Training examples at which Jacobians are taken. */
  readonly samples: number;
}

/** What can be changed of the network, its data and its training besides; files of earlier versions may name none of it. */
interface Variations {
  /** Whether there are skip connections. Without them the network is what is otherwise the control, and has none beside it. */
  readonly skip: boolean;
  /** Of fc: without BatchNorm linear layers have biases. */
  readonly norm: 'batch' | 'none';
  /** Of fc: BatchNorm behind each linear layer of the branch, or in front of it, so that none follows the last one. */
  readonly branch: 'post-norm' | 'pre-norm';
  /** Factor of F in every block; `learned`: a parameter of each block, 0 at first. Not in the control. */
  readonly branchScale: number | 'learned';
  /** Stochastic depth: probability with which a step keeps a block's branch. Not in the control. */
  readonly survival: number;
  /** Of fc: share of what enters the last linear layer of each branch that a step drops. */
  readonly dropout: number;
  /** Share of the training images that get random labels. */
  readonly randomLabels: number;
  /** Of cifar100: its 20 superclasses in place of its classes. */
  readonly superclasses: boolean;
  /** Training images held back, those behind the first `images`, on which each epoch is tested. */
  readonly validation: number;
  /** Epochs after which weights are kept: see {@link snapshotEpochs}. */
  readonly snapshots: number;
  /** Epochs from one test to the next; the last one is always followed by one. */
  readonly testEvery: number;
}

/** Networks, data and training as the paper has them. */
export const AS_IN_THE_PAPER: Variations = {
  skip: true,
  norm: 'batch',
  branch: 'post-norm',
  branchScale: 1,
  survival: 1,
  dropout: 0,
  randomLabels: 0,
  superclasses: false,
  validation: 0,
  snapshots: 0,
  testEvery: 1,
};

/** Settings of the control: the same without skip connections, and without what needs them. */
export const controlSettings = (settings: Settings): Settings => ({
  ...settings,
  skip: false,
  branchScale: 1,
  survival: 1,
  weightDecay: settings.controlWeightDecay!,
  controlWeightDecay: null,
  snapshots: 0,
});

export interface Preset {
  readonly summary: string;
  readonly settings: Settings;
}

export interface Experiment {
  readonly name: string;
  readonly dataset: DatasetName;
  readonly model: Model;
  readonly summary: string;
  /** The report's headline. */
  readonly title: string;
  readonly defaultPreset: string;
  readonly presets: Readonly<Record<string, Preset>>;
}

/** Classes that there are, or superclasses. */
export function classesOf(dataset: DatasetName, { superclasses }: Pick<Settings, 'superclasses'>): number {
  const facts = datasets[dataset];
  return superclasses ? facts.superclasses! : facts.classes;
}

/** What claims have to know of the data of a run. */
export const dataFacts = (dataset: DatasetName, { randomLabels }: Pick<Settings, 'randomLabels'>) => ({
  trainedAt: datasets[dataset].trainedAt,
  randomLabels: randomLabels > 0,
});

/** Height, width and channels of an experiment's images. */
export function imageShape(dataset: DatasetName, settings: Settings): [number, number, number] {
  const { side, channels } = datasets[dataset];
  const { resolution = side } = settings;
  return [resolution, resolution, channels];
}

/** The network of an experiment for images [height, width, channels]. What is as usual is not named: so checkpoints stay as they were. */
export function networkOptions(
  model: Model,
  settings: Settings,
  image: readonly [number, number, number],
): NetworkOptions {
  const { depth = 0, width = 0, channels = 0, stride = 1, classes, activation, skip } = settings;
  const { survival, branchScale, norm, branch, dropout } = settings;
  const shared = {
    ...{ classes, activation, skip },
    ...(survival < 1 && { survival }),
    ...(branchScale !== 1 && { branchScale }),
  };
  switch (model) {
    case 'fc':
      return {
        ...{ kind: model, inputs: image[0] * image[1] * image[2], depth, width, ...shared },
        ...(norm !== 'batch' && { norm }),
        ...(branch !== 'post-norm' && { branch }),
        ...(dropout > 0 && { dropout }),
      };
    case 'conv':
      return { kind: model, inputs: image, depth, channels, stem: stemOf(stride), ...shared };
    case 'resnet34':
      return { kind: model, inputs: image, channels, ...shared };
  }
}

/** The smallest window of odd size, 3×3 or more, whose places at a stride lie next to each other; maps are smaller by the stride. */
function stemOf(stride: number) {
  const size = Math.max(3, stride + 1 - (stride % 2));
  return { size, stride, padding: Math.ceil((size - stride) / 2) };
}
