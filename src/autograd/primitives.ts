import type { ConvSpec } from '../kernels/conv-problem.ts';
import type { Window } from '../kernels/window.ts';
import type { DType, Numeric } from './shape.ts';

type None = Record<string, never>;

/** What a reduction does with the elements along its axes. `variance` is the biased one (divides by n). */
export type ReduceKind = 'sum' | 'mean' | 'max' | 'prod' | 'variance';

/**
 * Every primitive and its static parameters. Axes are negative, counted from the last; all before them are
 * batch, so that a recorded operation can be applied again to operands with more leading axes.
 */
export interface Params {
  /** Given at each run, or with the graph as `data`: one number of its type per element. */
  input: { name: string; shape: readonly number[]; dtype: DType; data?: ArrayLike<number> };
  constant: { value: number; dtype: DType };
  /** u32 coordinates along the last axis of `shape` but for `axis` (negative). */
  iota: { shape: readonly number[]; axis: number };

  copy: None;
  stopGradient: None;
  add: None;
  sub: None;
  mul: None;
  div: None;
  rem: None;
  max: None;
  min: None;
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  rsqrt: None;
  cos: None;
  sin: None;
  tanh: None;
  sigmoid: None;
  erf: None;
  /** `a` to the power `b`. */
  pow: None;
  abs: None;
  floor: None;
  /** To the nearest whole number, ties to even. */
  round: None;
  relu: None;
  /** (x − mean) · rate · weight + bias, of these five. */
  normalize: None;
  greater: None;
  equal: None;
  and: None;
  or: None;
  not: None;
  where: None;
  cast: { dtype: Numeric };
  /** Pseudo-random bijection of 0 … n−1: inputs (index, round key). */
  shuffle: { n: number };

  /** Replaces the last `from` axes by `to`. */
  reshape: { from: number; to: readonly number[] };
  /** Permutes the last `perm.length` axes. */
  transpose: { perm: readonly number[] };
  /** Repeats along axes of size 1 so that the trailing axes become `to`. */
  broadcast: { to: readonly number[] };

  /** `size` elements along an axis, from `start` on. */
  slice: { axis: number; start: number; size: number };
  /** Operands one after the other along an axis; along the others they broadcast. */
  concat: { axis: number };

  /** Reduces along `axes`, which stay as axes of size 1. */
  reduce: { kind: ReduceKind; axes: readonly number[] };
  /** Sums of all elements up to each along an axis, itself included; from the end on if `reverse`. */
  cumsum: { axis: number; reverse: boolean };
  /** Product of the last two axes; leading axes broadcast. */
  matmul: { transposeA: boolean; transposeB: boolean };
  /**
   * Convolution as a trilinear form of images x `[…, n, h, w, ci]`, weights w `[…, co, kh, kw, ci]` and
   * outputs y `[…, n, oh, ow, co]`: the derivative of Σ (x ∗ w) · y by one of them, from the other two in
   * the order and the layout that `ConvSpec` states.
   */
  conv: { part: ConvSpec['part']; window: Window };
  /**
   * Largest values under a window (`value` of x), and the same choice of elements as a linear map (`tangent`
   * of t and x) and its transpose (`cotangent` of u and x).
   */
  maxPool: { part: 'value' | 'tangent' | 'cotangent'; window: Window };
  /** Elements of a table along an axis by a list of indices, times `scale` plus `shift`. */
  take: { axis: number; scale: number; shift: number };
  /** The transpose of `take`: sums along an axis, by index, into `rows` rows. */
  scatterAdd: { axis: number; rows: number };
  /** Counter-based random numbers from a u32 key of shape [2]. */
  random: { distribution: 'uniform' | 'normal'; shape: readonly number[]; stream: number };
  /** A value of a loop's body, by number, after the last step or at each: see loop.ts, where its type is. */
  scan: {
    loop: { readonly id: number; readonly length: number; readonly reverse: boolean };
    value: number;
    each: boolean;
  };
  /** Orthonormal bases, see kernels/qr.ts. */
  orthonormalize: None;
  /** Singular values or right singular vectors, see kernels/svd.ts. */
  svd: { part: 's' | 'v' };
}

export type Primitive = keyof Params;
