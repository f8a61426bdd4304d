import { expect, test } from 'vitest';
import { compare, renderComparison } from '../../bench/compare.ts';
import { around, benchFile, row } from './fixture.ts';

const verdict = (before: Parameters<typeof around>, after: Parameters<typeof around>) =>
  compare([row({ milliseconds: around(...before) })], [row({ milliseconds: around(...after) })])[0]!.verdict;

test('a change counts beyond the spread of both runs', () => {
  expect(verdict([10, 0.01], [12, 0.01])).toBe('slower');
  expect(verdict([12, 0.01], [10, 0.01])).toBe('faster');
  expect(verdict([10, 0.01], [12, 0.2])).toBe('same');
  expect(verdict([10, 0.2], [12, 0.01])).toBe('same');
  expect(verdict([10, 0.2], [25, 0.2])).toBe('slower');
});

test('small changes do not count, however quiet the runs were', () => {
  expect(verdict([10, 0], [10.4, 0])).toBe('same');
  expect(verdict([10, 0], [10.6, 0])).toBe('slower');
});

test('rows are matched by suite, name, size and threads; errors and new ones are left out', () => {
  const before = [row(), row({ size: '1x1x1', milliseconds: null }), row({ threads: 1 })];
  const after = [row({ name: 'A·Bᵀ' }), row({ size: '1x1x1' }), row({ milliseconds: around(10) })];
  expect(compare(before, after).map(({ ratio }) => ratio)).toEqual([2]);
});

test('the text names what changed, and what makes a comparison doubtful', () => {
  const before = benchFile([row(), row({ size: '9x9x9' })]);
  const after = benchFile([row({ milliseconds: around(10) }), row({ size: '9x9x9' })]);
  expect(renderComparison(before, after)).toContain('×2.00 slower');
  expect(renderComparison(before, after)).toContain('1 of 2 rows changed beyond the noise seen');
  expect(renderComparison(before, after)).not.toContain('Another');
  const elsewhere = {
    ...after,
    adapter: { ...after.adapter, name: 'another' },
    roofline: { ...after.roofline, gflops: 50 },
  };
  const text = renderComparison(before, elsewhere);
  expect(text).toContain('Another adapter: llvmpipe-llvm-15 before, another now.');
  expect(text).toContain('×0.50 the arithmetic');
  expect(renderComparison(before, benchFile([]))).toContain('No row is in both files.');
});
