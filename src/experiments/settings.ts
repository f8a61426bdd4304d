import { closest } from 'fastest-levenshtein';
import { CollimateError } from '../errors.ts';
import { catalog } from './catalog.ts';
import { datasets, type Experiment, type Settings } from './experiment.ts';

/** Which numbers a setting may be. */
interface Range {
  readonly option: string;
  readonly what: string;
  readonly whole: boolean;
  readonly least: number;
  readonly most: number;
  /** Whether `least` itself is too small. */
  readonly above?: boolean;
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

type NumberName = Exclude<keyof Settings, 'activation'>;

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
  survival: real('--survival', 'stochastic depth: probability that a step keeps a block', 0, 1, true),
  batch: whole('--batch', 'images in a step', 2, 60_000),
  momentum: real('--momentum', 'momentum, below 1', 0, 0.9999),
  seed: whole('--seed', 'seed of everything random', 0, Number.MAX_SAFE_INTEGER),
  samples: whole('--samples', 'training examples at which Jacobians are taken', 1, 1000),
};

/** What the command line was given: texts as typed, undefined where an option was left out. */
export type GivenSettings = { readonly [name in keyof Settings]?: string | undefined } & {
  readonly preset?: string | undefined;
  /** `false` for `--no-control`. */
  readonly control?: boolean | undefined;
};

/** The experiment of that name; an unknown one is refused with the nearest there is, `others` among them. */
export function findExperiment(name: string, others: readonly string[] = []): Experiment {
  return lookUp(catalog, name, 'experiment', others);
}

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
  const base = lookUp(experiment.presets, preset, 'preset').settings;
  const changes = changesOf(given, experiment, base);
  if (given.controlWeightDecay !== undefined && given.control === false) {
    throw new CollimateError(
      '--control-weight-decay and --no-control contradict each other',
      'Leave one of them out.',
    );
  }
  return { preset, settings: checkTogether({ ...base, ...changes }) };
}

/** The given settings as values, each checked by itself: it must be among those that the experiment has. */
function changesOf(given: GivenSettings, experiment: Experiment, base: Settings): Partial<Settings> {
  const changes: Record<string, unknown> = {};
  for (const [name, range] of Object.entries(ranges)) {
    const text = given[name as NumberName];
    if (text === undefined) continue;
    if (!(name in base)) {
      const options = Object.entries(ranges).flatMap(([has, { option }]) => (has in base ? [option] : []));
      throw new CollimateError(
        `${range.option} says nothing to ${experiment.name}, whose network is ${experiment.model}`,
        `It has ${options.join(', ')}.`,
      );
    }
    changes[name] = parseNumber(text, rangeIn(experiment, name as NumberName));
  }
  if (given.activation !== undefined) {
    if (given.activation !== 'relu' && given.activation !== 'identity') {
      throw new CollimateError(`--activation is ${quote(given.activation)}`, 'Give relu or identity.');
    }
    changes.activation = given.activation;
  }
  if (given.control === false) changes.controlWeightDecay = null;
  return changes;
}

/** The range of a setting where the dataset narrows it. */
function rangeIn({ dataset }: Experiment, name: NumberName): Range {
  const { images, classes } = datasets[dataset];
  const most = { images, batch: images, classes }[name as string];
  return most === undefined ? ranges[name] : { ...ranges[name], most };
}

/** Reads a number as typed, and checks that it is in its range. */
export function parseNumber(text: string, { option, whole, least, most, above = false }: Range): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const fits =
    value <= most && (above ? value > least : value >= least) && (!whole || Number.isInteger(value));
  if (fits) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new CollimateError(
    `${option} is ${quote(text)}`,
    `Give ${kind} ${above ? 'above' : 'from'} ${least} ${above ? 'and at most' : 'to'} ${most}.`,
  );
}

/** Checks settings that limit each other. */
export function checkTogether(settings: Settings): Settings {
  const { batch, images, samples } = settings;
  if (batch > images) {
    throw new CollimateError(
      `--batch is ${batch}, more than the ${images} training images`,
      `Give at most ${images}, or use more --images.`,
    );
  }
  if (samples > images) {
    throw new CollimateError(
      `--samples is ${samples}, more than the ${images} training images`,
      `Give at most ${images}, or use more --images.`,
    );
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
  const optionOf = (name: string) => (ranges as Record<string, Range>)[name]?.option ?? `--${name}`;
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
