import { closest } from 'fastest-levenshtein';
import * as v from 'valibot';
import { datasets } from '../data/datasets.ts';
import { CollimateError } from '../errors.ts';
import { networkOf, networks } from '../models/networks.ts';
import { parseNumber, quoted, type Range } from '../settings/row.ts';
import { optionOf, rowOf, type SettingName, schemaOf, settingNames } from '../settings/settings.ts';
import { classesOf, type Settings } from '../settings/table.ts';
import { catalog } from './catalog.ts';
import { applies, type Experiment, imageShape, LEVELS, type Level } from './experiment.ts';

/** Options as given on the command line: text as typed, or whether a flag is on; undefined if left out. */
export type GivenSettings = {
  readonly [K in SettingName]?: (Settings[K] extends boolean ? boolean : string) | undefined;
} & {
  readonly preset?: string | undefined;
  /** `false` for `--no-control`. */
  readonly control?: boolean | undefined;
};

/** Finds an experiment by name; an unknown name is refused with the closest known one, of `others` too. */
export function findExperiment(name: string, others: readonly string[] = []): Experiment {
  return lookUp(catalog, name, 'experiment', others);
}

/** A preset, as typed. */
export const levelNamed = (name = 'quick'): Level =>
  lookUp(Object.fromEntries(LEVELS.map((level) => [level, level])), name, 'preset');

/** Only the given settings, checked against an experiment's preset `quick`. */
export function parseSettings(given: GivenSettings, experiment: Experiment): Partial<Settings> {
  return changesOf(given, experiment, experiment.presets.quick.settings);
}

/** A preset's settings with the given ones replaced, all checked. */
export function resolveSettings(
  experiment: Experiment,
  given: GivenSettings,
): { preset: Level; settings: Settings } {
  const preset = levelNamed(given.preset);
  const base = experiment.presets[preset].settings;
  const changes = changesOf(given, experiment, base);
  for (const name of ['control', 'skip'] as const) {
    if (given.controlWeightDecay === undefined || given[name] !== false) continue;
    throw contradiction('--control-weight-decay', `--no-${name}`);
  }
  return { preset, settings: checkSettings(experiment, { ...base, ...changes }) };
}

const contradiction = (one: string, other: string) =>
  new CollimateError(`${one} and ${other} contradict each other`, 'Leave one of them out.');

/** The given settings as values, each checked alone and to be one of the experiment's. */
function changesOf(given: GivenSettings, experiment: Experiment, base: Settings): Partial<Settings> {
  const superclasses = given.superclasses ?? base.superclasses;
  const changes: Record<string, unknown> = {};
  for (const name of settingNames) {
    const { type, default: usual, paper = usual } = rowOf(name);
    const value = given[name];
    if (value === undefined || (type === 'flag' && value === paper)) continue;
    changes[name] = read(name, value, rangeIn(experiment, superclasses, name));
    refuseMisplaced(experiment, name, changes[name]);
  }
  const { superclasses: fewer } = datasets[experiment.dataset];
  if (given.superclasses && fewer && given.classes === undefined)
    changes.classes = Math.min(base.classes, fewer);
  if (given.control === false || given.skip === false) changes.controlWeightDecay = null;
  return changes;
}

function read(name: SettingName, value: string | boolean, narrow: (range: Range) => Range): unknown {
  const { type } = rowOf(name);
  if (typeof value === 'boolean' || type === 'flag') return value;
  if ('whole' in type) return value === type.word ? value : parseNumber(optionOf(name), value, narrow(type));
  if (type.includes(value)) return value;
  throw new CollimateError(`${optionOf(name)} is ${quoted(value)}`, `Give ${type.join(' or ')}.`);
}

/** Refuses a value of a setting that does not apply to an experiment's network or data. */
function refuseMisplaced(experiment: Experiment, name: SettingName, value: unknown): void {
  const { of, default: usual } = rowOf(name);
  if (value === undefined || value === usual || applies(experiment, name)) return;
  const part = of === 'datasets' ? 'dataset' : 'model';
  const where = Object.values(catalog)
    .filter((other) => applies(other, name))
    .map((other) => other[part]);
  throw new CollimateError(
    `${optionOf(name)} does not apply to ${experiment.name}, whose ${part === 'model' ? 'network' : part} is ${experiment[part]}`,
    `Leave it out: it applies to ${[...new Set(where)].join(', ')}.`,
  );
}

/** Narrows a setting's range to what the dataset allows. */
const rangeIn =
  ({ dataset }: Experiment, superclasses: boolean, name: SettingName) =>
  (range: Range): Range => ({ ...range, ...rowOf(name).rangeIn?.(datasets[dataset], { superclasses }) });

/** Schema of an experiment's settings in files; {@link checkSettings} checks how they limit each other. */
export function settingsSchema(experiment: Experiment): v.GenericSchema<Settings> {
  const { superclasses, ...base } = experiment.presets.quick.settings;
  const entries = settingNames
    .filter((name) => name in base || name === 'superclasses')
    .map((name) => [name, schemaOf(name, rangeIn(experiment, superclasses, name))]);
  return v.strictObject(Object.fromEntries(entries)) as unknown as v.GenericSchema<Settings>;
}

/** Checks that settings fit each other and the experiment. @throws CollimateError naming an option */
export function checkSettings(experiment: Experiment, settings: Settings): Settings {
  const { batch, images, samples, validation, classes, norm, branch, shortcut, tied, skip } = settings;
  const facts = datasets[experiment.dataset];
  const refuse = (what: string, remedy: string): never => {
    throw new CollimateError(what, remedy);
  };
  for (const [option, value] of Object.entries({ batch, samples })) {
    if (value <= images) continue;
    refuse(
      `--${option} is ${value}, more than the ${images} training images`,
      `Give at most ${images}, or use more --images.`,
    );
  }
  if (validation > 0 && images + validation > facts.images) {
    refuse(
      `--validation is ${validation}, but only ${facts.images - images} training images of ${facts.title} follow the first ${images}`,
      `Give --images ${facts.images - validation}, or fewer.`,
    );
  }
  for (const name of settingNames) refuseMisplaced(experiment, name, settings[name]);
  const available = classesOf(facts, settings);
  if (classes > available) {
    refuse(`--classes is ${classes}, but ${facts.title} has ${available}`, `Give at most ${available}.`);
  }
  if (facts.regression && settings.randomLabels > 0)
    refuse('--random-labels does not apply to vectors as targets', 'Leave it out.');
  if (norm === 'none' && branch === 'pre-norm') throw contradiction('--norm none', '--branch pre-norm');
  const unfit = [
    norm === 'none' && '--norm none',
    branch === 'pre-norm' && '--branch pre-norm',
    tied && '--tied',
  ];
  const [first] = unfit.filter((option) => option !== false);
  if (shortcut === 'dense' && first) throw contradiction('--shortcut dense', first);
  for (const name of skip ? [] : settingNames) {
    const { needsSkip, default: usual } = rowOf(name);
    if (!needsSkip || settings[name] === usual) continue;
    refuse(`${optionOf(name)} is ${settings[name]} without skip connections`, `Leave it out: ${needsSkip}`);
  }
  if (!skip && settings.controlWeightDecay !== null) {
    refuse(
      'a control was requested for a network without skip connections',
      'Give --no-control with --no-skip.',
    );
  }
  // Refuses what no network can be.
  networkOf(networks[experiment.model].optionsOf(settings, imageShape(experiment.dataset, settings)));
  return settings;
}

/** Refuses options that would change the settings of a resumed run, naming the first. */
export function refuseContradiction(
  given: GivenSettings,
  experiment: Experiment,
  run: { readonly preset: string; readonly settings: Settings },
  folder: string,
): void {
  const refuse = (option: string, given: unknown, has: unknown): never => {
    throw new CollimateError(
      `${option} is ${given}, but the run in ${folder} was begun with ${has}`,
      `Leave out ${option} to continue that run, or leave out --resume to start another.`,
    );
  };
  if (given.preset !== undefined && given.preset !== run.preset) refuse('--preset', given.preset, run.preset);
  for (const [name, value] of Object.entries(changesOf(given, experiment, run.settings))) {
    const has = run.settings[name as SettingName];
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
    `there is no ${kind} ${quoted(name)}`,
    `Did you mean ${closest(name, names)}? There ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}.`,
  );
}
