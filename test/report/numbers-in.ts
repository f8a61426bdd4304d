/** The numbers of CSV files, of all their fields. */
export const numbersOf = (files: readonly string[]): number[] =>
  files
    .flatMap((text) => text.split(/[,\n]/))
    .flatMap((field) => (field.trim() === '' || Number.isNaN(Number(field)) ? [] : [Number(field)]));

/** What a page prints as a number in its text, as `0.998`, `−1.0e−4` or `98.6%`. */
export const printed = (text: string): string[] =>
  [...text.matchAll(/−?\d+\.\d+(e[−+]?\d+)?%?/g)].map(([number]) => number);

/** Whether a printed number is one of these, rounded. */
export function isAmong(text: string, numbers: readonly number[]): boolean {
  const plain = text.replaceAll('−', '-').replace('%', '');
  const value = Number(plain) / (text.endsWith('%') ? 100 : 1);
  const [mantissa, exponent = '0'] = plain.split('e');
  const decimals = (mantissa!.split('.')[1]?.length ?? 0) - Number(exponent) + (text.endsWith('%') ? 2 : 0);
  const half = 0.5 * 10 ** -decimals;
  return numbers.some((n) => Math.abs(n - value) <= half * 1.000001);
}
