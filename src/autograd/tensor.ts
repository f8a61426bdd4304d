import { CollimateError } from '../errors.ts';
import type { Params, Primitive } from './primitives.ts';
import { rules } from './rules.ts';

export type Shape = readonly number[];

/** `u8` exists only in buffers that `take` reads; `bool` is stored as one u32 an element. */
export type DType = 'f32' | 'u32' | 'bool' | 'u8';

/** The largest number of each type that is not of floats. */
const LARGEST = { u32: 2 ** 32 - 1, u8: 255, bool: 1 };

/** Whether a type can hold a number; floats are rounded, whole numbers never. */
export function holds(dtype: DType, x: number): boolean {
  if (typeof x !== 'number') return false;
  if (dtype === 'f32') return !Number.isFinite(x) || Number.isFinite(Math.fround(x));
  return Number.isInteger(x) && x >= 0 && x <= LARGEST[dtype];
}

/** The numbers that a type holds, in words. */
export const rangeOf = (dtype: DType): string =>
  dtype === 'f32' ? 'numbers of at most 3.4e38' : `whole numbers from 0 to ${LARGEST[dtype]}`;

let nextId = 0;

/**
 * A value in a traced computation: one node of an immutable, acyclic graph. It holds no data; a program compiled
 * from the graph, or the interpreter, gives it some. Ids grow in order of creation, so that ascending ids are a
 * topological order.
 */
export class Tensor<P extends Primitive = Primitive> {
  readonly id = nextId++;
  readonly op: P;
  readonly inputs: readonly Tensor[];
  readonly params: Params[P];
  readonly shape: Shape;
  readonly dtype: DType;

  constructor(op: P, inputs: readonly Tensor[], params: Params[P], shape: Shape, dtype: DType) {
    this.op = op;
    this.inputs = inputs;
    this.params = params;
    this.shape = shape;
    this.dtype = dtype;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  is<Q extends Primitive>(op: Q): this is Tensor<Q> {
    return (this.op as Primitive) === op;
  }

  /** Operators of the language do not apply: JavaScript would go on with NaN, or with one branch for all elements. */
  [Symbol.toPrimitive](): never {
    throw new CollimateError(
      `a tensor, ${this.dtype}${formatShape(this.shape)} from ${this.op}, was used as a number or a string`,
      'Use add, mul, greater, where and the like instead of +, *, > and ?:, and printGraph(trace(f, specs)) to look.',
    );
  }
}

/** Applies a primitive: the one way in which nodes come into being. Throws where the shapes do not fit. */
export function bind<P extends Primitive>(op: P, inputs: readonly Tensor[], params: Params[P]): Tensor<P> {
  expectTensors(op, inputs);
  const { shape, dtype } = rules[op].shape(inputs, params);
  if (sizeOf(shape) > LARGEST.u32) {
    throw new CollimateError(
      `${op}: the result of shape ${formatShape(shape)} has ${sizeOf(shape)} elements`,
      'Kernels count in u32: use smaller sizes, or fewer at a time.',
    );
  }
  return new Tensor(op, inputs, params, shape, dtype);
}

/** Throws unless all operands are tensors. */
export function expectTensors(
  op: string,
  operands: readonly unknown[],
): asserts operands is readonly Tensor[] {
  const i = operands.findIndex((x) => !(x instanceof Tensor));
  if (i < 0) return;
  throw new CollimateError(
    `${op}: operand ${i} is ${describe(operands[i])}, not a tensor`,
    'Pass data to the traced function as arguments of its own; make a tensor of a number with full.',
  );
}

export const isNothing = (x: unknown): x is undefined | null => x === undefined || x === null;
/** Names of a record that an error shows. */
const MOST_KEYS = 8;

/** A value in an error; of a record, those names first that `other` lacks. */
export function describe(x: unknown, other?: unknown): string {
  if (isNothing(x)) return 'nothing';
  if (typeof x === 'string') return JSON.stringify(x);
  if (typeof x === 'function') return 'a function';
  if (typeof x === 'bigint') return `${x}n`;
  if (typeof x !== 'object') return String(x);
  const { shape, dtype } = x as { shape?: Shape; dtype?: string };
  const type = x.constructor?.name || 'Object';
  if (Array.isArray(shape) && dtype && type !== 'Object')
    return `${x instanceof Tensor ? '' : `a ${type} `}${dtype}${formatShape(shape)}`;
  if (Array.isArray(x)) return `a list of ${x.length}`;
  if (ArrayBuffer.isView(x) && 'length' in x) return `a ${type} of ${x.length}`;
  if (type !== 'Object') return `a ${type}`;
  const shared = (key: string) => Number(typeof other === 'object' && other !== null && key in other);
  const keys = Object.keys(x).sort((a, b) => shared(a) - shared(b));
  const shown = keys.slice(0, MOST_KEYS).join(', ');
  return keys.length > MOST_KEYS ? `{${shown}, … (${keys.length} names)}` : `{${shown}}`;
}

/** Throws where options have a name that is none of those known: what it was to change would stay as it is. */
export function expectOptions(op: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new CollimateError(`${op}: there is no option ${unknown}`, `Choose from ${known.join(', ')}.`);
}

/** A copy of what someone gave as the sides of an array, if it can be. */
export function sides(what: string, shape: Shape): number[] {
  const list = Array.isArray(shape) ? Array.from<number>(shape) : undefined;
  const bad = list?.findIndex((d) => !Number.isInteger(d) || d < 1);
  if (list && bad === -1) return list;
  throw new CollimateError(
    `${what}: ${list ? `shape ${formatShape(list)} has a side of ${list[bad!]}` : `the shape is ${describe(shape)}`}`,
    'Give a list of sides, each a positive whole number.',
  );
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

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

/** A node that stands for data given at run time. */
export function input(name: string, shape: Shape, dtype: DType = 'f32'): Tensor<'input'> {
  return bind('input', [], { name, shape: sides(`input ${name}`, shape), dtype });
}
