import { CollimateError } from '../errors.ts';
import type { Params, Primitive } from './primitives.ts';
import { type DType, formatShape, formatType, type Shape, sizeOf } from './shape.ts';

export * from './shape.ts';

let nextId = 0;

/**
 * A value in a traced computation: a node of an immutable, acyclic graph that holds no data. Ids grow in
 * order of creation, so ascending ids are a topological order.
 */
export class Tensor<P extends Primitive = Primitive> {
  readonly id = nextId++;

  constructor(
    readonly op: P,
    readonly inputs: readonly Tensor[],
    readonly params: Params[P],
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}

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

  /** Operators do not apply: JavaScript would go on with NaN, or with one branch for all elements. */
  [Symbol.toPrimitive](): never {
    throw new CollimateError(
      `a tensor, ${formatType(this)} from ${this.op}, was used as a number or a string`,
      'Use add, mul, greater, where and the like instead of +, *, > and ?:, and printGraph(trace(f, specs)) to look.',
    );
  }
}

/** A tensor whose dtype TypeScript knows; a plain {@link Tensor} may have any. */
export type Typed<D extends DType = 'f32'> = Tensor & { readonly dtype: D };

/** Throws unless all operands are tensors. */
export function expectTensors(
  op: string,
  operands: readonly unknown[],
): asserts operands is readonly Tensor[] {
  const i = operands.findIndex((x) => !(x instanceof Tensor));
  if (i < 0) return;
  throw new CollimateError(
    `${op}: operand ${i} is ${describe(operands[i])}, not a tensor`,
    'Pass data to the traced function as arguments; make a tensor of a number with full.',
  );
}

export const isNothing = (x: unknown): x is undefined | null => x === undefined || x === null;
/** Names of a record that an error shows. */
const MOST_KEYS = 8;

/** A value in an error; a record's names that `other` lacks come first. */
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

/** Throws on unknown options: ignored, they would leave what they were to change as it is. */
export function expectOptions(op: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new CollimateError(`${op}: there is no option ${unknown}`, `Choose from ${known.join(', ')}.`);
}

/** A copy of the sides of an array that a caller gave; throws if they are none. */
export function sides(what: string, shape: Shape): number[] {
  const list = Array.isArray(shape) ? Array.from<number>(shape) : undefined;
  const bad = list?.findIndex((d) => !Number.isInteger(d) || d < 1);
  if (list && bad === -1) return list;
  throw new CollimateError(
    `${what}: ${list ? `shape ${formatShape(list)} has a side of ${list[bad!]}` : `the shape is ${describe(shape)}`}`,
    'Give a list of sides, each a positive whole number.',
  );
}

/** All nodes that the given ones are computed from, in topological order. */
export function ancestors(outputs: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>();
  const stack = [...outputs];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
