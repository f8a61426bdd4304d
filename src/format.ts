import { CollimateError } from './errors.ts';

/** How a format, such as `collimate/analysis@2`, relates to the one expected; `other`: unrelated or none. */
export function ageOf(given: unknown, expected: string): 'same' | 'older' | 'newer' | 'other' {
  if (given === expected) return 'same';
  const [name, version] = parts(expected);
  const [givenName, givenVersion] = typeof given === 'string' ? parts(given) : [];
  if (givenName !== name || !(givenVersion! > 0)) return 'other';
  return givenVersion! < version ? 'older' : 'newer';
}

/** The error for a file of another format, with the remedy for an older one, or for one that is not ours. */
export function otherFormat(
  path: string,
  given: unknown,
  expected: string,
  remedies: { readonly older: string; readonly other: string },
): CollimateError {
  const age = ageOf(given, expected);
  const remedy =
    age === 'newer'
      ? 'Update Collimate: a newer version has written it.'
      : remedies[age === 'older' ? age : 'other'];
  const has =
    typeof given === 'string'
      ? `has the format ${given.length > 60 ? `${given.slice(0, 57)}…` : given}`
      : 'does not say its format';
  return new CollimateError(`${path} ${has}, where this version of Collimate reads ${expected}`, remedy);
}

const parts = (format: string): [string, number] => {
  const at = format.lastIndexOf('@');
  return [format.slice(0, at), at < 0 ? Number.NaN : Number(format.slice(at + 1))];
};
