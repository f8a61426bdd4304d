import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import type { Late } from './late.ts';
import type { Params, Primitive } from './primitives.ts';
import type { DType, Shape, Tensor } from './tensor.ts';

/** Host data of the interpreter: float64 throughout, even for integers and booleans (0 or 1). */
export interface NdArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: Float64Array;
}

export interface Signature {
  shape: Shape;
  dtype: DType;
}

/** Writes `a operator b` as a line whose operands compilers cannot cancel, and returns its name. */
export type Step = (operator: '+' | '-' | '*', a: string, b: string) => string;

/** How a primitive becomes part of a program. */
export type Lowering<P extends Primitive> =
  /** Data, a literal or coordinates: read where it is used. */
  | { kind: 'leaf' }
  /** Reads its operand under other coordinates; no kernel of its own. */
  | { kind: 'view' }
  /** A WGSL expression of arguments, the first of `dtype`; `F`, `I`, `U`, `B` name the vector types. */
  | {
      kind: 'pointwise';
      wgsl: (args: string[], params: Params[P], dtype: DType, step: Step) => string;
      /** Rough number of arithmetic instructions; more than 8 counts as expensive. */
      cost: number;
      /** WGSL functions that the expression calls. */
      helpers?: (params: Params[P]) => readonly string[];
      /** They take scalars, so vectors are not used around it. */
      scalarOnly?: boolean;
    }
  /** Lowered by the reduction template. */
  | { kind: 'reduce' }
  /**
   * A kernel of its own; operands are dense buffers, bound in order, the result last. Where nodes may share
   * one, it binds the first operand of each, those that all have, and the results.
   */
  | { kind: 'kernel'; make: (node: Tensor<P>, traits: AdapterTraits, all: readonly Tensor<P>[]) => Kernel }
  /** Nodes of one operand that one kernel computes, e.g. factors of an SVD; binds operand and `parts`. */
  | {
      kind: 'multi-output';
      parts: readonly Params[P][];
      make: (operand: Tensor, traits: AdapterTraits) => Kernel;
    }
  /** A loop: results of one on the same inputs are computed together, by the kernels of its body. */
  | { kind: 'loop' };

/** Transforms several results of the same inputs together, not one by one: see {@link Rule}. */
export interface Together<P extends Primitive> {
  jvp: (
    tangents: readonly (Tensor | null)[],
    inputs: readonly Tensor[],
    outs: readonly Tensor<P>[],
  ) => (Tensor | null)[];
  transpose: (
    cts: readonly (Tensor | null)[],
    inputs: readonly Tensor[],
    linear: readonly boolean[],
    outs: readonly Tensor<P>[],
  ) => (Tensor | null)[];
  batch: (inputs: readonly Tensor[], mapped: readonly boolean[], outs: readonly Tensor<P>[]) => Tensor[];
}

/**
 * Everything about a primitive, in one place. `jvp` maps tangents (null: zero) to the tangent of the output;
 * `zero` says that the derivative vanishes, `nondifferentiable` that there is none. `transpose` maps the
 * output's cotangent to those of the operands marked in `linear`; only operations linear in some operand
 * have one. `batch` is there where operands cannot simply have one more leading axis, of size 1 in some: it
 * records the operation `node` once for each index of that axis, which the `mapped` operands have.
 */
export interface Rule<P extends Primitive> {
  shape: (inputs: readonly Tensor[], params: Params[P]) => Signature;
  reference: (inputs: readonly NdArray[], params: Params[P], out: Signature) => Float64Array;
  jvp:
    | ((tangents: readonly (Tensor | null)[], inputs: readonly Tensor[], out: Tensor<P>) => Tensor | null)
    | 'zero'
    | 'nondifferentiable';
  transpose:
    | ((
        ct: Tensor,
        inputs: readonly Tensor[],
        linear: readonly boolean[],
        out: Tensor<P>,
      ) => (Tensor | null)[])
    | 'nonlinear';
  batch?: (inputs: readonly Tensor[], mapped: readonly boolean[], node: Tensor<P>) => Tensor;
  together?: Together<P>;
  /** A module that `lowering` needs. */
  late?: Late<unknown>;
  lowering: Lowering<P>;
}

export type Rules = { [P in Primitive]: Rule<P> };
