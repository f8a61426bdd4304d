import * as v from 'valibot';
import { CollimateError } from '../../errors.ts';
import { above, numberIn, parseNumber, type Range, real, whole } from '../../settings/row.ts';
import { type Level, levelNamed } from '../sweep.ts';

/** What an optimization of the Unconstrained Jacobians Model can be told. */
export interface TheorySettings {
  /** Random starts S. */
  readonly starts: number;
  /** Numbers of classes C, each with all numbers of blocks L. */
  readonly classes: readonly number[];
  readonly depth: readonly number[];
  /** Dimension d. */
  readonly width: number;
  /** λ. */
  readonly penalty: number;
  readonly steps: number;
  readonly lr: number;
  readonly momentum: number;
  /** Norm that a start's gradient is brought to where it is longer. */
  readonly clip: number;
  readonly seed: number;
}
type Name = keyof TheorySettings;

interface Row<T> extends Range {
  readonly what: string;
  readonly smoke: T;
  /** The same as in `smoke` where left out, and in `paper` as in `quick`. */
  readonly quick?: T;
  readonly paper?: T;
}

/** Every setting, in the order of `--help`; of those with several numbers each has its range. */
export const theoryRows: { readonly [K in Name]: Row<TheorySettings[K]> } = {
  starts: { what: 'random starts', ...whole(1, 1000), smoke: 10 },
  classes: {
    ...{ what: 'numbers of classes C', ...whole(2, 128) },
    ...{ smoke: [2, 3], quick: [2, 3, 4, 10], paper: [2, 3, 4, 10, 20] },
  },
  depth: {
    ...{ what: 'numbers of blocks L', ...whole(1, 1000) },
    ...{ smoke: [4, 8, 16], quick: [2, 4, 8, 16, 32], paper: [2, 4, 8, 16, 32, 64] },
  },
  width: { what: 'dimension d, a multiple of 8', ...whole(8, 128), smoke: 16, quick: 32, paper: 64 },
  penalty: { what: 'λ of the penalty', ...above(0, 10), smoke: 0.05 },
  steps: { what: 'steps of the optimization', ...whole(1, 1_000_000), smoke: 1200, quick: 2000, paper: 6000 },
  lr: { what: 'learning rate at the first step', ...above(0, 1e9), smoke: 0.05 },
  momentum: { what: 'momentum, below 1', ...real(0, 0.9999), smoke: 0.98 },
  clip: { what: 'maximum norm of the gradient of a start', ...above(0, 1e9), smoke: 0.1 },
  seed: { what: 'random seed of the starts', ...whole(0, Number.MAX_SAFE_INTEGER), smoke: 1 },
};
const names = Object.keys(theoryRows) as Name[];
const isList = (name: Name): boolean => Array.isArray(theoryRows[name].smoke);
const fold = <T>(of: (name: Name) => T) =>
  Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>;

export const theoryPreset = (level: Level): TheorySettings =>
  fold((name) => {
    const { smoke, quick = smoke, paper = quick } = theoryRows[name];
    return { smoke, quick, paper }[level];
  }) as unknown as TheorySettings;

/** How long they take, about. */
export const theoryTimes: Readonly<Record<Level, string>> = {
  smoke: 'seconds',
  quick: 'minutes',
  paper: 'an hour',
};

/** What the command line was given, as typed. */
export type GivenTheory = Partial<Record<Name | 'preset', string | undefined>>;

export const theorySettings = v.strictObject(
  fold((name) => {
    const number = numberIn(theoryRows[name]);
    return isList(name) ? v.array(number) : number;
  }),
) as unknown as v.GenericSchema<TheorySettings>;

/** A preset's settings with the given ones replaced, all checked. */
export function resolveTheory(given: GivenTheory): { preset: Level; settings: TheorySettings } {
  const preset = levelNamed(given.preset ?? 'quick');
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
