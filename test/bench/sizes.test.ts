import { expect, test } from 'vitest';
import { parseSizes } from '../../bench/sizes.ts';
import { findSuite, sizesFor, suites } from '../../bench/suites.ts';
import type { CollimateError } from '../../src/errors.ts';

const matmul = findSuite('matmul');
const products = (text: string) => parseSizes(text, 'matmul', matmul.sizes!);

function errorOf(f: () => unknown): CollimateError {
  try {
    f();
  } catch (error) {
    return error as CollimateError;
  }
  throw new Error('nothing was thrown');
}

test('sizes are lists of MxNxK, or of one number for a cube', () => {
  expect(products('512, 1024x128x784')).toEqual([
    [512, 512, 512],
    [1024, 128, 784],
  ]);
});

test.each(['', '512,', '0', '1.5', '12x34', '1x2x3x4', '3x-4x5', 'big', '99999999'])(
  'the size %j is refused with the notation',
  (text) => {
    const error = errorOf(() => products(text));
    expect(error.message).toMatch(/^--sizes has '.*', which is no size for matmul$/);
    expect(error.remedy).toContain('MxNxK, or one number for all 3');
  },
);

test('one number is no size where extents differ in kind', () => {
  const { name, sizes } = findSuite('linalg');
  expect(errorOf(() => parseSizes('8', name, sizes!)).remedy).toContain('PROBLEMSxDIMxVECTORS');
});

test('the default sizes of every suite can be parsed', () => {
  const parsed = sizesFor(suites, false, undefined);
  for (const suite of suites) expect(parsed.get(suite)!.length > 0).toBe(suite.sizes !== undefined);
});

test('sizes go with suites that were named and that have sizes', () => {
  expect(errorOf(() => sizesFor(suites, false, '512')).remedy).toContain('Name the suite');
  const error = errorOf(() => sizesFor([matmul, findSuite('step')], true, '512'));
  expect(error.message).toBe('step takes no --sizes');
  expect(error.remedy).toContain('matmul');
});

test('an unknown suite is refused with the nearest', () => {
  const error = errorOf(() => findSuite('matmult'));
  expect(error.message).toBe("there is no suite 'matmult'");
  expect(error.remedy).toContain('Did you mean matmul?');
});
