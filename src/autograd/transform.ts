import { CollimateError } from '../errors.ts';
import { bind, input } from './bind.ts';
import { full } from './functions.ts';
import { pullBack, pushForward } from './propagate.ts';
import { describe, expectOptions, formatShape, formatType, sameShape, Tensor, type Typed } from './tensor.ts';
import { leavesLike, type Mapped, tensorsOf, treeFlatten, treeUnflatten } from './tree.ts';

/**
 * Differentiation as a map from graphs to graphs. Forward mode follows the JVP rules; reverse mode is the
 * transpose of the linear graph that forward mode leaves behind (Radul, Paszke, Frostig, Johnson &
 * Maclaurin, *You only linearize once*, POPL 2023). A function is differentiated at private copies of its
 * arguments, so that derivatives of derivatives never mistake one variable for another.
 */

/** Stands for a tangent with the shape of `x` and further leading axes; never part of a result. */
export const placeholder = (x: Tensor, lead: readonly number[] = []): Tensor =>
  input('tangent', [...lead, ...x.shape]);

/** Arguments of a function that is transformed: any structures of tensors. */
// biome-ignore lint/suspicious/noExplicitAny: a function of more specific arguments must be assignable
export type Args = readonly any[];

function expectCall(f: unknown, args: unknown): void {
  if (typeof f === 'function' && Array.isArray(args)) return;
  throw new CollimateError(
    `cannot differentiate ${describe(f)} at ${describe(args)}`,
    'Give a function, and a list of its arguments.',
  );
}

/** A structure with its tensors replaced; for null, zeros like its model with `lead` as leading axes. */
const filled = <T>(
  tree: T,
  tensors: readonly (Tensor | null)[],
  models: readonly Tensor[],
  lead: readonly number[] = [],
) => {
  const all = tensors.map((t, i) => t ?? full(0, [...lead, ...models[i]!.shape]));
  return treeUnflatten(tree, all) as T;
};

/** Calls `f` at private copies of its tensor arguments. */
export function isolate<A extends Args, R>(f: (...args: A) => R, args: A): { copies: Tensor[]; out: R } {
  expectCall(f, args);
  const leaves = treeFlatten(args);
  if (leaves.length === 0) {
    throw new CollimateError('a function is differentiated by no tensor', 'Give a tensor as its argument.');
  }
  const other = leaves.find((x) => x.dtype !== 'f32');
  if (other) {
    throw new CollimateError(
      `an argument is ${formatType(other)}, but only f32 can be differentiated`,
      'Let the function close over tensors of other types.',
    );
  }
  const copies = leaves.map((x) => bind('copy', [x], {}));
  const out = f(...(treeUnflatten(args, copies) as unknown as A));
  tensorsOf(f.name || 'the function', out);
  return { copies, out };
}

/**
 * `[f(x), ∂f(x)·t]`: the value of `f` and its derivative along tangents structured like the arguments.
 * @example jvp((x: Tensor) => square(x), [array([3])], [array([1])])[1] // [6]
 */
export function jvp<A extends Args, R>(
  f: (...args: A) => R,
  args: readonly [...A],
  tangents: Mapped<A, Tensor>,
): [R, R] {
  const { copies, out } = isolate(f, args as A);
  const { given: ts } = tensorsLike('jvp: tangent', args, tangents, false);
  const outs = treeFlatten(out);
  return [out, filled(out, pushForward(outs, copies, ts), outs)];
}

/** The derivative of a function at a point, as a linear map that can be applied to batches of tangents. */
export interface Linearization<A extends Args, R> {
  /** The value at the point. */
  readonly value: R;
  /** `J·v`; the tensors of `v`, and so the result, may have further leading axes, the same for all. */
  apply(...v: Mapped<A, Tensor>): R;
  /** `Jᵀ·u`; the tensors of `u`, and so the result, may have further leading axes, the same for all. */
  applyTranspose(u: Mapped<R, Tensor>): A;
}

/**
 * Linearizes `f` at a point: everything that does not depend on the tangents is computed once.
 * @example linearize((x: Tensor) => square(x), array([1, 2])).apply(array([1, 10])) // [2, 40]
 */
export function linearize<A extends Args, R>(f: (...args: A) => R, ...args: A): Linearization<A, R> {
  const { copies, out } = isolate(f, args);
  const outs = treeFlatten(out);
  const tangents = copies.map((x) => placeholder(x));
  const linear = pushForward(outs, copies, tangents);
  const replay = (vs: readonly Tensor[]) => pushForward(linear, tangents, vs);
  return {
    value: out,
    apply: (...v) => {
      const { given: vs, lead } = tensorsLike('linearize: tangent', args, v, true);
      return filled(out, replay(vs), outs, lead);
    },
    applyTranspose: (u) => {
      const { given: us, lead } = tensorsLike('linearize: cotangent', out, u, true);
      const vs = copies.map((x) => placeholder(x, lead));
      return filled(args, pullBack(replay(vs), vs, us), copies, lead);
    },
  };
}

/**
 * The value of `f` and a function from the cotangent of the value to those of the arguments.
 * @example vjp((x: Tensor) => square(x), array([1, 2]))[1](array([1, 10]))[0] // [2, 40]
 */
export function vjp<A extends Args, R>(f: (...args: A) => R, ...args: A): [R, (u: Mapped<R, Tensor>) => A] {
  const { value, applyTranspose } = linearize(f, ...args);
  const pullback = (u: Mapped<R, Tensor>) => {
    tensorsLike('vjp: cotangent', value, u, true);
    return applyTranspose(u);
  };
  return [value, pullback];
}

/**
 * A function that gives the value of `f`, a scalar, and its gradient with respect to the first argument, in
 * its structure. With `hasAux`, `f` returns `[scalar, aux]`, and so does the value.
 * @example valueAndGrad((x: Tensor) => sum(square(x)))(array([1, 2]))[0] // [5]; [1] is the gradient, [2, 4]
 */
export function valueAndGrad<A extends Args, X>(
  f: (...args: A) => [Tensor, X],
  options: { hasAux: true },
): (...args: A) => [[Typed, X], A[0]];
export function valueAndGrad<A extends Args>(f: (...args: A) => Tensor): (...args: A) => [Typed, A[0]];
export function valueAndGrad<A extends Args>(
  f: (...args: A) => unknown,
  options: { hasAux?: boolean } = {},
): (...args: A) => [unknown, A[0]] {
  expectOptions('valueAndGrad', options, ['hasAux']);
  return (...args) => {
    expectCall(f, args);
    const numbers = (x: unknown): x is number | Tensor => typeof x === 'number' || x instanceof Tensor;
    const number = treeFlatten(args[0], numbers).find((x) => typeof x === 'number');
    if (number !== undefined) {
      throw new CollimateError(
        `grad: there is no gradient by the number ${number}`,
        'Pass it in another argument than the first, or make a tensor of it.',
      );
    }
    const ofFirst = (first: A[0]) => f(...([first, ...args.slice(1)] as unknown as A));
    const { copies, out } = isolate(ofFirst, [args[0]]);
    const value = (options.hasAux ? (out as readonly unknown[])[0] : out) as Tensor;
    if (!(value instanceof Tensor) || value.size !== 1 || value.dtype !== 'f32') {
      throw new CollimateError(
        `grad: the function returns ${describe(value)}, not a scalar of f32`,
        'Differentiate a scalar, or use vjp with a cotangent of that shape.',
      );
    }
    const tangents = copies.map((x) => placeholder(x));
    const linear = pushForward([value], copies, tangents);
    const bars = pullBack(linear, tangents, [full(1, value.shape)]);
    return [out, filled(args[0], bars, copies)];
  };
}

/**
 * A function that gives the gradient of the scalar function `f` with respect to its first argument.
 * @example grad((x: Tensor) => sum(square(x)))(array([1, 2])) // [2, 4]
 */
export function grad<A extends Args>(f: (...args: A) => Tensor): (...args: A) => A[0] {
  const both = valueAndGrad(f);
  return (...args) => both(...args)[1];
}

/** The tensors of a structure like `model`, in its order, and their extra leading axes if `batched`. */
export function tensorsLike(what: string, model: unknown, tree: unknown, batched: boolean) {
  const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;
  const matched = leavesLike(what, model, tree, isTensor);
  const [first] = matched;
  const lead =
    batched && first ? first.value.shape.slice(0, Math.max(first.value.rank - first.model.rank, 0)) : [];
  for (const { value, model, name } of matched) {
    const expected = [...lead, ...model.shape];
    if (sameShape(value.shape, expected) && value.dtype === 'f32') continue;
    throw new CollimateError(
      `${name}: expected f32${formatShape(expected)}, got ${formatType(value)}`,
      'Its trailing axes must be those of its tensor, its leading axes those of the others.',
    );
  }
  return { given: matched.map(({ value }) => value), lead };
}
