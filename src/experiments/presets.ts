import type { DatasetName } from '../data/load.ts';
import { datasets, type Experiment, type Model, type Settings } from './experiment.ts';

/** What presets change of the paper's settings. */
type Changes = Partial<Settings>;

/**
 * The paper's settings: lr 0.1 with cosine decay, batch 128, 500 epochs, weight decay 5e-2 for fully connected networks (it
 * names 1e-2 as well) and 1e-1 for convolutional ones. Ours: sizes, momentum 0 (the paper states none; at 0.9 these
 * decays kill blocks), and a control with a weight decay at which a network without skip connections still trains.
 */
export function paperSettings(dataset: DatasetName, model: Model): Settings {
  const { images, classes, side } = datasets[dataset];
  const size: Record<Model, Changes> = {
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
    survival: 1,
    batch: 128,
    lr: 0.1,
    momentum: 0,
    weightDecay: model === 'fc' ? 5e-2 : 1e-1,
    controlWeightDecay: 5e-3,
    samples: 16,
  };
}

/** Sets that have no size of their own. */
const resizable = (dataset: DatasetName): boolean =>
  dataset === 'imagenette' || dataset === 'synthetic-images';

/** With momentum, alignment shows soonest; it then takes less weight decay. */
const SOON: Changes = { momentum: 0.9, weightDecay: 1e-2, controlWeightDecay: 1e-3, samples: 8 };

/** How a model is made small enough for minutes on two cores, and what `quick` says of that. */
const QUICK: Record<Model, (dataset: DatasetName) => { summary: string; changes: Changes }> = {
  fc: () => ({ summary: "minutes: the paper's settings, but 10 epochs", changes: { epochs: 10 } }),
  conv: (dataset) => {
    const stride = datasets[dataset].side > 64 ? 4 : 2;
    const changes = { ...SOON, ...few(dataset), epochs: 10, depth: 6, channels: 16, stride };
    return { summary: summaryOf(changes, '16 channels, 6 blocks, a stem with a stride'), changes };
  },
  resnet34: (dataset) => {
    const changes = { ...SOON, ...few(dataset), epochs: 5, channels: 8 };
    return { summary: summaryOf(changes, 'an eighth of the channels'), changes };
  },
};

/** At most 10,000 images; of many classes the first 20, so that there are enough of each; of large images 64×64 pixels. */
const few = (dataset: DatasetName): Changes => {
  const { images, classes, side } = datasets[dataset];
  return {
    images: Math.min(images, 10_000),
    classes: Math.min(classes, 20),
    ...(side > 64 && { resolution: 64 }),
  };
};

const summaryOf = ({ epochs, images }: Changes, network: string): string =>
  `minutes: ${images} images, ${epochs} epochs, ${network}, and momentum 0.9`;

/** The three presets of an experiment; `changes` are its own to `quick`. */
export function presetsOf(
  dataset: DatasetName,
  model: Model,
  own: { readonly summary: string; readonly changes: Changes } | undefined,
): Experiment['presets'] {
  const paper = paperSettings(dataset, model);
  const quick = QUICK[model](dataset);
  const quickSettings = { ...paper, ...quick.changes, ...own?.changes };
  const half = Math.round(datasets[dataset].images / 2);
  const smoke: Settings =
    model === 'fc'
      ? { ...paper, ...SOON, epochs: 3, images: half }
      : {
          ...quickSettings,
          epochs: 2,
          images: Math.min(half, 2_000),
          samples: 4,
          ...(model === 'conv' && { depth: 3 }),
        };
  return {
    smoke: {
      summary:
        model === 'fc'
          ? 'seconds: half of the images, 3 epochs, and momentum 0.9, with which alignment shows soonest'
          : `seconds: as quick, but ${smoke.images} images and ${smoke.epochs} epochs: it shows that everything runs, not alignment`,
      settings: smoke,
    },
    quick: { summary: own?.summary ?? quick.summary, settings: quickSettings },
    paper: {
      summary: `${model === 'fc' ? 'hours' : 'a day or more on a graphics card'}: the paper's settings, 500 epochs`,
      settings: paper,
    },
  };
}
