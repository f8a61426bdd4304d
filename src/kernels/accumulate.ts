import { SCALARS, type Scalar } from './fused.ts';
import { extreme } from './special.ts';
import type { Shared } from './team.ts';

/**
 * `moments` yields the four fields of {@link momentsOf} for each stretch, as four results; `merged` is the
 * variance of the union of such stretches, from four results of the body.
 */
export type ReduceKind = 'sum' | 'mean' | 'max' | 'prod' | 'variance' | 'moments' | 'merged';

/** Terms per sum, sums per sum of sums, and so on: the error grows with the logarithm of their number. */
export const BLOCK = 32;
/** Elements per block of moments: the smaller, the less an outlier at the start of a block costs. */
export const MOMENTS_BLOCK = 16;
/** Scalar types of floats and of their bits. */
const ALONE = ['f32', 'u32'] as const;

/**
 * Counts, means and sums of squared deviations of several stretches, and their union (Chan, Golub & LeVeque,
 * 1979). A mean is kept as one of the elements plus a difference, which is no larger than their spread: so
 * nothing cancels, whatever the order of the elements and however far they are from zero.
 */
const momentsOf = (struct: string, type: string) => `
struct ${struct} { shift: ${type}, mean: ${type}, squares: ${type}, count: f32 }
fn united${struct}(a: ${struct}, b: ${struct}) -> ${struct} {
  let count = a.count + b.count;
  let share = b.count / max(count, 1.0);
  let shift = select(a.shift, b.shift, a.count == 0.0);
  let d = (b.shift - shift) + (b.mean - a.mean);
  return ${struct}(shift, a.mean + d * share, a.squares + b.squares + d * d * (a.count * share), count);
}`;

/** The union of the four equally long stretches in the components of vectors. */
const ACROSS_WGSL = `
fn across(m: Moments) -> Total {
  let means = (m.shift - m.shift.x) + m.mean;
  let mean = dot(means, F(0.25));
  let d = means - mean;
  return Total(m.shift.x, mean, dot(m.squares, F(1.0)) + m.count * dot(d, d), 4.0 * m.count);
}`;

/** The union with the stretch of lane XOR `mask`, the lower lane's first. */
const withPeerWgsl = (struct: string) => {
  const each = (value: (field: string) => string) =>
    `${struct}(${['shift', 'mean', 'squares', 'count'].map(value).join(', ')})`;
  return `
fn withPeer(m: ${struct}, mask: u32, upper: bool) -> ${struct} {
  let peer = ${each((field) => `subgroupShuffleXor(m.${field}, mask)`)};
  return united${struct}(${each((field) => `select(m.${field}, peer.${field}, upper)`)}, ${each((field) => `select(peer.${field}, m.${field}, upper)`)});
}`;
};

/** WGSL that moments need, to unite vectors `across` their components at the end, and to use shuffles. */
export const momentsWgsl = (across: boolean, shuffles: boolean): string =>
  `${momentsOf('Moments', 'F')}${across ? momentsOf('Total', 'f32') + ACROSS_WGSL : ''}${shuffles ? withPeerWgsl(across ? 'Total' : 'Moments') : ''}`;

/** How a reduction proceeds: a running value for each level of blocks, and variables of the innermost. */
export interface Accumulator {
  name: string;
  dtype: Scalar;
  type: 'F' | 'U' | 'I' | 'Moments';
  start: string;
  join: (a: string, b: string, types?: readonly [string, string]) => string;
  /** Variables of a block, each with its start and its update by an element; `block` is its value. */
  variables: readonly (readonly [name: string, start: string, next: string])[];
  block: string;
  /** The neutral value for elements missing at the end, where several are loaded at once. */
  idle: readonly [element: string, value: string];
}

/** The smallest number of each type: WGSL has no literal for −∞. */
const LOWEST = { f32: 'F(bitcast<f32>(params.lowest))', i32: 'I(-2147483648)', u32: 'U()', bool: 'U()' };

/** Reduction `i` of the element `y`, or of four of them. */
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
    const variables = [[block, start, join(block, y!)]] as const;
    return { name, dtype, type, start, join, variables, block, idle: [y!, start] };
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
    join: (a: string, b: string) => `unitedMoments(${a}, ${b})`,
  } as const;
  if (kind === 'merged') {
    const next = `unitedMoments(b${i}, Moments(${[y, ...more].join(', ')}))`;
    const variables = [[`b${i}`, 'Moments()', next]] as const;
    return { ...moments, variables, block: `b${i}`, idle: [more.at(-1)!, 'F(0.0)'] };
  }
  // Sums of x − x₀ and its square, x₀ being the first of the block's n elements: Σ(x − x₀)² is at most n
  // times the sum of squared deviations.
  const d = `(${y} - shift${i})`;
  return {
    ...moments,
    variables: [
      [`sum${i}`, 'F(0.0)', `sum${i} + ${d}`],
      [`squares${i}`, 'F(0.0)', `squares${i} + ${d} * ${d}`],
    ],
    block: `Moments(shift${i}, sum${i} * share, squares${i} - sum${i} * (sum${i} * share), count)`,
    idle: [y!, `shift${i}`],
  };
}

/** Nested loops, outermost first, over `count` elements in steps of `unit`: blocks of `first`, and so on. */
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

/** A thread's total `{name}` (over four neighbors if `across`), with its type and how lanes join theirs. */
export function totalOf(
  { name, dtype, type, join }: Accumulator,
  across: boolean,
): Shared & { readonly type: string; readonly value: string } {
  const mailbox = `all_${name}`;
  if (type === 'Moments') {
    const [own, value] = across ? ['Total', `across(${name}_0)`] : ['Moments', `${name}_0`];
    return {
      ...{ name, mailbox, type: own, value, long: true },
      join: (a, b) => `united${own}(${a}, ${b})`,
      withPeer: (mask) => `${name} = withPeer(${name}, ${mask}u, (lane & ${mask}u) != 0u);`,
    };
  }
  const one = (a: string, b: string) => (across ? `(${join(a, b, ALONE)})` : join(a, b));
  const part = (field: string) => `${name}_0.${field}`;
  return {
    ...{ name, mailbox, type: across ? SCALARS[dtype].stored : type, join: one },
    value: across ? one(one(part('x'), part('y')), one(part('z'), part('w'))) : `${name}_0`,
    // max(+0, −0) may be either, so all lanes take the lower lane's value first.
    withPeer: (
      mask,
    ) => `{ let peer = subgroupShuffleXor(${name}, ${mask}u); let upper = (lane & ${mask}u) != 0u;
    let low = select(${name}, peer, upper); let high = select(peer, ${name}, upper); ${name} = ${one('low', 'high')}; }`,
  };
}
