import { type DatasetName, datasets } from '../data/datasets.ts';
import { AS_IN_THE_PAPER, type Experiment, type Model, type Settings } from './experiment.ts';

/** What presets change of the paper's settings. */
type Changes = Partial<Settings>;

/**
 * The paper's settings: lr 0.1 with cosine decay, batch 128, 500 epochs, weight decay 5e-2 for fully connected networks (it
 * names 1e-2 as well) and 1e-1 for convolutional ones. Ours: sizes, momentum 0 (the paper states none; at 0.9 these
 * decays kill blocks), and a control with a weight decay at which a network without skip connections still trains.
 */
export function paperSettings(dataset: DatasetName, model: Model): Settings {
  const { images, classes, side } = datasets[dataset];
  const size: Record<Model, Pick<Changes, 'depth' | 'width' | 'channels' | 'stride'>> = {
    fc: { depth: 8, width: 128 },
    conv: { depth: 8, channels: 64, stride: side > 64 ? 4 : 1 },
    resnet34: { channels: 64 },
  };
  return {
    seed: 1,
    epochs: 500,
    images,
    classes,
    ...(resizable(dataset) && { resolution: side }),
    ...size[model],
    activation: 'relu',
    ...AS_IN_THE_PAPER,
    batch: 128,
    lr: 0.1,
    momentum: 0,
    weightDecay: model === 'fc' ? 5e-2 : 1e-1,
    controlWeightDecay: 5e-3,
    samples: 16,
  };
}

/** Sets that have no size of their own. */
const resizable = (dataset: DatasetName): boolean => !!datasets[dataset].settings?.includes('resolution');

/** With momentum, alignment shows soonest; it then takes less weight decay. */
const SOON: Changes = { momentum: 0.9, weightDecay: 1e-2, controlWeightDecay: 1e-3, samples: 8 };

/** How a model is made small enough for minutes on two cores, and what `quick` says of that. */
const QUICK: Record<Model, (dataset: DatasetName) => { summary: string; changes: Changes }> = {
  fc: () => ({ summary: "minutes: the paper's settings, but 10 epochs", changes: { epochs: 10 } }),
  // Depth and small maps are what makes alignment clear within a few hundred steps: docs/convolutions.md has the trials.
  conv: (dataset) => {
    const { side } = datasets[dataset];
    const changes = {
      ...SOON,
      ...few(dataset, 20_000),
      epochs: 6,
      depth: 10,
      channels: 32,
      stride: side > 28 ? 8 : 6,
      controlWeightDecay: 5e-4,
    };
    return { summary: summaryOf(changes, '32 channels, 10 blocks, a stem with a large stride'), changes };
  },
  resnet34: (dataset) => {
    const changes = { ...SOON, ...few(dataset, 10_000), epochs: 5, channels: 8 };
    return { summary: summaryOf(changes, 'an eighth of the channels'), changes };
  },
};

/** At most so many images; of many classes the first 20, so that there are enough of each; of large images 64×64 pixels. */
const few = (dataset: DatasetName, most: number): Changes => {
  const { images, classes, side } = datasets[dataset];
  return {
    images: Math.min(images, most),
    classes: Math.min(classes, 20),
    ...(side > 64 && { resolution: 64 }),
  };
};

const summaryOf = ({ epochs, images }: Changes, network: string): string =>
  `minutes: ${images} images, ${epochs} epochs, ${network}, and momentum 0.9`;

/** The three presets of an experiment. */
export function presetsOf(dataset: DatasetName, model: Model): Experiment['presets'] {
  const paper = paperSettings(dataset, model);
  const quick = QUICK[model](dataset);
  const quickSettings = { ...paper, ...quick.changes };
  const half = Math.round(datasets[dataset].images / 2);
  const smoke: Settings = {
    fc: { ...paper, ...SOON, epochs: 3, images: half },
    conv: { ...quickSettings, epochs: 5, images: Math.min(half, 10_000), depth: 4, samples: 4 },
    resnet34: { ...quickSettings, epochs: 2, images: Math.min(half, 2_000), samples: 4 },
  }[model];
  return {
    smoke: {
      summary: {
        fc: 'seconds: half of the images, 3 epochs, and momentum 0.9, with which alignment shows soonest',
        conv: `less than quick: ${smoke.images} images, ${smoke.epochs} epochs and 4 blocks, with which alignment begins to show`,
        resnet34: `less than quick: ${smoke.images} images and ${smoke.epochs} epochs; it shows that everything runs, not alignment`,
      }[model],
      settings: smoke,
    },
    quick: { summary: quick.summary, settings: quickSettings },
    paper: {
      summary: `${model === 'fc' ? 'hours' : 'a day or more on a graphics card'}: the paper's settings, 500 epochs`,
      settings: paper,
    },
  };
}
