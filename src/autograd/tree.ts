import { CollimateError } from '../errors.ts';
import { describe, isNothing, Tensor } from './tensor.ts';

/** `T` with every tensor replaced by `U`. */
export type Mapped<T, U> = 0 extends 1 & T // any
  ? T
  : T extends Tensor
    ? U
    : T extends object
      ? { [K in keyof T]: Mapped<T[K], U> }
      : T;

type Node = readonly unknown[] | Readonly<Record<string, unknown>>;

const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;
const pathTo = (path: string, key: string | number) => (path ? `${path}.${key}` : `${key}`);
/** A record's own value; names such as `toString` are no exception. */
const valueAt = (node: Node, key: string): unknown =>
  Object.hasOwn(node, key) ? (node as Record<string, unknown>)[key] : undefined;

/** Arrays and plain records have children; numbers, functions and the like stand for themselves. */
function isNode(x: unknown, path: string): x is Node {
  if (typeof x !== 'object' || x === null) return false;
  const prototype = Object.getPrototypeOf(x);
  if (Array.isArray(x) || prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  throw new CollimateError(
    `a structure holds ${describe(x)}${path && ` at ${path}`}, whose contents would be ignored`,
    'Put tensors and arrays into lists and plain records; let functions close over everything else.',
  );
}

/** The leaves of a structure in a fixed order: lists by index, records by insertion. */
export function treeFlatten(tree: unknown): Tensor[];
export function treeFlatten<T>(tree: unknown, isLeaf: (x: unknown) => x is T): T[];
export function treeFlatten(tree: unknown, isLeaf: (x: unknown) => boolean = isTensor): unknown[] {
  const leaves: unknown[] = [];
  treeMap(tree, isLeaf, (leaf) => leaves.push(leaf));
  return leaves;
}

/** The structure with each leaf replaced; `path` names the leaf, e.g. `params.blocks.0.weight`. */
export function treeMap<U>(
  tree: unknown,
  isLeaf: (x: unknown) => boolean,
  f: (leaf: never, path: string) => U,
  path = '',
): unknown {
  if (isLeaf(tree)) return f(tree as never, path);
  if (!isNode(tree, path)) return tree;
  const child = (key: string | number, x: unknown) => treeMap(x, isLeaf, f, pathTo(path, key));
  if (Array.isArray(tree)) return tree.map((x, i) => child(i, x));
  return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, child(key, x)]));
}

/** The structure with its tensors replaced, in the order of {@link treeFlatten}. */
export function treeUnflatten<T, U>(tree: T, leaves: readonly U[]): Mapped<T, U> {
  let i = 0;
  return treeMap(tree, isTensor, () => leaves[i++]!) as Mapped<T, U>;
}

/** What a structure has where its model has a tensor. */
export interface Matched<T> {
  readonly value: T;
  readonly model: Tensor;
  /** Names the place in an error: what the structure is, and the path. */
  readonly name: string;
}

/**
 * The leaves of a structure that must be like a model, in the order of the model's tensors; names match,
 * wherever they stand. Where the model has another value, the structure has that or nothing. Throws where
 * names are missing or unknown, lists differ in length, or a leaf stands for a list or record.
 */
export function leavesLike<T>(
  what: string,
  model: unknown,
  tree: unknown,
  isLeaf: (x: unknown) => x is T,
): Matched<T>[] {
  const matched: Matched<T>[] = [];
  const visit = (m: unknown, x: unknown, path: string): void => {
    const name = path ? `${what} ${path}` : what;
    const refusal = () =>
      new CollimateError(
        `${name}: expected ${describe(m, x)}, got ${isTensor(x) ? 'the tensor ' : ''}${describe(x, m)}`,
        'Give the structure that the function has there: the same names, and lists of the same lengths.',
      );
    if (isTensor(m)) {
      if (!isLeaf(x)) throw refusal();
      matched.push({ value: x, model: m, name });
    } else if (isNode(m, path)) {
      // Where the model has no tensors, all of it may be left out.
      const given = x ?? (Array.isArray(m) ? [] : {});
      // A list of numbers may be a leaf, but where a list is expected it is one.
      if (!Array.isArray(given) && isLeaf(given)) throw refusal();
      if (!isNode(given, path) || Array.isArray(given) !== Array.isArray(m)) throw refusal();
      const known = (key: string) => Object.hasOwn(m, key) || isNothing(valueAt(given, key));
      if (!Object.keys(given).every(known)) throw refusal();
      for (const key of Object.keys(m)) visit(valueAt(m, key), valueAt(given, key), pathTo(path, key));
    } else if (!isNothing(x) && !Object.is(m, x)) throw refusal();
  };
  visit(model, tree, '');
  return matched;
}

/** The tensors that a function returned; throws if there are none. */
export function tensorsOf(name: string, result: unknown): Tensor[] {
  const async = result instanceof Promise;
  const tensors = async ? [] : treeFlatten(result);
  if (tensors.length > 0) return tensors;
  throw new CollimateError(
    `${name} returns ${async ? 'a promise' : describe(result)}, and no tensor`,
    async
      ? 'Trace a function that is not async: it runs once, before there are any data.'
      : 'Return a tensor, or a list or record of tensors; make a tensor of a number with full.',
  );
}

/** A function that is traced: its arguments have whatever structure the caller gives them. */
// biome-ignore lint/suspicious/noExplicitAny: a function of more specific arguments must be assignable
export type AnyFunction<R> = (...args: any[]) => R;
