import * as v from 'valibot';
import { CollimateError } from './errors.ts';

/** A whole number. */
export const whole = (minimum = 0, maximum: number = Number.MAX_SAFE_INTEGER) =>
  v.custom<number>(
    (x) => Number.isInteger(x) && (x as number) >= minimum && (x as number) <= maximum,
    `a whole number ${maximum < Number.MAX_SAFE_INTEGER ? `from ${minimum} to ${maximum}` : `of at least ${minimum}`}`,
  );

/** A number, finite as all in JSON should be. */
export const finite = v.custom<number>(Number.isFinite, 'a number');

/** A number above 0 and at most `maximum`, described by `words`. */
export const above0 = (words = 'a number above 0', maximum = Number.MAX_VALUE) =>
  v.custom<number>((x) => Number.isFinite(x) && (x as number) > 0 && (x as number) <= maximum, words);

/** What was measured: JSON has null for a number that is not finite. */
export const measured = v.custom<number>((x) => x === null || Number.isFinite(x), 'a number or null');

/** A number that is not negative. */
export const atLeast0 = v.custom<number>(
  (x) => Number.isFinite(x) && (x as number) >= 0,
  'a number of at least 0',
);

/** A share, such as an accuracy. */
export const share = v.custom<number>(
  (x) => Number.isFinite(x) && (x as number) >= 0 && (x as number) <= 1,
  'a number from 0 to 1',
);

/**
 * Returns a value that fits the schema, not a copy, so that what the schema leaves open stays. `name` says
 * in messages what it is; a path inside it follows.
 * @throws CollimateError with the first wrong place, what it expects and what it has
 */
export function checked<const S extends v.GenericSchema>(
  value: unknown,
  schema: S,
  name: string,
  remedy: string,
): v.InferInput<S> {
  const { issues } = v.safeParse(schema, value, { abortEarly: true });
  if (!issues) return value as v.InferInput<S>;
  throw new CollimateError(`${name}: ${problem(deepest(issues[0]))}`, remedy);
}

/** For a union, the problem of the alternative that got furthest. */
function deepest(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  const depth = ({ path }: v.BaseIssue<unknown>) => path?.length ?? 0;
  const within = issue.issues?.map(deepest).sort((a, b) => depth(b) - depth(a))[0];
  return within && depth(within) > 0
    ? { ...within, path: [...(issue.path ?? []), ...(within.path ?? [])] as never }
    : issue;
}

function problem(issue: v.BaseIssue<unknown>): string {
  const [first, ...rest] = (issue.path ?? []).map(({ key }) =>
    typeof key === 'number' ? `[${key}]` : /^\w+$/.test(`${key}`) ? `.${key}` : `[${abbreviated(key)}]`,
  );
  const place = [first?.replace(/^\./, ''), ...rest].join('') || 'as a whole';
  if (issue.expected === 'never') return `${place} is not known here`;
  if (issue.input === undefined && issue.type.endsWith('object')) return `${place} is missing`;
  return `${place}: expected ${expectedBy(issue)}, got ${abbreviated(issue.input)}`;
}

function expectedBy({ type, issues, expected, message }: v.BaseIssue<unknown>): string {
  if (issues) return [...new Set(issues.map(expectedBy))].join(' or ');
  return type === 'custom' || expected === null ? message : wordsFor(expected);
}

const KINDS: Readonly<Record<string, string>> = {
  Object: 'an object',
  Array: 'a list',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
};

/** What valibot expected: `("relu" | "identity")`, `(Array | null)`. */
const wordsFor = (expected: string): string =>
  expected
    .replace(/^\((.*)\)$/, '$1')
    .split(' | ')
    .map((word) => KINDS[word] ?? word)
    .join(' or ');

/** Any value in a few characters. */
export function abbreviated(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
