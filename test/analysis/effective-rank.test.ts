import fc from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveRank } from '../../src/analysis/measures/effective-rank.ts';

test('is the number of directions of equal energy', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      (rank, s) => {
        const zeros = [0, 0, 1e-9 * s];
        expect(effectiveRank([...Array(rank).fill(s), ...zeros])).toBeCloseTo(rank, 6);
      },
    ),
  );
});

test('is that of two directions by their energies, whatever their scale', () => {
  for (const scale of [1, 1e-4, 1e5])
    expect(effectiveRank([2 * scale, scale])).toBeCloseTo(0.8 ** -0.8 * 0.2 ** -0.2, 12);
});
