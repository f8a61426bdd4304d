import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { type DType, formatShape, type Shape, sizeOf } from './tensor.ts';

export type TypedArray = Float32Array | Uint32Array | Uint8Array;

/** A dense array in host memory. */
export interface HostArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

export const bytesOf = (shape: Shape, dtype: DType): number =>
  dtype === 'u8' ? Math.ceil(sizeOf(shape) / 4) * 4 : 4 * sizeOf(shape);

/**
 * A dense array in GPU memory: a whole buffer or a stretch of one. Views made with {@link view} share the buffer;
 * disposing of the array that owns it frees it.
 */
export class DeviceArray implements Disposable {
  readonly gpu: Gpu;
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly #owner: boolean;

  private constructor(
    gpu: Gpu,
    buffer: GPUBuffer,
    byteOffset: number,
    shape: Shape,
    dtype: DType,
    owner: boolean,
  ) {
    this.gpu = gpu;
    this.buffer = buffer;
    this.byteOffset = byteOffset;
    this.shape = shape;
    this.dtype = dtype;
    this.#owner = owner;
  }

  /** A new array of zeros. */
  static zeros(gpu: Gpu, shape: Shape, dtype: DType = 'f32', label?: string): DeviceArray {
    const buffer = gpu.createBuffer(bytesOf(shape, dtype), label ? { label } : {});
    return new DeviceArray(gpu, buffer, 0, [...shape], dtype, true);
  }

  /** A new array with a copy of host data. */
  static from(
    gpu: Gpu,
    data: ArrayLike<number>,
    shape: Shape,
    dtype: DType = 'f32',
    label?: string,
  ): DeviceArray {
    expectCount(data, shape);
    const array = DeviceArray.zeros(gpu, shape, dtype, label);
    array.write(data);
    return array;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get bytes(): number {
    return bytesOf(this.shape, this.dtype);
  }

  /** An array over a stretch of this one's buffer, from element `start` on. */
  view(start: number, shape: Shape): DeviceArray {
    if (this.dtype === 'u8' || start + sizeOf(shape) > this.size) {
      throw new CollimateError(
        `view of shape ${formatShape(shape)} at element ${start} does not lie inside of ${this.dtype}${formatShape(this.shape)}`,
        'Views must lie inside, of arrays of 4-byte elements.',
      );
    }
    return new DeviceArray(this.gpu, this.buffer, this.byteOffset + 4 * start, [...shape], this.dtype, false);
  }

  /** Replaces the contents by host data, in order with submitted work. */
  write(data: ArrayLike<number>): void {
    expectCount(data, this.shape);
    this.gpu.write(this.buffer, this.byteOffset, toBytes(data, this.dtype, this.bytes));
  }

  /** The contents once everything submitted so far has run. */
  async read(): Promise<TypedArray> {
    const raw = await this.gpu.read(this.buffer, this.byteOffset, this.bytes);
    if (this.dtype === 'f32') return new Float32Array(raw);
    return this.dtype === 'u8' ? new Uint8Array(raw).slice(0, this.size) : new Uint32Array(raw);
  }

  dispose(): void {
    if (this.#owner) this.gpu.destroyBuffer(this.buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function expectCount(data: ArrayLike<number>, shape: Shape): void {
  if (data.length === sizeOf(shape)) return;
  throw new CollimateError(
    `an array of shape ${formatShape(shape)} was given ${data.length} numbers`,
    `Give ${sizeOf(shape)}.`,
  );
}

function toBytes(data: ArrayLike<number>, dtype: DType, bytes: number): TypedArray {
  if (dtype === 'f32') return data instanceof Float32Array ? data : Float32Array.from(data);
  if (dtype !== 'u8') return data instanceof Uint32Array ? data : Uint32Array.from(data);
  if (data instanceof Uint8Array && data.length === bytes) return data;
  const padded = new Uint8Array(bytes);
  padded.set(data);
  return padded;
}
