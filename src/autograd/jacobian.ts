import { CollimateError } from '../errors.ts';
import { cast, equal, full, iota, moveaxis, reshape } from './functions.ts';
import { pullBack, pushForward } from './propagate.ts';
import { expectOptions, type Shape, sizeOf, type Tensor } from './tensor.ts';
import { type Args, grad, isolate, linearize, placeholder, tensorsLike } from './transform.ts';
import { type Mapped, treeFlatten, treeUnflatten } from './tree.ts';

/** All unit vectors of a shape, [n, …shape] for its n elements. */
const unitVectors = (shape: Shape): Tensor => {
  const n = sizeOf(shape);
  return reshape(cast(equal(iota([n, 1], 0), iota([n])), 'f32'), shape, 1);
};

/** Forward takes a tangent per element of the argument, reverse a cotangent per element of the result. */
export interface JacobianOptions {
  /** Default: whichever takes fewer. */
  mode?: 'forward' | 'reverse';
}

/**
 * A function that gives the Jacobian of `f` with respect to its first argument: [m…, n…] for a result [m…]
 * of an argument [n…]. In a structure of results, a structure like the argument replaces each tensor. All
 * columns (or rows) are computed in one pass; for products with some of them use {@link linearize}.
 *
 * @example
 * const f = (x: Tensor) => mul(x, sum(x));
 * const program = await compile(gpu, jacobian(f), [[3]]);
 * (await program.run([1, 2, 3])).data; // [7, 1, 1, 2, 8, 2, 3, 3, 9]
 */
export function jacobian<A extends Args, R>(
  f: (...args: A) => R,
  options: JacobianOptions = {},
): (...args: A) => Mapped<R, A[0]> {
  expectOptions('jacobian', options, ['mode']);
  const { mode } = options;
  if (mode !== undefined && mode !== 'forward' && mode !== 'reverse') {
    throw new CollimateError(`jacobian: there is no mode ${mode}`, 'Choose forward or reverse.');
  }
  return (...args) => {
    const { copies, out } = isolate((x: A[0]) => f(...([x, ...args.slice(1)] as unknown as A)), [args[0]]);
    const outs = treeFlatten(out);
    const total = (tensors: readonly Tensor[]) => tensors.reduce((n, { size }) => n + size, 0);
    const forward = mode ? mode === 'forward' : total(copies) <= total(outs);
    // parts[j][i]: the derivative of result j by tensor i of the argument, null where it is zero.
    const parts = forward ? columns(outs, copies) : rows(outs, copies);
    const whole = outs.map((y, j) => {
      const blocks = copies.map((x, i) => parts[j]![i] ?? full(0, [...y.shape, ...x.shape]));
      return treeUnflatten(args[0], blocks);
    });
    return treeUnflatten(out, whole) as Mapped<R, A[0]>;
  };
}

type Parts = (Tensor | null)[][];

function columns(outs: readonly Tensor[], copies: readonly Tensor[]): Parts {
  const images = copies.map((x, i) => {
    const tangents = copies.map((_, k) => (k === i ? unitVectors(x.shape) : null));
    return pushForward(outs, copies, tangents).map((t) => t && reshape(moveaxis(t, 0, -1), x.shape, 1));
  });
  return outs.map((_, j) => images.map((image) => image[j]!));
}

function rows(outs: readonly Tensor[], copies: readonly Tensor[]): Parts {
  const tangents = copies.map((x) => placeholder(x));
  return pushForward(outs, copies, tangents).map((linear, j) => {
    const y = outs[j]!;
    const vs = copies.map((x) => placeholder(x, [y.size]));
    const bars = pullBack(pushForward([linear], tangents, vs), vs, [unitVectors(y.shape)]);
    return bars.map((bar, i) => bar && reshape(bar, [...y.shape, ...copies[i]!.shape]));
  });
}

/**
 * A function that gives the Hessian [n…, n…] of the scalar function `f` with respect to its first argument
 * [n…], forward over reverse. In a structure, the second derivatives by `a` and `b` are under `a`, then `b`.
 *
 * @example
 * const f = (x: Tensor) => sum(mul(square(x), x));
 * const program = await compile(gpu, hessian(f), [[2]]);
 * (await program.run([1, 2])).data; // [6, 0, 0, 12]
 */
export const hessian = <A extends Args>(f: (...args: A) => Tensor): ((...args: A) => Mapped<A[0], A[0]>) =>
  jacobian(grad(f), { mode: 'forward' });

/**
 * The Hessian of the scalar function `f` with respect to its first argument, times `v`, which is like that
 * argument: forward over reverse, at a few times the cost of the gradient. The tensors of `v`, and so the
 * product, may have further leading axes, the same for all: many vectors at once.
 *
 * @example
 * const f = (x: Tensor) => sum(mul(square(x), x));
 * const program = await compile(gpu, (x: Tensor, v: Tensor) => hvp(f, [x], v), [[2], [2]]);
 * (await program.run([1, 2], [1, 1])).data; // [6, 12]
 */
export function hvp<A extends Args>(f: (...args: A) => Tensor, args: A, v: A[0]): A[0] {
  const gradient = grad(f);
  const [first, ...rest] = args;
  const hessian = linearize((x: A[0]) => gradient(...([x, ...rest] as unknown as A)), first);
  tensorsLike('hvp: v', first, v, true);
  return hessian.apply(v);
}
