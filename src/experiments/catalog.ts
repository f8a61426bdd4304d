import { type DatasetName, datasets } from '../data/datasets.ts';
import type { Experiment, Model } from './experiment.ts';
import { presetsOf } from './presets.ts';

const MODELS: Record<Model, string> = {
  fc: 'fully connected ResNet',
  conv: 'convolutional ResNet',
  resnet34: 'ResNet-34',
};

function experiment(name: string, dataset: DatasetName, model: Model): Experiment {
  const on = `${MODELS[model]} on ${datasets[dataset].title}`;
  return {
    name,
    dataset,
    model,
    summary: `a ${on}, beside the same without skip connections`,
    title: `Residual Alignment in a ${on}`,
    defaultPreset: 'quick',
    presets: presetsOf(dataset, model),
  };
}

const all = [
  experiment('mnist-fc', 'mnist', 'fc'),
  experiment('mnist-conv', 'mnist', 'conv'),
  experiment('mnist-resnet34', 'mnist', 'resnet34'),
  experiment('fashion-fc', 'fashion', 'fc'),
  experiment('fashion-conv', 'fashion', 'conv'),
  experiment('cifar10-fc', 'cifar10', 'fc'),
  experiment('cifar10-conv', 'cifar10', 'conv'),
  experiment('cifar10-resnet34', 'cifar10', 'resnet34'),
  experiment('cifar100-conv', 'cifar100', 'conv'),
  experiment('cifar100-resnet34', 'cifar100', 'resnet34'),
  experiment('imagenette-conv', 'imagenette', 'conv'),
  experiment('imagenette-resnet34', 'imagenette', 'resnet34'),
  experiment('synthetic-fc', 'synthetic-images', 'fc'),
  experiment('synthetic-conv', 'synthetic-images', 'conv'),
  experiment('synthetic-resnet34', 'synthetic-images', 'resnet34'),
];

/** Every experiment there is, by name. */
export const catalog: Readonly<Record<string, Experiment>> = Object.assign(
  Object.create(null), // `constructor` is the name of none
  Object.fromEntries(all.map((e) => [e.name, e])),
);
