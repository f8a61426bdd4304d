import { CollimateError } from '../errors.ts';

/** Sizes of the axes of a tensor, outermost first; none for a scalar. */
export type Shape = readonly number[];

/** Typed arrays of each type of elements. */
export const ARRAYS = {
  f32: Float32Array,
  u32: Uint32Array,
  i32: Int32Array,
  bool: Uint32Array,
  u8: Uint8Array,
};

/** `u8` exists only in buffers that `take` reads; `bool` is stored as one u32 per element. */
export type DType = keyof typeof ARRAYS;

/** Types with integer arithmetic, and with any. */
export type Integer = 'u32' | 'i32';
export type Numeric = 'f32' | Integer;

/** Smallest and largest number of each type but floats. */
const RANGES = { u32: [0, 2 ** 32 - 1], i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], bool: [0, 1] } as const;

export const isInteger = (dtype: DType): dtype is Integer => dtype === 'u32' || dtype === 'i32';
export const isNumeric = (dtype: DType): dtype is Numeric => dtype === 'f32' || isInteger(dtype);

/** A whole number as a type holds it: integers wrap modulo 2³². */
export const wrap = (dtype: DType, x: number): number =>
  dtype === 'u32' ? x >>> 0 : dtype === 'i32' ? x | 0 : x;

/** Whether a type can hold a number; floats are rounded, whole numbers never. */
export function holds(dtype: DType, x: number): boolean {
  if (typeof x !== 'number') return false;
  if (dtype === 'f32') return !Number.isFinite(x) || Number.isFinite(Math.fround(x));
  const [least, most] = RANGES[dtype];
  return Number.isInteger(x) && x >= least && x <= most;
}

/** The numbers that a type holds, in words. */
export const rangeOf = (dtype: DType): string =>
  dtype === 'f32' ? 'numbers of at most 3.4e38' : `whole numbers from ${RANGES[dtype].join(' to ')}`;

/** Throws where there is no such type. */
export function expectType(what: string, dtype: string): void {
  if (Object.hasOwn(ARRAYS, dtype)) return;
  throw new CollimateError(`${what}: there is no type ${dtype}`, 'Choose f32, u32, i32 or u8.');
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

/** Bytes of an array in memory. */
export const bytesOf = ({ shape, dtype }: { readonly shape: Shape; readonly dtype: DType }): number =>
  dtype === 'u8' ? Math.ceil(sizeOf(shape) / 4) * 4 : 4 * sizeOf(shape);

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

/** Type and shape of a value: `f32[2,3]`. */
export const formatType = ({ dtype, shape }: { readonly dtype: string; readonly shape: Shape }): string =>
  `${dtype}${formatShape(shape)}`;

/** The shape that operands broadcast to, aligned at their last axes; sizes must agree or be 1. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let axis = -1; axis >= -shape.length; axis--) {
      const size = shape.at(axis)!;
      const known = result[rank + axis]!;
      if (size === known || size === 1) continue;
      if (known !== 1) {
        throw new CollimateError(
          `${op}: operands of shapes ${shapes.map(formatShape).join(' and ')} do not broadcast: axis ${axis} is ${known} in one and ${size} in another`,
          'Make the sizes equal, or 1 where an operand is to be repeated.',
        );
      }
      result[rank + axis] = size;
    }
  }
  return result;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}
