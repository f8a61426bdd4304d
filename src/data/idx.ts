import fs from 'node:fs';
import { gunzipSync, constants as zlib } from 'node:zlib';
import { CollimateError, reading } from '../errors.ts';

export interface IdxArray {
  readonly shape: readonly number[];
  /** The elements, row-major: a view of `file`. */
  readonly data: Uint8Array;
  /** The whole file, unzipped. */
  readonly file: Uint8Array;
  /** The whole file as it was, zipped or not. */
  readonly packed: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
const TYPE_NAMES: Readonly<Record<number, string>> = {
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};
/** Far above any file in this format; a header that asks for more is damaged, and nothing is allocated. */
const MAX_BYTES = 2 ** 31;
/** A magic number and the sizes of as many axes as its one byte can count. */
const MAX_HEADER_BYTES = 4 + 4 * 255;
const FETCH_AGAIN = 'Fetch the file again: it is damaged, or not what its name says.';

/** Reads an IDX file of bytes, plain or gzipped. @throws CollimateError if it is unreadable or damaged */
export function readIdx(path: string): IdxArray {
  const remedy = 'Check that the file exists and that you may read it.';
  return decodeIdx(
    reading(path, remedy, () => fs.readFileSync(path)),
    path,
  );
}

/**
 * Decodes IDX: two zero bytes, an element type, the number of axes, each axis' size as big-endian u32, then
 * the elements, last axis fastest (http://yann.lecun.com/exdb/mnist/). Gzip is known by its magic number.
 * `fileName` is for messages. Throws unless type, sizes and length are those of a complete u8 array.
 */
export function decodeIdx(bytes: Uint8Array, fileName: string): IdxArray {
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const header = decodeHeader(zipped ? unzipStart(bytes, fileName) : bytes, fileName);
  const plain = zipped ? unzip(bytes, header.fileBytes, fileName) : bytes;
  if (plain.length !== header.fileBytes) throw wrongLength(fileName, header.fileBytes, `${plain.length}`);
  return { shape: header.shape, data: plain.subarray(header.headerBytes), file: plain, packed: bytes };
}

function decodeHeader(bytes: Uint8Array, fileName: string) {
  const fail = (message: string) => new CollimateError(`${fileName} ${message}`, FETCH_AGAIN);
  if (bytes.length < 4) throw fail(`is truncated: expected at least 4 bytes, found ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [type, rank] = [view.getUint8(2), view.getUint8(3)];
  if (view.getUint16(0) !== 0 || rank === 0) {
    throw fail(`is not an IDX file: it begins with 0x${view.getUint32(0).toString(16).padStart(8, '0')}`);
  }
  if (type !== UNSIGNED_BYTE) {
    const found = TYPE_NAMES[type] ?? `unknown type 0x${type.toString(16)}`;
    throw new CollimateError(
      `${fileName} holds ${found} elements; only unsigned bytes (type 0x8) are read`,
      'Convert the file to unsigned bytes.',
    );
  }
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw fail(`is truncated: its header of ${rank} axes takes ${headerBytes} bytes, found ${bytes.length}`);
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  if (shape.includes(0)) throw fail(`holds no items: its shape is [${shape.join(', ')}]`);
  const fileBytes = headerBytes + shape.reduce((product, size) => product * size, 1);
  if (fileBytes > MAX_BYTES) {
    throw fail(`claims the shape [${shape.join(', ')}], which is more than ${MAX_BYTES} bytes`);
  }
  return { shape, headerBytes, fileBytes };
}

/** Enough of a gzipped file to hold the header, however much of the file is missing. */
function unzipStart(bytes: Uint8Array, fileName: string): Uint8Array {
  try {
    // A deflate stream expands at most 1032-fold, so this much input is at most a few MiB.
    return gunzipSync(bytes.subarray(0, 2 * MAX_HEADER_BYTES), { finishFlush: zlib.Z_SYNC_FLUSH });
  } catch (cause) {
    throw unzipFailed(fileName, cause);
  }
}

function unzip(bytes: Uint8Array, expected: number, fileName: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: expected }); // the cap stops a bomb
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw wrongLength(fileName, expected, `more than ${expected}`);
    if (code !== 'Z_BUF_ERROR') throw unzipFailed(fileName, cause);
    // Truncated: flushing returns what there is, so that the error can give its length.
    const { length } = gunzipSync(bytes, { finishFlush: zlib.Z_SYNC_FLUSH });
    throw new CollimateError(
      `${fileName} is truncated: expected ${expected} bytes and a checksum when unzipped, found ${length} bytes`,
      FETCH_AGAIN,
      { cause },
    );
  }
}

function unzipFailed(fileName: string, cause: unknown): CollimateError {
  return new CollimateError(`${fileName} cannot be unzipped: ${(cause as Error).message}`, FETCH_AGAIN, {
    cause,
  });
}

function wrongLength(fileName: string, expected: number, found: string): CollimateError {
  const trouble = Number(found) < expected ? 'is truncated' : 'goes on after its last item';
  return new CollimateError(
    `${fileName} ${trouble}: expected ${expected} bytes, found ${found}`,
    FETCH_AGAIN,
  );
}
