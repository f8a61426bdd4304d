import { expect, test } from 'vitest';
import { format, formatSpread, percent } from '../src/number-format.ts';

test.each<[number | null | undefined, string]>([
  [0, '0.000'],
  [-0.5, '−0.500'],
  [9.9994, '9.999'],
  [10, '10.00'],
  [-99.994, '−99.99'],
  [100, '100'],
  [999_999, '999999'],
  [1e6, '1.0e+6'],
  [5e-4, '0.001'],
  [4.9e-4, '4.9e−4'],
  [-4.9e-4, '−4.9e−4'],
  [null, '—'],
  [undefined, '—'],
  [Number.NaN, '—'],
  [Number.NEGATIVE_INFINITY, '—'],
])('%f is printed as %s', (x, text) => {
  expect(format(x)).toBe(text);
});

test('with other decimals, those are what a small number has', () => {
  expect([0.123456, 12.3456, 123.456, 0.4e-5, 0.5e-5].map((x) => format(x, 5))).toEqual([
    ...['0.12346', '12.35', '123', '4.0e−6', '0.00001'],
  ]);
  expect([0.5, 12.34].map((x) => format(x, 1))).toEqual(['0.5', '12.3']);
});

test('a spread has the decimals of its mean', () => {
  const beside = (mean: number, decimals?: number) => formatSpread(0.123456, mean, decimals);
  expect([0, 5e-4, 9.99, -9.99, 10, 99.9, 100, -100].map((mean) => beside(mean))).toEqual([
    ...['0.123', '0.123', '0.123', '0.123', '0.12', '0.12', '0', '0'],
  ]);
  expect([0.5, 12].map((mean) => beside(mean, 5))).toEqual(['0.12346', '0.12']);
  expect(beside(12, 1)).toBe('0.1');
  // Beside a mean in powers of ten it stands by itself.
  expect(formatSpread(2e-5, 3e-4)).toBe('2.0e−5');
});

test('a share is printed in percent', () => {
  expect([percent(0.12345), percent(1, 0), percent(0)]).toEqual(['12.3%', '100%', '0.0%']);
});
