import { input } from '../../src/autograd/bind.ts';
import * as c from '../../src/autograd/functions.ts';
import { broadcastShapes, type DType, isInteger, type Numeric, sizeOf } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';

/** What an input has to hold. */
export interface FuzzInput {
  readonly shape: readonly number[];
  readonly dtype: Numeric | 'u8';
  /** Numbers below this, where they are indices (of i32, a fifth below 0); otherwise anything. */
  readonly below?: number;
}
/** Elements of the largest value, and multiplications of the largest product. */
export const LARGEST = 2_000;
export const MOST_WORK = 30_000;

/** A graph under construction, which finds operands for the next step. */
export class Builder {
  readonly wanted: FuzzInput[] = [];
  readonly inputs: Tensor[] = [];
  readonly pool: Tensor[] = [];
  readonly sides: readonly number[];
  readonly extreme: boolean;
  readonly #given: readonly Tensor[] | undefined;
  /** For a differentiated function: operations without derivatives get operands without any. */
  readonly differentiated: boolean;

  /** With the given tensors for inputs, or new ones. */
  constructor(
    options: { sides: readonly number[]; extreme: boolean; differentiated: boolean },
    given?: readonly Tensor[],
  ) {
    this.sides = options.sides;
    this.extreme = options.extreme;
    this.differentiated = options.differentiated;
    this.#given = given;
  }

  fresh(shape: readonly number[], dtype: FuzzInput['dtype'] = 'f32', below?: number): Tensor {
    const i = this.wanted.length;
    this.wanted.push(below === undefined ? { shape, dtype } : { shape, dtype, below });
    const made = this.#given ? this.#given[i]! : input(`${i}`, shape, dtype);
    this.inputs.push(made);
    return made;
  }

  /** Side number `n`. */
  side(n: number): number {
    return this.sides[n % this.sides.length]!;
  }

  /** A shape of rank 1 to 4 by number: each axis is one of the sides or 1. */
  shape(n: number, least = 1): number[] {
    const rank = least + (n % (5 - least));
    const axis = (i: number) => [...this.sides, 1][(n >> (2 * i + 2)) & 3]!;
    const shape = Array.from({ length: rank }, (_, i) => axis(i));
    return sizeOf(shape) <= LARGEST / 5 ? shape : shape.map((d, i) => (i < rank - 1 ? 1 : d));
  }

  /** The `nth` fitting tensor, counted back from the last. */
  find(nth: number, fits: (t: Tensor) => boolean): Tensor | undefined {
    const all = this.pool.filter(fits);
    return all.at(-1 - (nth % Math.max(all.length, 1)));
  }

  float(nth: number, fits: (t: Tensor) => boolean = () => true): Tensor {
    return this.find(nth, (t) => t.dtype === 'f32' && fits(t)) ?? this.fresh(this.shape(97 * nth + 6, 2));
  }

  /** A tensor that broadcasts with others: one there is, a literal, or a new input with some axes of 1. */
  partner(nth: number, n: number, ...others: Tensor[]): Tensor {
    const shapes = others.map((t) => t.shape);
    const { dtype } = others[0]!;
    if (n % 5 === 0) return this.literal(n >> 3, dtype);
    const found = n % 5 === 1 ? undefined : this.find(nth, (t) => t.dtype === dtype && fitsBeside(t, shapes));
    if (found) return found;
    const whole = broadcastShapes('partner', shapes);
    const dropped = (n >> 6) % 3;
    const shape = whole
      .map((d, i) => ((n >> (i + 3)) & 1 ? 1 : d))
      .slice(Math.min(dropped, whole.length - 1));
    return this.fresh(whole.length ? shape : [], isInteger(dtype) ? dtype : 'f32');
  }

  literal(n: number, dtype: DType): Tensor {
    const floats = this.extreme ? [...LITERALS, ...EXTREME_LITERALS] : LITERALS;
    const list = isInteger(dtype) ? INTEGERS[dtype] : floats;
    return c.constant(list[n % list.length]!, dtype);
  }

  /** A tensor as an operand of what has no derivative. */
  frozen(t: Tensor): Tensor {
    return this.differentiated && t.dtype === 'f32' ? c.stopGradient(t) : t;
  }
}
const LITERALS = [1, -1, 0.5, 2, -0.1, 3, 0.75, 1e-3];
const EXTREME_LITERALS = [0, 1e20, 1e-20, -3e38, 1e-30, 1e30];
const INTEGERS = {
  u32: [1, 2, 7, 3, 0xffffffff, 0],
  i32: [1, -1, 7, -3, 2 ** 31 - 1, -(2 ** 31), 0],
};

/** Whether shapes broadcast together. */
export const broadcastable = (shapes: readonly (readonly number[])[]) =>
  shapes.every((a) =>
    shapes.every((b) =>
      a.toReversed().every((d, i) => {
        const e = b.at(-1 - i) ?? 1;
        return d === e || d === 1 || e === 1;
      }),
    ),
  );

/** Whether a tensor broadcasts with some shapes, to something that is not too large. */
export const fitsBeside = (t: Tensor, shapes: readonly (readonly number[])[]) => {
  const all = [t.shape, ...shapes];
  return broadcastable(all) && sizeOf(broadcastShapes('fits', all)) <= LARGEST;
};
