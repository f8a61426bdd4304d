import * as v from 'valibot';
import { CollimateError } from '../../errors.ts';
import { above0, share } from '../../schema.ts';
import { above, numberIn, parseNumber, type Range, whole } from '../../settings/row.ts';

const shared = { seed: 1, starts: 10, penalty: 0.05, lr: 0.05, momentum: 0.98, clip: 0.1 };

export const theoryPresets: Readonly<Record<string, { summary: string; settings: TheorySettings }>> = {
  smoke: {
    summary: 'seconds: 2 and 3 classes, up to 16 blocks of width 16',
    settings: { ...shared, classes: [2, 3], depths: [4, 8, 16], width: 16, steps: 1200 },
  },
  quick: {
    summary: 'minutes: 2, 3, 4 and 10 classes, up to 32 blocks of width 32',
    settings: { ...shared, classes: [2, 3, 4, 10], depths: [2, 4, 8, 16, 32], width: 32, steps: 2000 },
  },
  paper: {
    summary: 'an hour: up to 20 classes and 64 blocks of width 64',
    settings: {
      ...shared,
      classes: [2, 3, 4, 10, 20],
      depths: [2, 4, 8, 16, 32, 64],
      width: 64,
      steps: 6000,
    },
  },
};

/** What the command line was given, as typed. */
export interface GivenTheory {
  readonly preset?: string | undefined;
  readonly seed?: string | undefined;
  readonly starts?: string | undefined;
  readonly classes?: string | undefined;
  readonly depth?: string | undefined;
  readonly width?: string | undefined;
  readonly penalty?: string | undefined;
  readonly steps?: string | undefined;
  readonly lr?: string | undefined;
}

/** The options, in the order in which `--help` lists them; `list`: several numbers, with commas between. */
export const theoryRanges: Readonly<
  Record<Exclude<keyof GivenTheory, 'preset'>, Range & { readonly what: string; readonly list?: boolean }>
> = {
  starts: { what: 'random starts', ...whole(1, 1000) },
  classes: { what: 'numbers of classes', ...whole(2, 128), list: true },
  depth: { what: 'numbers of blocks L', ...whole(1, 1000), list: true },
  width: { what: 'dimension d, a multiple of 8', ...whole(8, 128) },
  penalty: { what: 'λ of the penalty', ...above(0, 10) },
  steps: { what: 'steps of the optimization', ...whole(1, 1_000_000) },
  lr: { what: 'learning rate at the first step', ...above(0, 1e9) },
  seed: { what: 'seed of the starts', ...whole(0, Number.MAX_SAFE_INTEGER) },
};

const { seed, starts, classes, depth, width, penalty, steps, lr } = theoryRanges;
const list = (range: Range) => v.pipe(v.array(numberIn(range)), v.readonly());
export const theorySettings = v.strictObject({
  seed: numberIn(seed),
  /** Random starts S. */
  starts: numberIn(starts),
  /** Numbers of classes C, each with all depths. */
  classes: list(classes),
  /** Numbers of blocks L. */
  depths: list(depth),
  /** Dimension d. */
  width: numberIn(width),
  /** λ. */
  penalty: numberIn(penalty),
  steps: numberIn(steps),
  lr: numberIn(lr),
  momentum: share,
  /** Norm that a start's gradient is brought to where it is longer. */
  clip: above0(),
});
/** What an optimization of the Unconstrained Jacobians Model can be told. */
export type TheorySettings = Readonly<v.InferOutput<typeof theorySettings>>;

/** A preset's settings with the given ones in their places, all checked. */
export function resolveTheory(given: GivenTheory): { preset: string; settings: TheorySettings } {
  const preset = given.preset ?? 'quick';
  const base = Object.hasOwn(theoryPresets, preset) ? theoryPresets[preset]?.settings : undefined;
  if (!base) {
    const names = Object.keys(theoryPresets).join(', ');
    throw new CollimateError(
      `there is no preset ${preset} of unconstrained-jacobians`,
      `There are ${names}.`,
    );
  }
  const changes: Record<string, unknown> = {};
  for (const [name, range] of Object.entries(theoryRanges)) {
    const text = given[name as keyof GivenTheory];
    if (text === undefined) continue;
    const key = name === 'depth' ? 'depths' : name;
    changes[key] = range.list
      ? [...new Set(text.split(',').map((one) => parseNumber(`--${name}`, one, range)))].sort((a, b) => a - b)
      : parseNumber(`--${name}`, text, range);
  }
  const settings: TheorySettings = { ...base, ...changes };
  const { width, classes } = settings;
  if (width % 8 !== 0 || width < Math.max(...classes)) {
    throw new CollimateError(
      `--width is ${width}, with up to ${Math.max(...classes)} classes`,
      'Give a multiple of 8 that is at least the number of classes.',
    );
  }
  return { preset, settings };
}
