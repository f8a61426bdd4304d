import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeIdx, readIdx } from '../../src/data/idx.ts';
import { idx } from './support.ts';

const arrays = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc.record({
    shape: fc.constant(shape),
    data: fc.uint8Array({ minLength: length, maxLength: length }),
  });
});

test('what was written is read, plain and gzipped', () => {
  fc.assert(
    fc.property(arrays, fc.boolean(), ({ shape, data }, zip) => {
      const file = idx(shape, data);
      const decoded = decodeIdx(zip ? gzipSync(file) : file, 'x');
      expect(decoded.shape).toEqual(shape);
      expect([...decoded.data]).toEqual([...data]);
      expect([...decoded.file]).toEqual([...file]);
    }),
  );
});

test('a file cut anywhere is refused', () => {
  fc.assert(
    fc.property(
      arrays,
      fc.boolean(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      ({ shape, data }, zip, at) => {
        const file = zip ? gzipSync(idx(shape, data)) : idx(shape, data);
        const cut = file.subarray(0, Math.floor(at * (file.length - 1)));
        expect(() => decodeIdx(cut, 'cut.idx')).toThrow(/^cut\.idx /);
      },
    ),
  );
});

const whole = idx([2, 3], [1, 2, 3, 4, 5, 6]);

test.each([
  ['nothing at all', new Uint8Array(0), 'is truncated: expected at least 4 bytes, found 0'],
  ['no IDX file', Uint8Array.of(0x89, 0x50, 0x4e, 0x47), 'is not an IDX file: it begins with 0x89504e47'],
  ['no axes', idx([], []), 'is not an IDX file: it begins with 0x00000800'],
  ['floats', idx([1], [0, 0, 0, 0], 13), 'holds float32 elements; only unsigned bytes (type 0x8) are read'],
  ['an unknown type', idx([1], [0], 7), 'holds unknown type 0x7 elements'],
  ['half a header', whole.subarray(0, 9), 'is truncated: its header of 2 axes takes 12 bytes, found 9'],
  ['no items', idx([0, 28], []), 'holds no items: its shape is [0, 28]'],
  ['too few items', whole.subarray(0, 15), 'is truncated: expected 18 bytes, found 15'],
  ['too many items', idx([2], [1, 2, 3]), 'goes on after its last item: expected 10 bytes, found 11'],
  ['a huge shape', idx([2 ** 32 - 1, 2 ** 32 - 1, 28], []), 'claims the shape [4294967295, 4294967295, 28]'],
  ['a truncated gzip', gzipSync(whole).subarray(0, -8), 'is truncated: expected 18 bytes and a checksum'],
  ['a gzip bomb', gzipSync(idx([2], new Uint8Array(1e6))), 'expected 10 bytes, found more than 10'],
  ['a gzip too short', gzipSync(whole.subarray(0, 15)), 'is truncated: expected 18 bytes, found 15'],
  ['no gzip', Uint8Array.of(0x1f, 0x8b, 9, 9, 9, 9), 'cannot be unzipped'],
])('%s is refused', (_, bytes, message) => {
  expect(() => decodeIdx(bytes, 'a.idx')).toThrow(message);
  expect(() => decodeIdx(bytes, 'a.idx')).toThrow(/^a\.idx /);
});

test('a corrupted gzip is refused', () => {
  const zipped = gzipSync(whole);
  zipped[zipped.length - 8]! ^= 1; // its checksum
  expect(() => decodeIdx(zipped, 'a.gz')).toThrow('a.gz cannot be unzipped');
});

test('a missing file is named', () => {
  expect(() => readIdx('/nowhere/a.idx')).toThrow(/^cannot read \/nowhere\/a\.idx: ENOENT/);
});
