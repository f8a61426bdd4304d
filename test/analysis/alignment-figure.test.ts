import { expect, test } from 'vitest';
import { alignmentMatrix, tables } from '../../src/analysis/measures/alignment.ts';

/** Alignment of a network of so many blocks, with a matrix of this size per pair. */
const pairs = (depth: number, size: number) =>
  Array.from({ length: depth }, (_, i) =>
    Array.from({ length: depth }, (_, j) =>
      Array.from({ length: size }, (_, k) =>
        Array.from({ length: size }, (_, l) => i + 10 * j + k / 10 + l / 100),
      ),
    ),
  );

test.each([
  [1, 200, [0], 160],
  [2, 3, [0, 1], 3],
  [3, 200, [0, 1, 2], 53],
  [16, 12, Array.from({ length: 16 }, (_, i) => i), 10],
  [17, 2, [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16], 2],
])(
  'of %d blocks and %d triples, those shown are evenly spread from the first to the last',
  (depth, size, blocks, triples) => {
    expect(alignmentMatrix('', pairs(depth, size), [])).toMatchObject({ blocks, size: triples });
  },
);

test('the table has what the figure shows, counted from 1', () => {
  const rows = tables.alignment({ measures: { alignment: pairs(2, 2) } });
  expect(rows).toHaveLength(16);
  expect(rows[5]).toEqual({ jacobian: 1, basis: 2, row: 1, column: 2, value: 10.01 });
});
