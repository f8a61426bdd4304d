import { expect, test } from 'vitest';
import { normals } from './linear-algebra.ts';

/** Nearest number of `bits` bits from 2⁻¹⁴ to 65504, below in steps of 2⁻²⁴, ties to even: f16 for 11. */
function rounded(x: number, bits = 11): number {
  if (x === 0) return x;
  const step = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -14) - bits + 1);
  const quotient = x / step;
  const down = Math.floor(quotient);
  const tie = quotient - down === 0.5;
  return (tie ? down + (down & 1) : Math.round(quotient)) * step;
}

/** The sum of a[i]·b[i], products exact and sums in f32: what a GPU's matrix units make of f16 operands. */
const accumulated = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, x, i) => Math.fround(sum + x * b[i]!), 0);

/** What a factor of f16 loses is kept in another, 2¹¹ times as large so that it does not vanish. */
const SCALE = 2 ** 11;
const high = (xs: readonly number[]) => xs.map((x) => rounded(x));
const low = (xs: readonly number[]) => xs.map((x) => rounded((x - rounded(x)) * SCALE));

const ways = {
  f32: accumulated,
  f16: (a, b) => accumulated(high(a), high(b)),
  'three products of f16': (a, b) =>
    Math.fround(
      accumulated(high(a), high(b)) +
        Math.fround(accumulated(high(a), low(b)) + accumulated(low(a), high(b))) / SCALE,
    ),
} satisfies Record<string, typeof accumulated>;

/** The largest error in units of Σ|a||b|·2⁻²⁴, of 64 products of vectors of normal numbers times `scale`. */
function errorOf(way: typeof accumulated, k: number, scale: number): number {
  const next = normals(k);
  const numbers = () => Array.from({ length: k }, () => Math.fround(next() * scale));
  const errors = Array.from({ length: 64 }, () => {
    const [a, b] = [numbers(), numbers()];
    const exact = a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const size = a.reduce((sum, x, i) => sum + Math.abs(x * b[i]!), 0);
    return Math.abs(way(a, b) - exact) / size / 2 ** -24;
  });
  return Math.max(...errors);
}

// Ootomo & Yokota 2022; docs/numerics.md has the table.
test('three products of f16 have the error of f32, where factors are not small', () => {
  const known = [2049, 2051, 1 + 2 ** -11, 2 ** -25, 3 * 2 ** -25];
  expect(known.map((x) => rounded(x))).toEqual([2048, 2052, 1, 0, 2 ** -23]);
  for (const k of [16, 128, 1024]) {
    const errorsAt = (scale: number) => Object.values(ways).map((way) => errorOf(way, k, scale));
    for (const scale of [1, 2 ** -12]) {
      const [single, half, split] = errorsAt(scale) as [number, number, number];
      expect(single).toBeLessThan(2.1);
      expect(half).toBeGreaterThan(500);
      expect(split).toBeLessThan(2.7);
    }
    // Below 2⁻¹⁴ f16 has fewer bits.
    expect(errorsAt(2 ** -18)[2]).toBeGreaterThan(40);
  }
});
