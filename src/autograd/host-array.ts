import { CollimateError } from '../errors.ts';
import { type DType, formatShape, holds, rangeOf, type Shape, sizeOf } from './shape.ts';
import { describe } from './tensor.ts';

/** Host data as it is read back: f32 as floats, u32 and bool as u32, u8 as bytes. */
export type TypedArray = Float32Array | Uint32Array | Uint8Array;

/** A dense array in host memory. */
export interface HostArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** Typed arrays that hold nothing but what the type holds. */
const SAFE = {
  f32: [Float32Array, Uint32Array, Int32Array, Uint16Array, Int16Array, Uint8Array, Int8Array],
  u32: [Uint32Array, Uint16Array, Uint8Array, Uint8ClampedArray],
  u8: [Uint8Array, Uint8ClampedArray],
  bool: [],
};

/** @throws CollimateError unless `data` are as many numbers as an array has, and its type holds them */
export function expectData(what: string, data: ArrayLike<number>, shape: Shape, dtype: DType): void {
  const size = sizeOf(shape);
  if (typeof data !== 'object' || data?.length !== size) {
    const got = typeof data?.length === 'number' ? `${data.length} numbers` : describe(data);
    throw new CollimateError(
      `${what} of shape ${formatShape(shape)} was given ${got}`,
      `Give ${size} in a typed array or a list, row after row.`,
    );
  }
  if (SAFE[dtype].some((kind) => data instanceof kind)) return;
  for (let i = 0; i < size; i++) {
    const x: unknown = data[i];
    if (typeof x === 'number' && holds(dtype, x)) continue;
    throw new CollimateError(
      `${what}: element ${i} is ${typeof x === 'number' ? x : describe(x)}, which ${dtype} does not hold`,
      `Give ${rangeOf(dtype)}.`,
    );
  }
}

/** Data that were found to be right, as they lie in a buffer. */
export function packed(data: ArrayLike<number>, dtype: DType, bytes: number): TypedArray {
  if (dtype === 'f32') return data instanceof Float32Array ? data : new Float32Array(data);
  if (dtype !== 'u8') return data instanceof Uint32Array ? data : new Uint32Array(data);
  if (data instanceof Uint8Array && data.length === bytes) return data;
  const padded = new Uint8Array(bytes);
  padded.set(data);
  return padded;
}
