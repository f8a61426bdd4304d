import { expect, it } from 'vitest';
import { Spare } from '../../src/gpu/spare.ts';

const MEBI = 2 ** 20;

it('gives the smallest that fits and is not far too large, once', () => {
  const spare = new Spare<string>(() => {});
  for (const bytes of [300, 120, 1000, 90]) spare.give(`${bytes}`, bytes);
  expect(spare.take(100)).toBe('120');
  expect(spare.take(100)).toBeUndefined(); // 300 is three times as much.
  expect(spare.take(600)).toBe('1000');
  expect(spare.count).toBe(2);
});

it('drops what was kept for longest when it is too much, and all in the end', () => {
  const dropped: string[] = [];
  const spare = new Spare<string>((item) => dropped.push(item));
  spare.give('a', 100 * MEBI);
  spare.give('b', 100 * MEBI);
  spare.give('c', 100 * MEBI);
  expect(dropped).toEqual(['a']);
  spare.give('huge', 1000 * MEBI);
  expect(dropped).toEqual(['a', 'b', 'c', 'huge']);
  spare.give('d', MEBI);
  spare.clear();
  expect(dropped.at(-1)).toBe('d');
  expect(spare.count).toBe(0);
});
