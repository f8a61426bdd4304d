import { closeSync, openSync, readSync, statSync } from 'node:fs';
import * as v from 'valibot';
import { sizeOf } from '../autograd/shape.ts';
import { CollimateError, reading } from '../errors.ts';
import { checked, isRecord, whole } from '../schema.ts';

/** The format is little-endian, as typed arrays are wherever WebGPU runs. Half floats stay as their bits. */
const ARRAYS = {
  F32: Float32Array,
  I64: BigInt64Array,
  U32: Uint32Array,
  I32: Int32Array,
  BOOL: Uint8Array,
  U8: Uint8Array,
  F64: Float64Array,
  F16: Uint16Array,
  BF16: Uint16Array,
} as const;

type Dtype = keyof typeof ARRAYS;

/** One tensor as it lies in a file: row-major, `data.length` the product of `shape`. */
export type TensorData = {
  [D in Dtype]: {
    readonly dtype: D;
    readonly shape: readonly number[];
    readonly data: (typeof ARRAYS)[D]['prototype'];
  };
}[Dtype];

/** The reference implementation's limit on headers. */
const MAX_HEADER_BYTES = 100_000_000;
const METADATA = '__metadata__';

const entry = v.object({
  dtype: v.picklist(Object.keys(ARRAYS) as Dtype[]),
  shape: v.array(whole()),
  data_offsets: v.strictTuple([whole(), whole()]),
});

/**
 * Encodes named tensors as safetensors (https://github.com/huggingface/safetensors): the header's length as
 * little-endian u64, a JSON header padded with spaces to a multiple of 8 bytes, then the tensors without
 * gaps, wider types first, which aligns each.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  for (const [name, { dtype, shape, data }] of tensors) {
    if (name === METADATA || !(data instanceof ARRAYS[dtype]) || data.length !== sizeOf(shape)) {
      throw new Error(`tensor ${name}: ${data.length} elements cannot be ${dtype} [${shape}]`);
    }
  }
  const width = (name: string) => tensors.get(name)!.data.BYTES_PER_ELEMENT;
  const begins = new Map<string, number>();
  let dataBytes = 0;
  for (const name of [...tensors.keys()].sort((a, b) => width(b) - width(a))) {
    begins.set(name, dataBytes);
    dataBytes += tensors.get(name)!.data.byteLength;
  }
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    const begin = begins.get(name)!;
    return [name, { dtype, shape, data_offsets: [begin, begin + data.byteLength] }] as const;
  });
  const text = JSON.stringify(Object.fromEntries([[METADATA, metadata], ...entries]));
  const json = new TextEncoder().encode(text);
  const dataStart = 8 + Math.ceil(json.length / 8) * 8;

  const file = new Uint8Array(dataStart + dataBytes).fill(0x20, 8, dataStart);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  file.set(json, 8);
  for (const [name, { data }] of tensors) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    file.set(bytes, dataStart + begins.get(name)!);
  }
  return file;
}

/** Bytes read in parts: a file may exceed an array. */
export interface Bytes {
  readonly size: number;
  /** A copy of bytes `begin` to `end`, exclusive. */
  read(begin: number, end: number): Uint8Array<ArrayBuffer>;
}

export const inMemory = (bytes: Uint8Array): Bytes => ({
  size: bytes.length,
  read: (begin, end) => new Uint8Array(bytes.subarray(begin, end)),
});

/** The bytes of a file. @throws CollimateError with the remedy if it cannot be read */
export function bytesOf(path: string, remedy: string): Bytes {
  const attempt = <T>(read: () => T): T => reading(path, remedy, read);
  return {
    size: attempt(() => {
      const stat = statSync(path);
      if (!stat.isFile()) throw new Error('it is not a file'); // /dev/zero has no end
      return stat.size;
    }),
    read: (begin, end) =>
      attempt(() => {
        const bytes = new Uint8Array(end - begin);
        const file = openSync(path, 'r');
        try {
          for (let at = 0, read = 1; at < bytes.length && read > 0; at += read)
            read = readSync(file, bytes, at, Math.min(bytes.length - at, 2 ** 30), begin + at);
        } finally {
          closeSync(file);
        }
        return bytes;
      }),
  };
}

/** Where a tensor lies in a file: its bytes from `begin` to before `end`. */
export interface TensorPlace {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Decodes safetensors with {@link describeSafetensors}'s checks; tensors are copies, in header order. */
export function decodeSafetensors(
  bytes: Uint8Array,
  fileName: string,
): { tensors: Map<string, TensorData>; metadata: Record<string, string> } {
  const source = inMemory(bytes);
  const { places, metadata } = describeSafetensors(source, fileName);
  return { tensors: new Map([...places].map(([name, place]) => [name, tensorAt(source, place)])), metadata };
}

export function tensorAt(source: Bytes, { dtype, shape, begin, end }: TensorPlace): TensorData {
  const View: new (bytes: ArrayBufferLike) => TensorData['data'] = ARRAYS[dtype];
  return { dtype, shape, data: new View(source.read(begin, end).buffer) } as TensorData;
}

/**
 * What a safetensors file holds. It may come from anywhere: every claim of the header is checked before use,
 * and the tensors must fill the rest of the file without gap or overlap. `fileName` is for messages only.
 */
export function describeSafetensors(
  source: Bytes,
  fileName: string,
): { places: Map<string, TensorPlace>; metadata: Record<string, string> } {
  const remedy = 'The file is damaged or is no safetensors file: use another copy.';
  const fail: Fail = (message) => new CollimateError(`${fileName} ${message}`, remedy);
  const { header, dataStart } = readHeader(source, fail);
  const { [METADATA]: metadata = {}, ...described } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw fail(`has a ${METADATA} that is not a map of strings`);
  }
  const strange = Object.keys(described).find((name) => !/^[^\p{Cc}\p{Cf}\p{Cs}]{0,500}$/u.test(name));
  if (strange !== undefined) {
    throw fail(
      `has a tensor with the name ${JSON.stringify(strange.slice(0, 60).replace(/[^ -~]/g, '?'))}, which is very long or not printable`,
    );
  }
  const entries = Object.entries(described).map(([name, value]) => {
    if (isRecord(value) && typeof value.dtype === 'string' && !Object.hasOwn(ARRAYS, value.dtype)) {
      throw new CollimateError(
        `${fileName} has tensor ${name} of type ${JSON.stringify(value.dtype)}`,
        `Convert it to one of ${Object.keys(ARRAYS).join(', ')}.`,
      );
    }
    const what = `${fileName} describes tensor ${name} wrongly`;
    const { dtype, shape, data_offsets } = checked(value, entry, what, remedy);
    const [begin, end] = data_offsets;
    const expected = sizeOf(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    if (end - begin !== expected) {
      throw fail(`gives tensor ${name}, ${dtype} [${shape}], ${end - begin} bytes; it takes ${expected}`);
    }
    return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
  });

  let covered = dataStart;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw fail(
        `has ${begin < covered ? 'overlapping data' : 'a gap'} before tensor ${name}, at ${begin - dataStart}`,
      );
    }
    covered = end;
  }
  if (source.size !== covered) {
    const trouble = source.size < covered ? 'is truncated' : 'goes on after its last tensor';
    throw fail(`${trouble}: expected ${covered} bytes, found ${source.size}`);
  }
  const places = new Map(entries.map(({ name, ...place }) => [name, place]));
  return { places, metadata: metadata as Record<string, string> };
}

type Fail = (message: string) => CollimateError;

function readHeader(source: Bytes, fail: Fail): { header: Record<string, unknown>; dataStart: number } {
  if (source.size < 8) throw fail(`is truncated: expected at least 8 bytes, found ${source.size}`);
  const length = new DataView(source.read(0, 8).buffer).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES)
    throw fail(`claims a header of ${length} bytes; ${MAX_HEADER_BYTES} are allowed`);
  const dataStart = 8 + Number(length);
  if (dataStart > source.size) {
    throw fail(`is truncated: its header ends at byte ${dataStart}, but the file has ${source.size}`);
  }
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(source.read(8, dataStart));
    header = JSON.parse(text);
  } catch {
    throw fail('has a header that is not JSON');
  }
  if (!isRecord(header)) throw fail('has a header that is not a JSON object');
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fail(`has the key ${twice} twice in its header`);
  return { header, dataStart };
}

/** The first key that an object in a JSON text repeats; `JSON.parse` silently keeps the last. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  const next = /["{}]/g;
  const quote = /["\\]/g;
  for (let at = next.exec(json); at; at = next.exec(json)) {
    if (at[0] === '{') open.push(new Set());
    else if (at[0] === '}') open.pop();
    else {
      quote.lastIndex = next.lastIndex;
      while (quote.exec(json)![0] === '\\') quote.lastIndex++;
      next.lastIndex = quote.lastIndex;
      if (!/^\s*:/.test(json.slice(next.lastIndex, next.lastIndex + 100))) continue;
      const key: string = JSON.parse(json.slice(at.index, next.lastIndex));
      if (open.at(-1)!.has(key)) return key;
      open.at(-1)!.add(key);
    }
  }
  return undefined;
}

/** A tensor's numbers as float32, each exactly; undefined if not floats, or if a float64 does not fit. */
export function asFloat32({ dtype, data }: TensorData): Float32Array | undefined {
  switch (dtype) {
    case 'F32':
      return data;
    case 'F64': {
      const narrow = Float32Array.from(data);
      return data.every((x, i) => Object.is(x, narrow[i])) ? narrow : undefined;
    }
    case 'BF16':
      return new Float32Array(Uint32Array.from(data, (bits) => bits << 16).buffer);
    case 'F16':
      return Float32Array.from(data, ofHalf);
    default:
      return undefined;
  }
}

function ofHalf(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}
