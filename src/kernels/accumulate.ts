import { SCALARS, type Scalar } from './fused.ts';
import { extreme } from './special.ts';
import type { Shared } from './team.ts';

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
const ALONE = ['f32', 'u32'] as const;

/**
 * Numbers of elements, means and sums of squared deviations from the means, of several stretches, and their union (Chan,
 * Golub & LeVeque, 1979). A mean is kept as one of the elements and the difference to it, which is no larger than the
 * spread of them all: so nothing cancels, whatever the order of the elements and however far they are from zero.
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

/** The union of the four stretches, of one length, that the parts of vectors make. */
const ACROSS_WGSL = `
fn across(m: Moments) -> Total {
  let means = (m.shift - m.shift.x) + m.mean;
  let mean = dot(means, F(0.25));
  let d = means - mean;
  return Total(m.shift.x, mean, dot(m.squares, F(1.0)) + m.count * dot(d, d), 4.0 * m.count);
}`;

/** The union with the stretch of the lane whose number differs in the bits of `mask`, the lower lane's first. */
const withPeerWgsl = (struct: string) => {
  const each = (value: (field: string) => string) =>
    `${struct}(${['shift', 'mean', 'squares', 'count'].map(value).join(', ')})`;
  return `
fn withPeer(m: ${struct}, mask: u32, upper: bool) -> ${struct} {
  let peer = ${each((field) => `subgroupShuffleXor(m.${field}, mask)`)};
  return united${struct}(${each((field) => `select(m.${field}, peer.${field}, upper)`)}, ${each((field) => `select(peer.${field}, m.${field}, upper)`)});
}`;
};

/** What moments need: of vectors whose parts become one at the end, where they are `across`; with shuffles, or without. */
export const momentsWgsl = (across: boolean, shuffles: boolean): string =>
  `${momentsOf('Moments', 'F')}${across ? momentsOf('Total', 'f32') + ACROSS_WGSL : ''}${shuffles ? withPeerWgsl(across ? 'Total' : 'Moments') : ''}`;

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
  /** What stands for an element that is not there: it changes nothing. For the last of those that come at once. */
  idle: readonly [element: string, value: string];
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
    idle: [y!, `shift${i}`],
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

/** What a thread's loops come to, `{name}`, of one value where they had four neighbours of it: with its type and how lanes join theirs. */
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
    // The larger of zeros of both signs may be the first or the second.
    withPeer: (
      mask,
    ) => `{ let peer = subgroupShuffleXor(${name}, ${mask}u); let upper = (lane & ${mask}u) != 0u;
    let low = select(${name}, peer, upper); let high = select(peer, ${name}, upper); ${name} = ${one('low', 'high')}; }`,
  };
}
