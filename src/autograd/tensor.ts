import { CollimateError } from '../errors.ts';
import type { Params, Primitive } from './primitives.ts';
import { rules } from './rules.ts';

export type Shape = readonly number[];

/** `u8` exists only in buffers that `take` reads; `bool` is stored as one u32 an element. */
export type DType = 'f32' | 'u32' | 'bool' | 'u8';

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
}

/** Applies a primitive: the one way in which nodes come into being. Throws where the shapes do not fit. */
export function bind<P extends Primitive>(op: P, inputs: readonly Tensor[], params: Params[P]): Tensor<P> {
  const { shape, dtype } = rules[op].shape(inputs, params);
  return new Tensor(op, inputs, params, shape, dtype);
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
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 1) {
      throw new CollimateError(
        `input ${name}: shape ${formatShape(shape)} has a side of ${d}`,
        'Every side must be a positive whole number.',
      );
    }
  }
  return new Tensor('input', [], { name, shape: [...shape], dtype }, [...shape], dtype);
}
