import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  asFloat32,
  decodeSafetensors,
  encodeSafetensors,
  type TensorData,
} from '../../src/experiments/safetensors.ts';

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
const sized = <T>(make: (length: number) => fc.Arbitrary<T>) =>
  shapes.chain((shape) =>
    fc.record({ shape: fc.constant(shape), data: make(shape.reduce((a, b) => a * b, 1)) }),
  );
const exactly = (length: number) => ({ minLength: length, maxLength: length });

const tensor: fc.Arbitrary<TensorData> = fc.oneof(
  sized((n) => fc.float32Array(exactly(n))).map((t) => ({ dtype: 'F32' as const, ...t })),
  sized((n) => fc.bigInt64Array(exactly(n))).map((t) => ({ dtype: 'I64' as const, ...t })),
  sized((n) => fc.uint32Array(exactly(n))).map((t) => ({ dtype: 'U32' as const, ...t })),
  sized((n) => fc.uint8Array(exactly(n))).map((t) => ({ dtype: 'U8' as const, ...t })),
  sized((n) => fc.float64Array(exactly(n))).map((t) => ({ dtype: 'F64' as const, ...t })),
  sized((n) => fc.uint16Array(exactly(n))).map((t) => ({ dtype: 'BF16' as const, ...t })),
);
const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'blocks.0.fc1.weight', '7', 'ä'));
const tensors = fc.array(fc.tuple(name, tensor), { maxLength: 6 }).map((pairs) => new Map(pairs));
const metadata = fc.dictionary(fc.string(), fc.string());

test('what was encoded is decoded, at any offset in memory', () => {
  fc.assert(
    fc.property(tensors, metadata, fc.integer({ min: 0, max: 9 }), (tensors, metadata, offset) => {
      const file = encodeSafetensors(tensors, metadata);
      const shifted = new Uint8Array(offset + file.length).subarray(offset);
      shifted.set(file);
      const decoded = decodeSafetensors(shifted, 'x');
      expect(decoded.tensors).toEqual(tensors);
      expect(Object.entries(decoded.metadata)).toEqual(Object.entries(metadata));
    }),
  );
});

test('a file cut or lengthened anywhere is refused', () => {
  fc.assert(
    fc.property(tensors, metadata, fc.nat(), (tensors, metadata, at) => {
      const file = encodeSafetensors(tensors, metadata);
      expect(() => decodeSafetensors(file.subarray(0, at % file.length), 'a.st')).toThrow(
        /^a\.st is truncated/,
      );
      const longer = new Uint8Array(file.length + 1);
      longer.set(file);
      expect(() => decodeSafetensors(longer, 'a.st')).toThrow('a.st goes on after its last tensor');
    }),
  );
});

test('no flipped byte is met with anything but a result or a CollimateError', () => {
  const file = encodeSafetensors(
    new Map<string, TensorData>([
      ['w', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
      ['n', { dtype: 'I64', shape: [], data: BigInt64Array.of(5n) }],
    ]),
    { step: '3' },
  );
  for (let i = 0; i < file.length; i++) {
    for (const flip of [1, 2, 16, 128]) {
      const bad = file.slice();
      bad[i]! ^= flip;
      try {
        decodeSafetensors(bad, 'bad');
      } catch (error) {
        expect(error).toMatchObject({ name: 'CollimateError', message: expect.stringMatching(/^bad /) });
      }
    }
  }
});

test.each(['x'.repeat(501), '\u001b[31mred', 'two\nlines', '\u202e', '\ud800'])(
  'a tensor whose name a terminal cannot show is refused in a few words: %j',
  (name) => {
    const header = JSON.stringify({ [name]: { dtype: 'U8', shape: [0], data_offsets: [0, 0] } });
    const json = new TextEncoder().encode(header);
    const file = new Uint8Array(8 + json.length);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    file.set(json, 8);
    expect(() => decodeSafetensors(file, 'it')).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^it has a tensor with the name "[^\p{C}]{0,70}", which/u),
      }),
    );
  },
);

test('the layout is the published one: aligned data, wider types first, a header padded to 8 bytes', () => {
  const file = encodeSafetensors(
    new Map<string, TensorData>([
      ['mask', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['step', { dtype: 'I64', shape: [1], data: BigInt64Array.of(-1n) }],
    ]),
    { format: 'pt' },
  );
  const header =
    '{"__metadata__":{"format":"pt"},"mask":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},' +
    '"step":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  expect([...file.subarray(0, 8)]).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0]);
  expect(new TextDecoder().decode(file.subarray(8, 8 + padded.length))).toBe(padded);
  expect([...file.subarray(8 + padded.length)]).toEqual([...Array(8).fill(255), 1, 2, 3]);
});

test('half and double precision become float32 where that is exact', () => {
  const of = (dtype: TensorData['dtype'], data: TensorData['data']) => {
    const values = asFloat32({ dtype, shape: [data.length], data } as TensorData);
    return values && [...values];
  };
  // 1, −2, the largest, the least normal, the least subnormal, −0, ∞, NaN
  const halves = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0x7e00];
  expect(of('F16', Uint16Array.from(halves))).toEqual([
    ...[1, -2, 65504, 2 ** -14, 2 ** -24, -0, Number.POSITIVE_INFINITY, Number.NaN],
  ]);
  const brains = [0x3f80, 0xc000, 0x7f7f, 0x0001, 0x8000];
  expect(of('BF16', Uint16Array.from(brains))).toEqual([...[1, -2, 2 ** 127 * (2 - 2 ** -7), 2 ** -133, -0]]);
  expect(of('F64', Float64Array.of(0.5, -0, 2 ** -149))).toEqual([0.5, -0, 2 ** -149]);
  expect(of('F64', Float64Array.of(Number.NaN))).toEqual([Number.NaN]);
  for (const x of [0.1, 1e39, 2 ** -150]) expect(of('F64', Float64Array.of(x))).toBeUndefined();
  expect(of('I64', BigInt64Array.of(1n))).toBeUndefined();
});

test('a tensor whose shape does not fit its data is not encoded', () => {
  const wrong = new Map<string, TensorData>([['w', { dtype: 'F32', shape: [3], data: new Float32Array(2) }]]);
  expect(() => encodeSafetensors(wrong)).toThrow('tensor w: 2 elements cannot be F32 [3]');
});

/** A file with the given header text and data bytes, valid or not. */
function file(header: string, dataBytes = 0, headerLength = header.length): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(new TextEncoder().encode(header), 8);
  return bytes;
}
const one = (dtype: string, shape: string, offsets: string) =>
  `{"w":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}}`;
const two = (first: string, second: string) =>
  `{"a":{"dtype":"U8","shape":[4],"data_offsets":${first}},"b":{"dtype":"U8","shape":[4],"data_offsets":${second}}}`;
const u8 = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
const deep = `${'['.repeat(200_000)}1${']'.repeat(200_000)}`;

test.each([
  ['nothing', new Uint8Array(3), 'is truncated: expected at least 8 bytes, found 3'],
  ['an endless header', file('{}', 0, 2 ** 53), 'claims a header of 9007199254740992 bytes'],
  ['a long header', file('{}', 0, 1000), 'is truncated: its header ends at byte 1008, but the file has 10'],
  ['bad JSON', file('{"w"'), 'has a header that is not JSON'],
  ['an array', file('[]'), 'has a header that is not a JSON object'],
  ['bad metadata', file('{"__metadata__":{"a":1}}'), 'has a __metadata__ that is not a map of strings'],
  [
    'a tensor that is none',
    file('{"w":3}'),
    'describes tensor w wrongly: as a whole: expected an object, got 3',
  ],
  ['an unknown type', file(one('F8', '[1]', '[0,1]'), 1), 'has tensor w of type "F8"'],
  ['an inherited type', file(one('constructor', '[1]', '[0,2]'), 2), 'has tensor w of type "constructor"'],
  [
    'a negative size',
    file(one('U8', '[-1]', '[0,1]'), 1),
    'describes tensor w wrongly: shape[0]: expected a whole number of at least 0, got -1',
  ],
  ['one offset', file(one('U8', '[1]', '[0]'), 1), 'describes tensor w wrongly: data_offsets[1]'],
  ['offsets backwards', file(one('U8', '[1]', '[1,0]'), 1), 'gives tensor w, U8 [1], -1 bytes; it takes 1'],
  ['a huge shape', file(one('F32', '[1e15,1e15]', '[0,4]'), 4), '4 bytes; it takes 4e+30'],
  ['a hole at the start', file(one('U8', '[1]', '[1,2]'), 2), 'has a gap before tensor w, at 1'],
  ['a hole', file(two('[0,4]', '[5,9]'), 9), 'has a gap before tensor b, at 5'],
  ['an overlap', file(two('[0,4]', '[3,7]'), 7), 'has overlapping data before tensor b, at 3'],
  ['the same twice', file(two('[0,4]', '[0,4]'), 4), 'has overlapping data before tensor b, at 0'],
  ['a name twice', file(`{"w":${u8},"w":${u8}}`, 1), 'has the key w twice in its header'],
  [
    'a name twice, once escaped',
    file(`{"w":${u8},"\\u0077" :${u8}}`, 1),
    'has the key w twice in its header',
  ],
  ['metadata twice', file('{"__metadata__":{"a":"{\\"","a":"\\\\"}}'), 'has the key a twice in its header'],
  [
    'a deep shape',
    file(one('F32', deep, '[0,4]'), 4),
    'shape[0]: expected a whole number of at least 0, got a list of 1',
  ],
  [
    'deep offsets',
    file(one('F32', '[1]', deep), 4),
    'data_offsets[0]: expected a whole number of at least 0, got a list of 1',
  ],
  ['a deep type', file(`{"w":{"dtype":${deep}}}`), 'dtype: expected "F32" or'],
  ['missing data', file(one('F32', '[2]', '[0,8]'), 7), 'is truncated: expected 70 bytes, found 69'],
  [
    'more data',
    file(one('F32', '[2]', '[0,8]'), 9),
    'goes on after its last tensor: expected 70 bytes, found 71',
  ],
])('%s is refused', (_, bytes, message) => {
  expect(() => decodeSafetensors(bytes, 'a.st')).toThrow(message);
  expect(() => decodeSafetensors(bytes, 'a.st')).toThrow(/^a\.st /);
});
