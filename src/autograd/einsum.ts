import { CollimateError } from '../errors.ts';
import { equal, iota, matmul, mul, reshape, sum, transpose, where } from './operations.ts';
import { expectTensors, formatShape, sizeOf, type Tensor, type Typed } from './tensor.ts';

/** A tensor with a name for each axis; axes under `...` are numbered from the end: `-1`, `-2`, … */
interface Labeled {
  readonly x: Tensor;
  readonly names: readonly string[];
}

/**
 * Einstein summation, NumPy's `einsum`: sums the products of elements over all letters that the result
 * lacks. Without `->`, the result has the letters that occur once, in alphabetical order. `...` stands for
 * axes that broadcast. Operands are multiplied from left to right, as matrices where letters are summed.
 * @throws CollimateError that names the letter and both sizes where these differ
 * @example einsum('ij,j->i', array([1, 2, 3, 4], [2, 2]), array([1, 1])) // [3, 7]; batches: 'bij,bjk->bik'
 * @example einsum('ii', array([1, 2, 3, 4], [2, 2])) // 5, the trace; transpose: 'ij->ji', outer: 'i,j->ij'
 */
export function einsum(subscripts: string, ...operands: Tensor[]): Typed {
  expectTensors('einsum', operands);
  const fail: Fail = (what) => {
    throw new CollimateError(
      `einsum '${subscripts}': ${what}`,
      "Write a letter for each axis, the same for axes of one size, or '...' for several: 'bij,bjk->bik'.",
    );
  };
  const letters = '(?:[a-zA-Z]*(?:\\.{3})?[a-zA-Z]*)';
  const text = `${subscripts}`.replaceAll(' ', '');
  const parsed = new RegExp(`^(${letters}(?:,${letters})*)(?:->(${letters}))?$`).exec(text);
  const terms = parsed ? parsed[1]!.split(',') : fail('it cannot be read');
  if (terms.length !== operands.length) fail(`${terms.length} terms for ${operands.length} operands`);
  const given = operands.map((x, i) => ({ x, names: namesOf(terms[i]!, x, i, fail) }));
  checkSizes(given, fail);
  const result = resultOf(parsed![2], given, fail);

  let [whole, ...others] = given.map(onDiagonals) as [Labeled, ...Labeled[]];
  for (let next = others.shift(); next; next = others.shift()) {
    whole = product(whole, next, new Set([...result, ...others.flatMap(({ names }) => names)]));
  }
  const summed = without(whole, (name) => !result.includes(name));
  return ordered(summed, result) as Typed;
}

type Fail = (what: string) => never;

const isNumber = (name: string) => name.startsWith('-');

/** The names of an operand's axes. */
function namesOf(term: string, { shape, rank }: Tensor, i: number, fail: Fail): string[] {
  const [before, after] = term.split('...').map((part) => [...part]) as [string[], string[]?];
  const more = rank - before.length - (after?.length ?? 0);
  if (after ? more < 0 : more !== 0)
    fail(`'${term}' names ${rank - more} axes, operand ${i} of shape ${formatShape(shape)} has ${rank}`);
  return after ? [...before, ...Array.from({ length: more }, (_, k) => `${k - more}`), ...after] : before;
}

/** Axes of one name have one size; those under `...` may also have 1. */
function checkSizes(given: readonly Labeled[], fail: Fail): void {
  const known = new Map<string, { size: number; i: number }>();
  given.forEach(({ x, names }, i) => {
    names.forEach((name, axis) => {
      const size = x.shape[axis]!;
      const before = known.get(name);
      if (!before || (isNumber(name) && before.size === 1)) known.set(name, { size, i });
      else if (size !== before.size && !(isNumber(name) && size === 1))
        fail(`axis ${name} is ${before.size} in operand ${before.i} and ${size} in operand ${i}`);
    });
  });
}

/** The names of the result's axes. */
function resultOf(term: string | undefined, given: readonly Labeled[], fail: Fail): string[] {
  const all = given.flatMap(({ names }) => names);
  const numbers = [...new Set(all.filter(isNumber))].sort((a, b) => Number(a) - Number(b));
  const isSingle = (name: string) => !isNumber(name) && all.indexOf(name) === all.lastIndexOf(name);
  if (term === undefined) return [...numbers, ...all.filter(isSingle).sort()];
  const [before, after] = term.split('...').map((part) => [...part]) as [string[], string[]?];
  const letters = [...before, ...(after ?? [])];
  for (const name of letters) {
    if (!all.includes(name)) fail(`the result has the axis ${name}, which no operand has`);
    if (letters.indexOf(name) !== letters.lastIndexOf(name)) fail(`the result has the axis ${name} twice`);
  }
  if (numbers.length && !after) fail("an operand has '...', the result has not");
  return after ? [...before, ...numbers, ...after] : before;
}

/** An operand with each name once: along axes of the same name, its diagonal. */
function onDiagonals({ x, names }: Labeled): Labeled {
  const second = names.findIndex((name, axis) => names.indexOf(name) < axis);
  if (second < 0) return { x, names };
  const along = (axis: number) => {
    const sides = names.map((_, i) => (i === axis ? -1 : 1));
    return reshape(iota([x.shape[axis]!]), sides);
  };
  // Not times 0: what is beside the diagonal may be infinite.
  const diagonal = where(equal(along(names.indexOf(names[second]!)), along(second)), x, 0);
  return onDiagonals({ x: sum(diagonal, second, { keepDims: false }), names: names.toSpliced(second, 1) });
}

/** Summed over the axes of some names. */
function without({ x, names }: Labeled, gone: (name: string) => boolean): Labeled {
  const axes = names.flatMap((name, axis) => (gone(name) ? [axis] : []));
  return axes.length
    ? { x: sum(x, axes, { keepDims: false }), names: names.filter((name) => !gone(name)) }
    : { x, names };
}

/** The product of two, summed over names that are not `kept`. */
function product(left: Labeled, right: Labeled, kept: ReadonlySet<string>): Labeled {
  const a = without(left, (name) => !kept.has(name) && !right.names.includes(name));
  const b = without(right, (name) => !kept.has(name) && !left.names.includes(name));
  const shared = a.names.filter((name) => b.names.includes(name));
  const batch = shared.filter((name) => kept.has(name));
  const summed = shared.filter((name) => !kept.has(name));
  const [rows, columns] = [a, b].map(({ names }) => names.filter((name) => !shared.includes(name)));
  const names = [...batch, ...rows!, ...columns!];
  if (!summed.length || names.length === batch.length) {
    const all = [...names, ...summed];
    const aligned = (t: Labeled) => {
      const own = all.filter((name) => t.names.includes(name));
      const sides = all.map((name) => t.x.shape[t.names.indexOf(name)] ?? 1);
      return reshape(ordered(t, own), sides);
    };
    return without({ x: mul(aligned(a), aligned(b)), names: all }, (name) => summed.includes(name));
  }
  const matrix = (t: Labeled, first: readonly string[], second: readonly string[]) => {
    const x = ordered(t, [...batch, ...first, ...second]);
    const sides = x.shape.slice(batch.length);
    return reshape(x, [sizeOf(sides.slice(0, first.length)), -1], sides.length);
  };
  const y = matmul(matrix(a, rows!, summed), matrix(b, summed, columns!));
  const sides = [a, b].flatMap(({ x, names }) => x.shape.filter((_, i) => !shared.includes(names[i]!)));
  return { x: reshape(y, sides, 2), names };
}

/** Its axes in another order; the transpose leaves out leading axes that stay. */
function ordered({ x, names }: Labeled, order: readonly string[]): Tensor {
  const perm = order.map((name) => names.indexOf(name));
  const stay = perm.findIndex((axis, i) => axis !== i);
  const moved = perm.slice(stay).map((axis) => axis - stay);
  return stay < 0 ? x : transpose(x, moved);
}
