import { Tensor } from './tensor.ts';

/** Leaves of type `T` in arrays and records, nested at will. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** `Tree` with every tensor replaced by `U`. */
export type Mapped<T, U> = T extends Tensor
  ? U
  : T extends readonly unknown[]
    ? { [K in keyof T]: Mapped<T[K], U> }
    : T extends object
      ? { [K in keyof T]: Mapped<T[K], U> }
      : T;

const isContainer = (x: unknown): x is object => typeof x === 'object' && x !== null;

/** The tensors of a structure in a fixed order: arrays by index, records by insertion. */
export function leavesOf(tree: unknown): Tensor[] {
  return leavesWith(tree, (x): x is Tensor => x instanceof Tensor);
}

/** The leaves for which `isLeaf` holds. */
export function leavesWith<T>(tree: unknown, isLeaf: (x: unknown) => x is T): T[] {
  if (isLeaf(tree)) return [tree];
  if (!isContainer(tree)) return [];
  return Object.values(tree).flatMap((child) => leavesWith(child, isLeaf));
}

/** The structure with each leaf replaced; `path` names the leaf, e.g. `params.blocks.0.weight`. */
export function mapTree<U>(
  tree: unknown,
  isLeaf: (x: unknown) => boolean,
  f: (leaf: never, path: string) => U,
  path = '',
): unknown {
  if (isLeaf(tree)) return f(tree as never, path);
  if (!isContainer(tree)) return tree;
  const child = (key: string | number, x: unknown) =>
    mapTree(x, isLeaf, f, path ? `${path}.${key}` : `${key}`);
  if (Array.isArray(tree)) return tree.map((x, i) => child(i, x));
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, child(key, x)]));
}

/** The structure with its tensors replaced, in the order of {@link leavesOf}. */
export function rebuild<T, U>(tree: T, leaves: readonly U[]): Mapped<T, U> {
  let i = 0;
  return mapTree(
    tree,
    (x) => x instanceof Tensor,
    () => leaves[i++]!,
  ) as Mapped<T, U>;
}

/** A function that is traced: its arguments have whatever structure the caller gives them. */
// biome-ignore lint/suspicious/noExplicitAny: a function of more specific arguments must be assignable
export type AnyFunction<R> = (...args: any[]) => R;
