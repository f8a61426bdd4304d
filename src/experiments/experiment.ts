import { type DatasetName, datasets } from '../data/datasets.ts';
import { type Model, networks } from '../models/networks.ts';
import { defaults, rowOf, settingDeviations, settingsBy } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';

/** Presets of experiments and of sweeps: seconds, to see that it runs; minutes; the paper's settings. */
export const LEVELS = ['smoke', 'quick', 'paper'] as const;
export type Level = (typeof LEVELS)[number];

export interface Preset {
  readonly summary: string;
  readonly settings: Settings;
}

/** A kind of network on a dataset, at several presets. */
export interface Experiment {
  readonly name: string;
  readonly dataset: DatasetName;
  readonly model: Model;
  readonly summary: string;
  readonly title: string;
  readonly presets: Readonly<Record<Level, Preset>>;
}

/**
 * The paper's settings: lr 0.1 with cosine decay, batch 128, 500 epochs, weight decay 5e-2 (it also names
 * 1e-2) for fully connected and 1e-1 for convolutional networks. Ours: sizes; momentum 0 (the paper states
 * none; 0.9 kills blocks at these decays); a control at a decay that lets networks without skips train.
 */
function paperSettings(dataset: DatasetName, model: Model): Settings {
  const { images, classes, side } = datasets[dataset];
  const { sizes, decays } = networks[model];
  const given: Partial<Settings> = { images, classes, resolution: side, weightDecay: decays[0] };
  const own = { ...defaults, ...given, ...sizes(datasets[dataset]) };
  return settingsBy((name) =>
    name in defaults || applies({ dataset, model }, name) ? (own[name] ?? rowOf(name).paper) : undefined,
  ) as Settings;
}

function presetsOf(dataset: DatasetName, model: Model): Experiment['presets'] {
  const { smoke, quick, paper } = networks[model].presets(datasets[dataset]);
  const settings = paperSettings(dataset, model);
  const quickSettings = { ...settings, ...quick.changes };
  const base = { quick: quickSettings, paper: settings }[smoke.of];
  // Squared errors do not saturate: with momentum, training diverges at the paper's learning rate.
  const slower = (own: Settings): Settings =>
    datasets[dataset].regression && own.momentum > 0 ? { ...own, lr: 0.02 } : own;
  return {
    smoke: { summary: smoke.summary, settings: slower({ ...base, ...smoke.changes }) },
    quick: { summary: quick.summary, settings: slower(quickSettings) },
    paper: { summary: `${paper}: the paper's settings, 500 epochs`, settings },
  };
}

export function experimentOn(dataset: DatasetName, model: Model): Experiment {
  const { title, prefix = dataset } = datasets[dataset];
  const on = `${networks[model].title} on ${title}`;
  return {
    name: `${prefix}-${model}`,
    dataset,
    model,
    summary: `a ${on}, beside the same without skip connections`,
    title: `Residual Alignment in a ${on}`,
    presets: presetsOf(dataset, model),
  };
}

/** Whether a setting applies to an experiment's network and data. */
export function applies(
  { dataset, model }: Pick<Experiment, 'dataset' | 'model'>,
  name: keyof Settings,
): boolean {
  const { of } = rowOf(name);
  if (of === 'datasets') return (datasets[dataset].settings ?? []).some((own) => own === name);
  const { sizes, variations } = networks[model];
  return of === undefined || name in sizes(datasets[dataset]) || variations.includes(name);
}

/** What claims need to know about a run's data. */
export const dataFacts = (
  { dataset, model }: Pick<Experiment, 'dataset' | 'model'>,
  { randomLabels }: Pick<Settings, 'randomLabels'>,
) => ({
  trainedAt: networks[model].trainedAt ?? datasets[dataset].trainedAt,
  randomLabels: randomLabels > 0,
});

/** Height, width and channels of an experiment's images; texts are one row. */
export function imageShape(dataset: DatasetName, settings: Settings): [number, number, number] {
  const { side, channels, length } = datasets[dataset];
  if (length !== undefined) return [1, length, 1];
  const { resolution = side } = settings;
  return [resolution, resolution, channels];
}

/** How settings depart from the paper's, and our choices where the paper states nothing. */
export function deviations({ dataset, model }: Experiment, settings: Settings): string[] {
  const facts = datasets[dataset];
  return [
    ...[facts.deviation, networks[model].deviation].filter((said) => said !== undefined),
    ...settingDeviations({ settings, dataset: facts, network: networks[model] }),
    networks[model].shape(settings),
    `Weight decay is ${settings.optimizer === 'sgd' ? 'coupled to' : 'decoupled from'} the gradient, as in PyTorch; an epoch leaves out its last, partial batch.`,
  ];
}
