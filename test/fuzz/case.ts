import { input } from '../../src/autograd/bind.ts';
import { isInteger } from '../../src/autograd/shape.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ancestors } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import { numbers } from '../autograd/support.ts';
import { type Bounded, boundedValues } from './bounds.ts';
import type { FuzzInput } from './builder.ts';
import { build, type Recipe, type Style, styleOf } from './graphs.ts';

/** A graph: what recipes have in common that differ in their values alone. */
export interface Problem {
  readonly specs: readonly FuzzInput[];
  readonly f: (...xs: Tensor[]) => Tensor[];
  /** Number of values before Jv and Jᵀu, if these are asked for, else −1. */
  readonly split: number;
  readonly inputs: readonly Tensor<'input'>[];
  readonly outputs: readonly Tensor[];
}

/** A problem with the values of its inputs, and what should come out. */
export interface Case {
  readonly recipe: Recipe;
  readonly problem: Problem;
  readonly values: readonly Float64Array[];
  /** Bounds of the outputs, and of all values that can have a buffer. */
  readonly outputs: readonly Bounded[];
  readonly nodes: readonly Bounded[];
  /** Of the inner products. */
  readonly difference: { readonly value: number; readonly bound: number } | undefined;
}

/** Outputs of a graph when every value is to have a buffer. */
export function allNodes(outputs: readonly Tensor[]): readonly Tensor[] {
  const made = ancestors(outputs).filter((t) => t.op !== 'input' && t.op !== 'constant');
  return made.length ? made : outputs;
}

/** A recipe's function, with v and u as further arguments: values, then Jv and Jᵀu of f32 ones. */
function functionOf(recipe: Recipe): Pick<Problem, 'specs' | 'f' | 'split'> {
  const { wanted, outputs } = build(recipe);
  const values = (...xs: Tensor[]) => [...build(recipe, xs).outputs];
  const isFloat = (t: { dtype: string }) => t.dtype === 'f32';
  const floats = outputs.filter(isFloat);
  const args = wanted.flatMap((w, i) => (isFloat(w) ? [i] : []));
  if (recipe.derivative === 'none' || !floats.length || !args.length) {
    return { specs: wanted, f: values, split: -1 };
  }
  const lead = recipe.derivative === 'batch' ? [3] : [];
  const more = (t: { shape: readonly number[] }): FuzzInput => ({
    shape: [...lead, ...t.shape],
    dtype: 'f32',
  });
  const f = (...xs: Tensor[]) => {
    const own = xs.slice(0, wanted.length);
    const vs = xs.slice(wanted.length, wanted.length + args.length);
    const us = xs.slice(wanted.length + args.length);
    const at = (ts: Tensor[]) =>
      build(
        recipe,
        own.map((x, i) => ts[args.indexOf(i)] ?? x),
      ).outputs.filter(isFloat);
    const linear = linearize(
      at,
      args.map((i) => own[i]!),
    );
    return [...linear.value, ...linear.apply(vs), ...linear.applyTranspose(us)[0]];
  };
  return {
    specs: [...wanted, ...args.map((i) => more(wanted[i]!)), ...floats.map(more)],
    f,
    split: floats.length,
  };
}

let last: { key: string; problem: Problem } | undefined;

/** The problem of a recipe; the same for neighbors that differ in their values alone. */
function problemOf(recipe: Recipe): Problem {
  const key = JSON.stringify({ ...recipe, values: 0, style: 0 });
  if (last?.key === key) return last.problem;
  const made = functionOf(recipe);
  const inputs = made.specs.map(({ shape, dtype }, i) => input(`${i}`, shape, dtype));
  const problem = { ...made, inputs, outputs: made.f(...inputs) };
  last = { key, problem };
  return problem;
}

const SPECIAL = [
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 3.4028234663852886e38, -3.4028234663852886e38,
  2 ** -126, 2 ** -130, -(2 ** -149), 1e30, -1e30, 1e-30, 1e20, 3e38, 88, -104, 16777216, 0.5,
]; // biome-ignore format: a list

/** Numbers of an input, which float32 holds exactly. */
function valuesFor({ shape, dtype, below }: FuzzInput, seed: number, style: Style): Float64Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const [unit, other] = [numbers(size, seed, 0, 1), numbers(size, seed + 7919, 0, 1)];
  if (dtype === 'u8') return unit.map((u) => Math.floor(256 * u));
  if (isInteger(dtype)) {
    // Of i32, as far below 0 as above, but of indices.
    const least = dtype === 'u32' ? 0 : below === undefined ? -0.5 : -0.2;
    const wild = style === 'wide' || style === 'special';
    const most = (i: number) => below ?? (wild && other[i]! < 0.3 ? 2 ** 32 - 256 : 9);
    return unit.map((u, i) => Math.floor(most(i) * (least + u * (below === undefined ? 1 : 1 - least))));
  }
  const special = (i: number) => SPECIAL[Math.floor(SPECIAL.length * unit[i]!)]!;
  switch (style) {
    case 'moderate':
      return unit.map((u) => Math.fround(4 * u - 2));
    case 'lattice':
      return unit.map((u) => (Math.floor(9 * u) - 4) / 2);
    case 'positive':
      return unit.map((u) => Math.fround(0.1 + 3 * u));
    case 'wide':
      return unit.map((u, i) => Math.fround((2 * u - 1) * 2 ** (80 * other[i]! - 40)));
    case 'special':
      return unit.map((u, i) => (other[i]! < 0.12 ? Math.fround(special(i)) : Math.fround(4 * u - 2)));
  }
}

/** Carries out a recipe in float64, with bounds. */
export function prepare(recipe: Recipe): Case {
  const problem = problemOf(recipe);
  const { specs, outputs, split } = problem;
  const values = specs.map((spec, i) => valuesFor(spec, recipe.values + 1000 * i, styleOf(recipe, i)));
  const known = boundedValues(problem, values);
  const bounds = outputs.map((t) => known.get(t)!);
  return {
    recipe,
    problem,
    values,
    outputs: bounds,
    nodes: allNodes(outputs).map((t) => known.get(t)!),
    difference: split < 0 ? undefined : innerProducts(bounds, specs, values, split),
  };
}

/** ⟨u, Jv⟩ − ⟨Jᵀu, v⟩ in float64, and how far rounding may take it from 0. */
function innerProducts(
  outputs: readonly Bounded[],
  specs: readonly FuzzInput[],
  values: readonly Float64Array[],
  split: number,
) {
  const [vs, us] = [outputs.length - 2 * split, split];
  const tangents = values.slice(specs.length - us - vs, specs.length - us);
  const cotangents = values.slice(specs.length - us);
  let [value, bound] = [0, 0];
  const addUp = (xs: readonly Bounded[], ys: readonly Float64Array[], sign: number) =>
    xs.forEach(({ data, error }, j) => {
      data.forEach((x, i) => {
        value += sign * x * ys[j]![i]!;
        // Rounding in float64 is 2²⁹ times as fine; sums may take many terms.
        bound += Math.abs(ys[j]![i]!) * (1e-6 * error[i]! + 1e-12 * Math.abs(x));
      });
    });
  addUp(outputs.slice(split, 2 * split), cotangents, 1);
  addUp(outputs.slice(2 * split), tangents, -1);
  return { value, bound };
}
