import { closest } from 'fastest-levenshtein';
import * as v from 'valibot';
import { datasets } from '../data/datasets.ts';
import { CollimateError } from '../errors.ts';
import { catalog } from './catalog.ts';
import { classesOf, type Experiment, type Preset, type Settings } from './experiment.ts';

/** Which numbers a setting may be. */
export interface Range {
  readonly option: string;
  readonly what: string;
  readonly whole: boolean;
  readonly least: number;
  readonly most: number;
  /** Whether `least` itself is too small. */
  readonly above?: boolean;
  /** What may stand in place of a number. */
  readonly word?: string;
}

const whole = (option: string, what: string, least: number, most: number): Range => ({
  option,
  what,
  whole: true,
  least,
  most,
});
const real = (option: string, what: string, least: number, most: number, above = false): Range => ({
  option,
  what,
  whole: false,
  least,
  most,
  above,
});

type ChoiceName = 'activation' | 'norm' | 'branch';
type FlagName = 'skip' | 'superclasses';
type NumberName = Exclude<keyof Settings, ChoiceName | FlagName>;

/** The settings that are numbers, in the order in which `--help` lists them. */
export const ranges: Readonly<Record<NumberName, Range>> = {
  epochs: whole('--epochs', 'passes over the training images', 1, 100_000),
  depth: whole('--depth', 'residual blocks L, of fc and conv', 1, 1000),
  width: whole('--width', 'features D, of fc', 2, 8192),
  channels: whole('--channels', 'channels, of conv; of the first stage, of resnet34', 1, 1024),
  stride: whole('--stride', 'stride of the stem, of conv', 1, 32),
  resolution: whole('--resolution', 'height and width of images that have no size of their own', 8, 512),
  classes: whole('--classes', 'use the first of the classes only', 2, 100),
  images: whole('--images', 'use the first of the training images only', 2, 60_000),
  weightDecay: real('--weight-decay', 'weight decay', 0, 10),
  controlWeightDecay: real('--control-weight-decay', 'weight decay of the control', 0, 10),
  lr: real('--lr', 'learning rate at the first step', 0, 1e9, true),
  branchScale: {
    ...real('--branch-scale', 'factor of F in every block', 0, 100, true),
    word: 'learned',
  },
  survival: real('--survival', 'stochastic depth: probability that a step keeps a block', 0, 1, true),
  dropout: real('--dropout', 'rate of dropout before the last linear layer of each branch, of fc', 0, 0.99),
  batch: whole('--batch', 'images in a step', 2, 60_000),
  momentum: real('--momentum', 'momentum, below 1', 0, 0.9999),
  seed: whole('--seed', 'seed of everything random', 0, Number.MAX_SAFE_INTEGER),
  randomLabels: real('--random-labels', 'share of the training images that get random labels', 0, 1),
  validation: whole('--validation', 'training images held back to test each epoch on', 0, 60_000),
  snapshots: whole('--snapshots', 'epochs, evenly over their logarithm, whose weights are kept', 0, 1000),
  testEvery: whole('--test-every', 'epochs from one test to the next', 1, 100_000),
  samples: whole('--samples', 'training examples at which Jacobians are taken', 1, 1000),
};

interface Choice {
  readonly option: string;
  readonly what: string;
  readonly values: readonly [string, string];
}

/** The settings that are one of two words. */
export const choices: Readonly<Record<ChoiceName, Choice>> = {
  activation: { option: '--activation', what: 'σ after each block', values: ['relu', 'identity'] },
  norm: { option: '--norm', what: 'BatchNorm, or none and biases instead, of fc', values: ['batch', 'none'] },
  branch: {
    option: '--branch',
    what: 'BatchNorm behind or in front of the linear layers of a branch, of fc',
    values: ['post-norm', 'pre-norm'],
  },
};

/** What the command line was given: texts as typed, undefined where an option was left out. */
export type GivenSettings = { readonly [name in NumberName | ChoiceName]?: string | undefined } & {
  readonly preset?: string | undefined;
  /** `false` for `--no-control`. */
  readonly control?: boolean | undefined;
  /** `false` for `--no-skip`. */
  readonly skip?: boolean | undefined;
  readonly superclasses?: boolean | undefined;
};

/** The experiment of that name; an unknown one is refused with the nearest there is, `others` among them. */
export function findExperiment(name: string, others: readonly string[] = []): Experiment {
  return lookUp(catalog, name, 'experiment', others);
}

export const findPreset = ({ presets }: Experiment, name: string): Preset => lookUp(presets, name, 'preset');

/** The given settings alone, checked as those of an experiment's default preset. */
export function parseSettings(given: GivenSettings, experiment: Experiment): Partial<Settings> {
  return changesOf(given, experiment, experiment.presets[experiment.defaultPreset]!.settings);
}

/** A preset's settings with the given ones in their places, all checked. */
export function resolveSettings(
  experiment: Experiment,
  given: GivenSettings,
): { preset: string; settings: Settings } {
  const preset = given.preset ?? experiment.defaultPreset;
  const base = findPreset(experiment, preset).settings;
  const changes = changesOf(given, experiment, base);
  for (const name of ['control', 'skip'] as const) {
    if (given.controlWeightDecay === undefined || given[name] !== false) continue;
    throw new CollimateError(
      `--control-weight-decay and --no-${name} contradict each other`,
      'Leave one of them out.',
    );
  }
  return { preset, settings: checkSettings(experiment, { ...base, ...changes }) };
}

/** The given settings as values, each checked by itself: it must be among those that the experiment has. */
function changesOf(given: GivenSettings, experiment: Experiment, base: Settings): Partial<Settings> {
  const changes: Record<string, unknown> = {};
  for (const [name, { option }] of Object.entries(ranges)) {
    const text = given[name as NumberName];
    if (text === undefined) continue;
    if (!(name in base)) {
      const options = Object.entries(ranges).flatMap(([has, { option }]) => (has in base ? [option] : []));
      throw new CollimateError(
        `${option} says nothing to ${experiment.name}, whose network is ${experiment.model}`,
        `It has ${options.join(', ')}.`,
      );
    }
    const range = rangeIn(experiment, name as NumberName, given.superclasses ?? base.superclasses);
    changes[name] = text === range.word ? text : parseNumber(text, range);
  }
  for (const [name, { option, values }] of Object.entries(choices)) {
    const text = given[name as ChoiceName];
    if (text === undefined) continue;
    if (!values.includes(text)) {
      throw new CollimateError(`${option} is ${quote(text)}`, `Give ${values.join(' or ')}.`);
    }
    changes[name] = text;
  }
  if (given.superclasses) {
    const { superclasses } = datasets[experiment.dataset];
    changes.superclasses = true;
    if (superclasses && given.classes === undefined) changes.classes = Math.min(base.classes, superclasses);
  }
  if (given.skip === false) changes.skip = false;
  if (given.control === false || given.skip === false) changes.controlWeightDecay = null;
  return changes;
}

/** The range of a setting where the dataset narrows it. */
function rangeIn({ dataset }: Experiment, name: NumberName, superclasses: boolean): Range {
  const { images, classes, superclasses: fewer = classes } = datasets[dataset];
  const most = { images, batch: images, classes: superclasses ? fewer : classes }[name as string];
  return most === undefined ? ranges[name] : { ...ranges[name], most };
}

/** Not what else JavaScript takes for a number: nothing at all, `0x10`. */
const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Reads a number as typed, and checks that it is in its range. */
export function parseNumber(text: string, range: Range): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (fits(value, range)) return value + 0; // never −0, of which files keep no sign
  throw new CollimateError(`${range.option} is ${quote(text)}`, `Give ${inWords(range)}.`);
}

const fits = (value: unknown, { whole, least, most, above = false }: Range): boolean =>
  typeof value === 'number' &&
  value <= most &&
  (above ? value > least : value >= least) &&
  (!whole || Number.isInteger(value));

const inWords = ({ whole, least, most, above = false, word }: Range): string =>
  `${whole ? 'a whole number' : 'a number'} ${above ? 'above' : 'from'} ${least} ${above ? 'and at most' : 'to'} ${most}${word ? `, or ${word}` : ''}`;

/** A setting that is a number, as files have it. */
export const numberIn = (range: Range) =>
  v.custom<number>((x) => (range.word !== undefined && x === range.word) || fits(x, range), inWords(range));

/** The settings of an experiment's runs as files have them. What limits each other is checked by {@link checkSettings}. */
export function settingsSchema(experiment: Experiment): v.GenericSchema<Settings> {
  const base = experiment.presets[experiment.defaultPreset]!.settings;
  const numbers = (Object.keys(ranges) as NumberName[])
    .filter((name) => name in base)
    .map((name) => {
      const schema = numberIn(rangeIn(experiment, name, base.superclasses));
      return [name, name === 'controlWeightDecay' ? v.nullable(schema) : schema] as const;
    });
  const words = Object.entries(choices).map(([name, { values }]) => [name, v.picklist(values)] as const);
  return v.strictObject({
    ...Object.fromEntries([...numbers, ...words]),
    skip: v.boolean(),
    superclasses: v.boolean(),
  }) as unknown as v.GenericSchema<Settings>;
}

/**
 * Checks settings that limit each other, or that say nothing to an experiment's network or data.
 * @throws CollimateError that names the first option in the way
 */
export function checkSettings({ name, model, dataset }: Experiment, settings: Settings): Settings {
  const { batch, images, samples, validation, skip, survival, branchScale, norm, branch, dropout } = settings;
  const refuse = (what: string, remedy: string): never => {
    throw new CollimateError(what, remedy);
  };
  const facts = datasets[dataset];
  for (const [option, value] of Object.entries({ batch, samples })) {
    if (value <= images) continue;
    refuse(
      `--${option} is ${value}, more than the ${images} training images`,
      `Give at most ${images}, or use more --images.`,
    );
  }
  if (validation > 0 && images + validation > facts.images) {
    refuse(
      `--validation is ${validation}, but behind the first ${images} training images of ${facts.title} there are ${facts.images - images}`,
      `Give --images ${facts.images - validation}, or fewer.`,
    );
  }
  if (settings.superclasses && !facts.superclasses) {
    refuse(
      `--superclasses says nothing to ${name}: ${facts.title} has none`,
      'Leave it out, or use cifar100.',
    );
  }
  const most = classesOf(dataset, settings);
  if (settings.classes > most) {
    refuse(
      `--classes is ${settings.classes} of the ${most} that ${facts.title} has`,
      `Give at most ${most}.`,
    );
  }
  const ofFc = { '--norm': norm !== 'batch', '--branch': branch !== 'post-norm', '--dropout': dropout > 0 };
  for (const [option, given] of Object.entries(model === 'fc' ? {} : ofFc)) {
    if (!given) continue;
    refuse(
      `${option} says nothing to ${name}, whose network is ${model}`,
      'Leave it out: it is of fully connected networks.',
    );
  }
  if (norm === 'none' && branch === 'pre-norm') {
    refuse('--norm none and --branch pre-norm contradict each other', 'Leave one of them out.');
  }
  if (skip) return settings;
  if (survival < 1) {
    refuse(
      `--survival is ${survival} without skip connections`,
      'Leave it out: where nothing leads around a block, a dropped one lets nothing through.',
    );
  }
  if (branchScale !== 1) {
    refuse(
      `--branch-scale is ${branchScale} without skip connections`,
      'Leave it out: there is nothing beside the branch that it could be small against.',
    );
  }
  if (settings.controlWeightDecay !== null) {
    refuse('a network without skip connections is given a control', 'Give --no-control with --no-skip.');
  }
  return settings;
}

/** Refuses a resumed run's settings to be changed. Names the first option that would. */
export function refuseContradiction(
  given: GivenSettings,
  experiment: Experiment,
  run: { readonly preset: string; readonly settings: Settings },
  folder: string,
): void {
  const optionOf = (name: string) =>
    ({ ...ranges, ...choices })[name as NumberName | ChoiceName]?.option ?? `--${name}`;
  const refuse = (option: string, wanted: unknown, has: unknown): never => {
    throw new CollimateError(
      `${option} is ${wanted}, but the run in ${folder} was begun with ${has}`,
      `Leave out ${option} to go on with that run, or leave out --resume to begin another.`,
    );
  };
  if (given.preset !== undefined && given.preset !== run.preset) refuse('--preset', given.preset, run.preset);
  for (const [name, value] of Object.entries(changesOf(given, experiment, run.settings))) {
    const has = run.settings[name as keyof Settings];
    if (value === has) continue;
    if (name === 'skip') refuse('--no-skip', 'given', 'skip connections');
    if (value === null) refuse('--no-control', 'given', 'a control');
    refuse(optionOf(name), value, has ?? 'no control');
  }
}

function lookUp<T>(
  table: Readonly<Record<string, T>>,
  name: string,
  kind: string,
  others: readonly string[] = [],
): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  const names = [...Object.keys(table), ...others];
  throw new CollimateError(
    `there is no ${kind} ${quote(name)}`,
    `Did you mean ${closest(name, names)}? There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}.`,
  );
}

const quote = (text: string): string => (/^[\w.+-]+$/.test(text) ? text : JSON.stringify(text));
