import * as v from 'valibot';
import { CollimateError } from '../errors.ts';

export interface Range {
  readonly whole: boolean;
  readonly minimum: number;
  readonly maximum: number;
  /** Whether `minimum` itself is too small. */
  readonly above?: boolean;
  /** A word that may replace the number. */
  readonly word?: string;
}

export const whole = (minimum: number, maximum: number): Range => ({ whole: true, minimum, maximum });
export const real = (minimum: number, maximum: number): Range => ({ whole: false, minimum, maximum });
export const above = (minimum: number, maximum: number): Range => ({
  ...real(minimum, maximum),
  above: true,
});

/** The context of sentences about settings S. */
export interface Context<S> {
  readonly settings: S;
  readonly dataset: {
    readonly images: number;
    readonly classes: number;
    readonly superclasses?: number;
    readonly regression?: boolean;
    readonly deviation?: string;
  };
  /** `decays`: the weight decays that the paper states for such networks. */
  readonly network: {
    readonly convolutional: boolean;
    readonly decays: readonly number[];
    readonly deviation?: string;
  };
}

/** All about one of the settings S, with values T. */
export interface Row<T, S> {
  /** In reports and `list`. Default: its name in words. */
  readonly label?: string;
  /** In `--help` and docs/settings.md. */
  readonly what: string;
  /** Numbers, words to choose from, or whether it is on. */
  readonly type: Range | readonly string[] | 'flag';
  readonly changes: 'data' | 'network' | 'training' | 'analysis';
  /** Whether it changes the data as well, where that depends on other settings. */
  readonly changesData?: (settings: S) => boolean;
  /** Applies only to networks or datasets that name it; default: to all. */
  readonly of?: 'networks' | 'datasets';
  /** In the preset `paper`: what the paper states, else our choice; if absent, by network or dataset. */
  readonly paper?: T;
  /** In place of `paper`, for variations of ours: files without it mean this; checkpoints then omit it. */
  readonly default?: T;
  /** Whether checkpoints record it beside the network, since it decides the weights. */
  readonly recorded?: true;
  /** Why it needs skip connections; without them it has its default. */
  readonly needsSkip?: string;
  /** What the data allow of its range. */
  readonly rangeIn?: (
    dataset: Context<S>['dataset'],
    settings: { readonly superclasses: boolean },
  ) => Partial<Range>;
  /** The value in a report's settings, unless it is the default; false if it goes without saying. */
  readonly shown?: (value: T, settings: S) => string | false;
  /** How it departs from what the paper states, or what we chose where it states nothing. */
  readonly deviation?: (value: T, context: Context<S>) => string | false;
}

/** Excludes what JavaScript also takes for a number: empty text, `0x10`. */
const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Reads a number as typed, and checks that it is in its range. */
export function parseNumber(option: string, text: string, range: Range): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (fits(value, range)) return value + 0; // never −0, of which files keep no sign
  throw new CollimateError(`${option} is ${quoted(text)}`, `Give ${inWords(range)}.`);
}

export const quoted = (text: string): string => (/^[\w.+-]+$/.test(text) ? text : JSON.stringify(text));

const fits = (value: unknown, { whole, minimum, maximum, above = false }: Range): boolean =>
  typeof value === 'number' &&
  value <= maximum &&
  (above ? value > minimum : value >= minimum) &&
  (!whole || Number.isInteger(value));

const inWords = ({ whole, minimum, maximum, above = false, word }: Range): string =>
  `${whole ? 'a whole number' : 'a number'} ${above ? 'above' : 'from'} ${minimum} ${above ? 'and at most' : 'to'} ${maximum}${word ? `, or ${word}` : ''}`;

export const numberIn = (range: Range) =>
  v.custom<number>((x) => (range.word !== undefined && x === range.word) || fits(x, range), inWords(range));
