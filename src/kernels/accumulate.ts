import { SCALARS, type Scalar } from './fused.ts';
import { extreme } from './special.ts';

/**
 * `moments` gives of each stretch what {@link MOMENTS_WGSL} keeps, in four results; `merged` is the variance of what such
 * stretches, four results of the body, are together.
 */
export type ReduceKind = 'sum' | 'mean' | 'max' | 'prod' | 'variance' | 'moments' | 'merged';

/**
 * Terms summed before they join a sum of such sums, which joins another after as many, and so on: the error grows with the
 * logarithm of their number.
 */
export const BLOCK = 32;
/** Elements of a block whose moments are taken: the fewer, the less an outlier that the others are compared with costs. */
export const MOMENTS_BLOCK = 16;
/** Types of floats and of their bits, by themselves. */
export const ALONE = ['f32', 'u32'] as const;

/**
 * Numbers of elements, means and sums of squared deviations from the means, of several stretches, and their union (Chan,
 * Golub & LeVeque, 1979). A mean is kept as one of the elements and the difference to it, which is no larger than the
 * spread of them all: so nothing cancels, whatever the order of the elements and however far they are from zero.
 */
export const MOMENTS_WGSL = `
struct Moments { shift: F, mean: F, squares: F, count: f32 }
fn united(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  let share = b.count / max(count, 1.0);
  let shift = select(a.shift, b.shift, a.count == 0.0);
  let d = (b.shift - shift) + (b.mean - a.mean);
  return Moments(shift, a.mean + d * share, a.squares + b.squares + d * d * (a.count * share), count);
}`;

/** The union of the four stretches, of one length, that the parts of vectors make. */
export const ACROSS_WGSL = `
struct Total { shift: f32, mean: f32, squares: f32, count: f32 }
fn across(m: Moments) -> Total {
  let means = (m.shift - m.shift.x) + m.mean;
  let mean = dot(means, F(0.25));
  let d = means - mean;
  return Total(m.shift.x, mean, dot(m.squares, F(1.0)) + m.count * dot(d, d), 4.0 * m.count);
}`;

/** How one reduction goes on: a running value of each level of blocks, and variables of the innermost. */
export interface Accumulator {
  name: string;
  dtype: Scalar;
  type: 'F' | 'U' | 'I' | 'Moments';
  start: string;
  join: (a: string, b: string, types?: readonly [string, string]) => string;
  /** In a block of elements: variables, each with its start and how an element changes it, and the block's value. */
  variables: readonly (readonly [name: string, start: string, next: string])[];
  block: string;
}

/** The smallest number of each type: WGSL has no literal of −∞. */
const LOWEST = { f32: 'F(bitcast<f32>(params.lowest))', i32: 'I(-2147483648)', u32: 'U()', bool: 'U()' };

/** Reduction `i`, whose element is `y`, or four of them, of a type. */
export function accumulator(
  kind: ReduceKind,
  dtype: Scalar,
  i: number,
  [y, ...more]: readonly string[],
): Accumulator {
  const name = `s${i}`;
  const type = SCALARS[dtype].value;
  const plain = (start: string, join: Accumulator['join']): Accumulator => {
    const block = `b${i}`;
    return { name, dtype, type, start, join, variables: [[block, start, join(block, y!)]], block };
  };
  if (kind === 'sum' || kind === 'mean') return plain(`${type}(0)`, (a, b) => `${a} + ${b}`);
  if (kind === 'prod') return plain(`${type}(1)`, (a, b) => `${a} * ${b}`);
  if (kind === 'max') {
    return plain(LOWEST[dtype], (a, b, types) =>
      dtype === 'f32' ? extreme('max', a, b, types) : `max(${a}, ${b})`,
    );
  }
  const moments = {
    name,
    dtype,
    type: 'Moments',
    start: 'Moments()',
    join: (a: string, b: string) => `united(${a}, ${b})`,
  } as const;
  if (kind === 'merged') {
    const next = `united(b${i}, Moments(${[y, ...more].join(', ')}))`;
    return { ...moments, variables: [[`b${i}`, 'Moments()', next]], block: `b${i}` };
  }
  // Sums of x − x₀ and its square, x₀ being the block's first element: Σ(x − x₀)² is at most so many times as large as the
  // sum of squared deviations as there are elements in the block.
  const d = `(${y} - shift${i})`;
  return {
    ...moments,
    variables: [
      [`sum${i}`, 'F(0.0)', `sum${i} + ${d}`],
      [`squares${i}`, 'F(0.0)', `squares${i} + ${d} * ${d}`],
    ],
    block: `Moments(shift${i}, sum${i} * share, squares${i} - sum${i} * (sum${i} * share), count)`,
  };
}

/** Loops, outermost first, over `count` elements in steps of `unit`, in blocks of `first`, in blocks of those, and so on. */
export function blocks(
  variable: string,
  from: string,
  to: string,
  unit: number,
  count: number,
  first: number,
  least: number,
): { variable: string; from: string; to: string; step: number }[] {
  const loops: ReturnType<typeof blocks> = [];
  let depth = least;
  while (first * BLOCK ** (depth - 1) < count) depth++;
  for (let level = depth - 1; level >= 0; level--) {
    const outer = loops.at(-1);
    loops.push({
      variable: level ? `${variable}${level}` : variable,
      from: outer?.variable ?? from,
      to: outer ? `min(${outer.variable} + ${outer.step}u, ${to})` : to,
      step: level ? unit * first * BLOCK ** (level - 1) : unit,
    });
  }
  return loops;
}

/** Adds up the rows of a workgroup pairwise; the first row ends with the totals. */
export function combineRows(running: readonly Accumulator[], rows: number, lanes: number): string {
  const each = (text: (a: Accumulator) => string) => running.map(text).join('\n      ');
  return `let slot = local.y * ${lanes}u + local.x;
  ${each(({ name }) => `all_${name}[slot] = ${name}_0;`)}
  for (var half = ${rows / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      ${each(({ name, join }) => `all_${name}[slot] = ${join(`all_${name}[slot]`, `all_${name}[slot + half * ${lanes}u]`)};`)}
    }
  }
  ${each(({ name }) => `${name}_0 = all_${name}[slot];`)}`;
}
