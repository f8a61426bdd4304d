import fc from 'fast-check';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { Builder, type FuzzInput } from './builder.ts';
import { type Choices, DRAWN, type Make, STEPS } from './steps.ts';

/**
 * A random graph as plain data, which fast-check can shrink. Whatever steps are left out, the rest is a
 * valid graph: a step takes what operands there are, and asks for a new input where none fits.
 */
export interface Recipe {
  readonly steps: readonly Step[];
  /** Whether the sides of axes are multiples of four. They are part of the structure: kernels differ. */
  readonly fours: number;
  /** Which of the last values are outputs. */
  readonly results: number;
  /** Beside the values also Jv and Jᵀu, of one tangent and cotangent or of several at once. */
  readonly derivative: 'none' | 'single' | 'batch';
  /** Whether literals and inputs may be anything that float32 has, or are harmless. */
  readonly extreme: boolean;
  /** Three sides of which shapes are made. */
  readonly sides: readonly [number, number, number];
  /** Seed and styles of the inputs' values. */
  readonly values: number;
  readonly style: number;
}
interface Step extends Choices {
  readonly op: keyof typeof STEPS;
}

/** A recipe carried out. */
export interface Built {
  readonly inputs: readonly Tensor<'input'>[];
  readonly wanted: readonly FuzzInput[];
  readonly outputs: readonly Tensor[];
}
/** The structure of a graph. */
const structure = {
  steps: fc.array(
    fc.record({
      op: fc.constantFrom(...DRAWN),
      at: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5)),
      n: fc.nat(8191),
    }),
    { minLength: 1, maxLength: 6, size: 'max' },
  ),
  fours: fc.nat(7),
  results: fc.nat(7),
  derivative: fc.constantFrom<Recipe['derivative']>('none', 'none', 'none', 'single', 'batch'),
  extreme: fc.boolean(),
};
/** Sizes for a structure: kernels stay the same, by and large. */
const sizes = { sides: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)) };
/** Values for a structure. */
const contents = { values: fc.nat(2 ** 31 - 1), style: fc.nat(24) };

export const recipes: fc.Arbitrary<Recipe> = fc.record({ ...structure, ...sizes, ...contents });

/** Sides that are all different, so that which of them fit together does not depend on their sizes. */
function sidesOf({ sides, fours }: Recipe): number[] {
  const all: number[] = [];
  sides.forEach((n, i) => {
    const four = (fours >> i) & 1;
    // One in fifty is so long that sums are split.
    let side = four ? 4 * (1 + (n % 4)) : [2, 3, 5, 6, 7, 9, 10, 11][n % 8]!;
    if (i === 0 && n >= 98) side = four ? 4400 + 4 * n : 4111 + 2 * n;
    while (all.includes(side)) side += four ? 4 : 1;
    while (!four && side % 4 === 0) side++;
    all.push(side);
  });
  return all;
}

/** Kinds of numbers; the first three are harmless. */
export const STYLES = ['moderate', 'lattice', 'positive', 'wide', 'special'] as const;
export type Style = (typeof STYLES)[number];

/** The style of an input: one of two. */
export const styleOf = ({ style, extreme }: Recipe, i: number): Style => {
  const n = extreme ? STYLES.length : 3;
  return STYLES[(i % 2 ? style : Math.floor(style / n)) % n]!;
};

/** Carries a recipe out: with the given tensors for its inputs, or with new ones. */
export function build(recipe: Recipe, given?: readonly Tensor[]): Built {
  const { extreme, derivative } = recipe;
  const b = new Builder({ sides: sidesOf(recipe), extreme, differentiated: derivative !== 'none' }, given);
  for (const step of recipe.steps) {
    const made = (STEPS[step.op] as Make)(b, step);
    b.pool.push(...(Array.isArray(made) ? made : [made as Tensor]));
  }
  const last = b.pool.slice(-4).reverse();
  const chosen = last.filter((_, i) => i === 0 || (recipe.results >> (i - 1)) & 1);
  const outputs = chosen.filter((t) => t.dtype !== 'u8');
  return {
    inputs: b.inputs as Tensor<'input'>[],
    wanted: b.wanted,
    outputs: outputs.length ? outputs : [b.float(0)],
  };
}

/** How graphs are drawn. */
export interface Draw {
  readonly seed: number;
  /** Graphs in a row with the same structure, and of those with the same sizes, to compile fewer kernels. */
  readonly perStructure: number;
  readonly perSize: number;
  /** Whether none is extreme. */
  readonly harmless?: boolean;
}

/** Graph number `i` of a draw. */
export function recipeAt(i: number, { seed, perStructure, perSize, harmless = false }: Draw): Recipe {
  const drawn = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, kind: number, number: number): T => {
    const own = (Math.imul(seed, 0x9e3779b9) + Math.imul(kind, 0x85ebca6b) + number) | 0;
    return fc.sample(fc.record(model), { seed: own, numRuns: 1 })[0] as T;
  };
  const recipe = {
    ...drawn(structure, 1, Math.floor(i / perStructure)),
    ...drawn(sizes, 2, Math.floor(i / perSize)),
    ...drawn(contents, 3, i),
  };
  return harmless ? { ...recipe, extreme: false } : recipe;
}
