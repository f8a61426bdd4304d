import { CollimateError } from '../errors.ts';
import { Gpu } from '../gpu/device.ts';
import {
  ARRAYS,
  bytesOf,
  type DType,
  expectType,
  formatShape,
  formatType,
  holds,
  rangeOf,
  type Shape,
  sizeOf,
} from './shape.ts';
import { describe, sides } from './tensor.ts';

/** Host data as read back: f32 as floats, bool as u32, u8 as bytes. */
export type TypedArray<D extends DType = DType> = {
  f32: Float32Array;
  u32: Uint32Array;
  i32: Int32Array;
  bool: Uint32Array;
  u8: Uint8Array;
}[D];

/** A dense array in host memory. */
export interface HostArray<D extends DType = DType> {
  readonly shape: Shape;
  readonly dtype: D;
  readonly data: TypedArray<D>;
}

/** @throws CollimateError unless `data` has one number per element and the type holds each */
export function expectData(what: string, data: ArrayLike<number>, shape: Shape, dtype: DType): void {
  const size = sizeOf(shape);
  if (typeof data !== 'object' || data?.length !== size) {
    const got = typeof data?.length === 'number' ? `${data.length} numbers` : describe(data);
    throw new CollimateError(
      `${what} of shape ${formatShape(shape)} was given ${got}`,
      `Give ${size} in a typed array or a list, row after row.`,
    );
  }
  if (data instanceof ARRAYS[dtype] && dtype !== 'bool') return;
  for (let i = 0; i < size; i++) {
    const x: unknown = data[i];
    if (typeof x === 'number' && holds(dtype, x)) continue;
    throw new CollimateError(
      `${what}: element ${i} is ${typeof x === 'number' ? x : describe(x)}, which ${dtype} does not hold`,
      `Give ${rangeOf(dtype)}.`,
    );
  }
}

/** Checked data as they lie in a buffer, padded with zeros to `length`. */
export function packed(data: ArrayLike<number>, dtype: DType, length = data.length): TypedArray {
  const Typed = ARRAYS[dtype];
  if (data instanceof Typed && data.length === length) return data;
  const copy = new Typed(length);
  copy.set(data);
  return copy;
}

/** @throws CollimateError unless `gpu` is a device */
export function expectGpu(what: string, gpu: unknown): asserts gpu is Gpu {
  if (gpu instanceof Gpu) return;
  throw new CollimateError(`${what}: the device is ${describe(gpu)}`, 'Give what `await openGpu()` returns.');
}

/**
 * A dense array in GPU memory: a whole buffer or part of one. Views made with {@link view} share the buffer;
 * disposing of the array that owns it frees it.
 *
 * @example
 * const array = DeviceArray.from(gpu, [1, 2, 3, 4], [2, 2]);
 * await array.view(2, [2]).read(); // [3, 4]
 * array.dispose();
 */
export class DeviceArray<D extends DType = DType> implements Disposable {
  #owner = false;

  private constructor(
    readonly gpu: Gpu,
    readonly buffer: GPUBuffer,
    readonly byteOffset: number,
    readonly shape: Shape,
    readonly dtype: D,
  ) {}

  /** A new array of zeros. */
  static zeros<D extends DType = 'f32'>(
    gpu: Gpu,
    shape: Shape,
    dtype = 'f32' as D,
    label?: string,
  ): DeviceArray<D> {
    expectGpu(label ?? 'array', gpu);
    const own = sides(label ?? 'array', shape);
    expectType(label ?? 'array', dtype);
    const buffer = gpu.createBuffer(bytesOf({ shape: own, dtype }), label ? { label } : {});
    const array = new DeviceArray(gpu, buffer, 0, own, dtype);
    array.#owner = true;
    return array;
  }

  /** A new array with a copy of host data. */
  static from<D extends DType = 'f32'>(
    gpu: Gpu,
    data: ArrayLike<number>,
    shape: Shape,
    dtype = 'f32' as D,
    label?: string,
  ): DeviceArray<D> {
    const array = DeviceArray.zeros(gpu, shape, dtype, label);
    try {
      array.write(data, label);
    } catch (error) {
      array.dispose();
      throw error;
    }
    return array;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get bytes(): number {
    return bytesOf(this);
  }

  /** An array over part of this one's buffer, from element `start` on. */
  view(start: number, shape: Shape): DeviceArray<D> {
    const own = sides('view', shape);
    if (this.dtype === 'u8' || !Number.isInteger(start) || start < 0 || start + sizeOf(own) > this.size) {
      throw new CollimateError(
        `view of shape ${formatShape(shape)} at element ${start} does not lie inside of ${formatType(this)}`,
        'Views must lie inside, of arrays of 4-byte elements.',
      );
    }
    return new DeviceArray(this.gpu, this.buffer, this.byteOffset + 4 * start, own, this.dtype);
  }

  /**
   * Replaces the contents with host data, in order with submitted work. Errors call the array `name`.
   * @throws CollimateError unless there is one number per element and the type holds each
   */
  write(data: ArrayLike<number>, name = 'an array'): void {
    expectData(name, data, this.shape, this.dtype);
    this.gpu.write(
      this.buffer,
      this.byteOffset,
      packed(data, this.dtype, this.bytes / ARRAYS[this.dtype].BYTES_PER_ELEMENT),
    );
  }

  /** The contents once everything submitted so far has run. */
  async read(): Promise<TypedArray<D>> {
    const raw = await this.gpu.read(this.buffer, this.byteOffset, this.bytes);
    return new ARRAYS[this.dtype as DType](raw, 0, this.size) as TypedArray<D>;
  }

  /** Frees its buffer. Programs bound to it can no longer be submitted. */
  dispose(): void {
    if (this.#owner) this.gpu.destroyBuffer(this.buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
