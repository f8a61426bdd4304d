import { CollimateError } from '../errors.ts';
import { input } from './bind.ts';
import './functions.ts';
import { bindLoop } from './loop.ts';
import { describe, expectOptions, formatType, sameShape, Tensor } from './tensor.ts';
import { leavesLike, type Mapped, treeFlatten, treeMap, treeUnflatten } from './tree.ts';

/** How {@link scan} goes. */
export interface ScanOptions {
  /** Number of steps; by default the length of the first axis of `xs`. */
  length?: number;
  /** Whether steps go from the last row to the first. */
  reverse?: boolean;
}

const isTensor = (x: unknown): x is Tensor => x instanceof Tensor;

/**
 * A loop, like JAX's `lax.scan`: `f(carry, x)` returns `[carry, y]` and runs on each row of `xs` (structures
 * of tensors [length, …]), handing on the carry. The result is `[carry, ys]`: the last carry, and all `y`
 * stacked in tensors [length, …]. `xs` may be left out if the length is given; `y` may be null. The body is
 * recorded and compiled once, whatever the length. A carry keeps its structure, shapes and types.
 * @throws CollimateError where lengths differ or a carry changes, naming its place
 *
 * @example
 * const sums = (xs: Tensor) => scan((s: Tensor, x: Tensor) => [add(s, x), mul(s, x)], full(0, []), xs);
 * const program = await compile(gpu, sums, [[4]]);
 * (await program.run([1, 2, 3, 4]))[1].data; // [0, 2, 9, 24]
 */
export function scan<C, X, Y>(
  // The empty list makes TypeScript infer a list of carries as a tuple.
  f: (carry: C, x: X) => readonly [NoInfer<Mapped<C, Tensor>> | readonly [], Y],
  init: C,
  xs?: X,
  options: ScanOptions = {},
): [C, Y] {
  expectOptions('scan', options, ['length', 'reverse']);
  const { reverse = false } = options;
  const rows: { x: Tensor; name: string }[] = [];
  treeMap(xs, isTensor, (x: Tensor, path) => rows.push({ x, name: path ? `xs ${path}` : 'xs' }));
  const length = options.length ?? rows[0]?.x.shape[0];
  if (length === undefined || !Number.isInteger(length) || length < 0) {
    throw new CollimateError(
      `scan: the length is ${describe(length)}`,
      'Give xs, or a whole number of steps.',
    );
  }
  for (const { x, name } of rows) {
    if (x.shape[0] === length && x.dtype !== 'u8') continue;
    throw new CollimateError(
      `scan: ${name} is ${formatType(x)}, for ${length} steps`,
      'Give f32 or u32 with a row for each step along the first axis.',
    );
  }
  const starts = treeFlatten(init);
  const carries = starts.map(({ shape, dtype }) => input('carry', shape, dtype));
  const steps = rows.map(({ x }) => input('x', x.shape.slice(1), x.dtype));
  const out = f(treeUnflatten(init, carries) as C, treeUnflatten(xs, steps) as X);
  if (!Array.isArray(out) || out.length !== 2) {
    throw new CollimateError(`scan: the function returns ${describe(out)}`, 'Return the list [carry, y].');
  }
  const [handed, y] = out;
  const next = leavesLike('scan: carry', init, handed, isTensor).map(({ value, model, name }) => {
    if (sameShape(value.shape, model.shape) && value.dtype === model.dtype) return value;
    throw new CollimateError(
      `${name} is ${formatType(value)} after a step, ${formatType(model)} before it`,
      'Keep shape and type of each carry: make the first one what the function returns.',
    );
  });
  const each = treeFlatten(y);
  if (length === 0) {
    if (each.length === 0) return [init, y];
    throw new CollimateError('scan: there are no ys of 0 steps', 'Take a step, or return null for y.');
  }
  const results = bindLoop(
    { carries, init: starts, next, xs: steps, rows: rows.map(({ x }) => x), each },
    { length, reverse },
  );
  return [treeUnflatten(init, results.last) as C, treeUnflatten(y, results.each) as Y];
}
