import { CollimateError } from '../errors.ts';
import { input } from './bind.ts';
import { broadcast, moveaxis, reshape } from './functions.ts';
import { replay } from './propagate.ts';
import { describe, formatType, Tensor } from './tensor.ts';
import type { Args } from './transform.ts';
import { tensorsOf, treeFlatten, treeMap, treeUnflatten } from './tree.ts';

/** An axis to map over, null for what is the same each time, or a structure of those, one for each part. */
export type Axes = number | null | readonly Axes[] | { readonly [name: string]: Axes };

interface Leaf {
  readonly x: Tensor;
  readonly name: string;
  readonly axis: number | null;
}

/** The tensors of a structure, with the axis given for each. */
function leavesOf(what: string, tree: unknown, axes: Axes, path = ''): Leaf[] {
  const leaves: Leaf[] = [];
  const name = (path: string) => (path ? `${what} ${path}` : what);
  if (axes === null || typeof axes === 'number') {
    const isTensor = (x: unknown) => x instanceof Tensor;
    treeMap(tree, isTensor, (x, path) => leaves.push({ x, name: name(path), axis: axes }), path);
    return leaves;
  }
  const listed = Array.isArray(tree);
  const keys = tree && typeof tree === 'object' && !(tree instanceof Tensor) ? Object.keys(tree) : undefined;
  const fits = keys && listed === Array.isArray(axes) && `${keys}` === `${Object.keys(Object(axes))}`;
  if (!fits) {
    throw new CollimateError(
      `${name(path)}: the axes are ${describe(axes, tree)} for ${describe(tree, axes)}`,
      'Give a whole number or null, or the structure of what is mapped with those in it.',
    );
  }
  const parts = tree as Record<string, unknown>;
  const given = axes as Record<string, Axes>;
  return keys.flatMap((key) => leavesOf(what, parts[key], given[key]!, path ? `${path}.${key}` : key));
}

/** An axis counted from 0. */
function axisIn(name: string, axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new CollimateError(
    `${name} has no axis ${axis}: it has ${rank}`,
    'Count axes from 0 or, from the last, from −1; give null for what is the same each time.',
  );
}

/**
 * A function that applies `f` to each index along an axis of its arguments, all at once, like JAX's `vmap`:
 * `f` sees tensors without that axis. `inAxes` gives the axis (one for all arguments, or a list with an
 * entry for each; null: the same each time), `outAxes` where results have it. Random numbers are the same
 * each time for one key; map over keys for others.
 * @throws CollimateError where sizes of axes differ, naming the arguments, or where there is no such axis
 *
 * @example
 * const dot = (x: Tensor, y: Tensor) => sum(mul(x, y));
 * const each = vmap(dot, [0, null]); // [5, 3] and [3] to [5, 1]
 * const program = await compile(gpu, each, [[5, 3], [3]]);
 */
export function vmap<A extends Args, R>(
  f: (...args: A) => R,
  inAxes: Axes = 0,
  outAxes: Axes = 0,
): (...args: A) => R {
  return (...args) => {
    const leaves = leavesOf('vmap: argument', args, inAxes);
    const known = new Map<Tensor, Tensor>();
    let first: { name: string; axis: number; size: number } | undefined;
    const own = leaves.map(({ x, name, axis: given }) => {
      if (given === null) return x;
      const axis = axisIn(name, given, x.rank);
      const size = x.shape[axis]!;
      first ??= { name, axis, size };
      if (size !== first.size) {
        throw new CollimateError(
          `${name}, ${formatType(x)}, has ${size} along axis ${axis}, and ${first.name.slice(6)} has ${first.size} along axis ${first.axis}`,
          'Map over axes of one size; give null for what is the same each time.',
        );
      }
      const each = input('mapped', x.shape.toSpliced(axis, 1), x.dtype);
      known.set(each, axis ? moveaxis(x, axis, 0) : x);
      return each;
    });
    if (!first) {
      throw new CollimateError('vmap: no argument is mapped', 'Give a number as the axis of one of them.');
    }
    const { size } = first;
    const out = f(...(treeUnflatten(args, own) as unknown as A));
    tensorsOf(f.name || 'the function', out);
    const results = leavesOf('vmap: result', out, outAxes);
    const whole = replay(treeFlatten(out), known);
    const placed = results.map(({ x, name, axis }, i) => {
      const y = whole[i]!;
      const mapped = y.rank > x.rank;
      if (axis === null && mapped) {
        throw new CollimateError(
          `${name} differs from one index to the next, but its axis is null`,
          'Give the axis that it shall have in outAxes.',
        );
      }
      if (axis === null) return y;
      const to = axisIn(name, axis, x.rank + 1);
      const all = mapped ? y : broadcast(reshape(y, [1, ...y.shape]), [size, ...y.shape]);
      return to ? moveaxis(all, 0, to) : all;
    });
    return treeUnflatten(out, placed) as R;
  };
}
