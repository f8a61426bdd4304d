import { expect, test } from 'vitest';
import { withRemainder } from '../../src/analysis/frobenius.ts';

test('an estimated Frobenius norm is the energy found and the mean of the rest, with its standard error', () => {
  // Estimates of mean 2 and sample variance 2: a standard error of √(2/2) beside 4 + 1 + 2.
  expect(withRemainder(Float32Array.of(2, 1), Float32Array.of(1, 3))).toEqual({
    ...{ value: 7, relativeError: 1 / 7 },
  });
  expect(withRemainder(Float32Array.of(0), Float32Array.of(0, 0))).toEqual({ value: 0, relativeError: 0 });
});
