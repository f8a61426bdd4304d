import * as v from 'valibot';
import { CollimateError } from '../../errors.ts';
import { above, numberIn, parseNumber, type Range, real, whole } from '../../settings/row.ts';
import type { Level } from '../experiment.ts';
import { levelNamed } from '../given-settings.ts';

type Value = number | readonly number[];
interface Row<T extends Value> extends Range, Readonly<Record<Level, T>> {
  readonly what: string;
}
/** A value per preset; defaults: `quick` as `smoke`, and `paper` as `quick`. */
const row = <T extends Value>(
  range: Range,
  what: string,
  smoke: T,
  quick = smoke,
  paper = quick,
): Row<T> => ({ ...range, what, smoke, quick, paper });

/** Every setting, in the order of `--help`; ranges hold for each number of a list. */
export const theoryRows = {
  starts: row(whole(1, 1000), 'random starts', 10),
  classes: row(whole(2, 128), 'numbers of classes C', [2, 3], [2, 3, 4, 10], [2, 3, 4, 10, 20]),
  depth: row(whole(1, 1000), 'numbers of blocks L', [4, 8, 16], [2, 4, 8, 16, 32], [2, 4, 8, 16, 32, 64]),
  width: row(whole(8, 128), 'dimension d, a multiple of 8', 16, 32, 64),
  penalty: row(above(0, 10), 'λ of the penalty', 0.05),
  steps: row(whole(1, 1_000_000), 'steps of the optimization', 1200, 2000, 6000),
  lr: row(above(0, 1e9), 'learning rate at the first step', 0.05),
  momentum: row(real(0, 0.9999), 'momentum, below 1', 0.98),
  clip: row(above(0, 1e9), 'maximum norm of the gradient of a start', 0.1),
  seed: row(whole(0, Number.MAX_SAFE_INTEGER), 'random seed of the starts', 1),
};
type Name = keyof typeof theoryRows;
/** Settings of an optimization of the Unconstrained Jacobians Model. */
export type TheorySettings = {
  readonly [K in Name]: (typeof theoryRows)[K]['smoke'] extends number ? number : readonly number[];
};

const names = Object.keys(theoryRows) as Name[];
const isList = (name: Name): boolean => Array.isArray(theoryRows[name].smoke);
const fold = <T>(of: (name: Name) => T) =>
  Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>;

export const theoryPreset = (level: Level): TheorySettings =>
  fold((name) => theoryRows[name][level]) as unknown as TheorySettings;

export const theoryTimes: Readonly<Record<Level, string>> = {
  smoke: 'seconds',
  quick: 'minutes',
  paper: 'an hour',
};

export type GivenTheory = Partial<Record<Name | 'preset', string | undefined>>;

export const theorySettings = v.strictObject(
  fold((name) => {
    const number = numberIn(theoryRows[name]);
    return isList(name) ? v.array(number) : number;
  }),
) as unknown as v.GenericSchema<TheorySettings>;

/** A preset's settings with the given ones replaced, all checked. */
export function resolveTheory(given: GivenTheory): { preset: Level; settings: TheorySettings } {
  const preset = levelNamed(given.preset);
  const base = theoryPreset(preset);
  const settings = fold((name) => {
    const number = (text: string) => parseNumber(`--${name}`, text, theoryRows[name]);
    const text = given[name];
    if (text === undefined) return base[name];
    return isList(name) ? [...new Set(text.split(',').map(number))].sort((a, b) => a - b) : number(text);
  }) as unknown as TheorySettings;
  const { width, classes } = settings;
  if (width % 8 !== 0 || width < Math.max(...classes)) {
    throw new CollimateError(
      `--width is ${width}, with up to ${Math.max(...classes)} classes`,
      'Give a multiple of 8 that is at least the number of classes.',
    );
  }
  return { preset, settings };
}
