import { lanesOf } from '../../kernels/grid.ts';
import type { MatmulSpec } from '../../kernels/matmul.ts';
import { bytesToReduce, totalLeaf, totalName } from '../../kernels/reduce.ts';
import { STRIPE_VALUE, stripesOf } from '../../kernels/stripes.ts';
import { type Shape, sameShape, sizeOf, stridesOf, type Tensor } from '../tensor.ts';
import { aliasRoot, type Expression, expressionOf, isUnitReshape } from './expression.ts';
import type { Fusion } from './fusion.ts';
import type { Group } from './groups.ts';
import { afterOthers } from './in-place.ts';
import { layOutMatmul } from './product-spec.ts';

/** Most elements that one workgroup reduces and goes through again; more are shared by all cores. */
const MOST_REDUCED = 4096;
/** Results per lane of a software adapter, where one thread makes each: with fewer, cores would idle. */
const RESULTS_PER_LANE = 16;
/** A kernel of more operations would compile slowly. */
const MOST_OPERATIONS = 128;

/** Groups that became one, with where they were among all groups. */
interface Merged {
  readonly group: Group;
  readonly parts: ReadonlySet<Group>;
  /** The parts' lowest level: nothing at or below it depends on them. */
  readonly low: number;
}

/**
 * Joins reductions with what is made of their totals over one space: mean and variance with normalization,
 * terms of a softmax. A workgroup has all that it reduces, and goes on without another dispatch.
 */
export function inRounds(groups: readonly Group[], fusion: Fusion): readonly Group[] {
  const readers = new Map<Tensor, Group[]>();
  for (const group of groups) {
    for (const t of group.reads) readers.set(t, [...(readers.get(t) ?? []), group]);
  }
  const outputs = new Set(fusion.outputs.map(aliasRoot));
  const current = new Map<Tensor, Merged>();
  const merged = new Set<Merged>();

  /** Whether a group other than `to` that depends on it has to come before `group`. */
  const between = (to: Merged, group: Group): boolean => {
    const seen = new Set<Merged>([to]);
    const open = group.reads.flatMap((t) => current.get(t) ?? []).filter((maker) => maker !== to);
    for (let next = open.pop(); next; next = open.pop()) {
      if (seen.has(next) || next.group.level <= to.low) continue;
      seen.add(next);
      const makers = next.group.reads.flatMap((t) => current.get(t) ?? []);
      if (makers.includes(to)) return true;
      open.push(...makers);
    }
    return false;
  };
  const needed = (t: Tensor, parts: ReadonlySet<Group>) =>
    outputs.has(t) || (readers.get(t)?.some((reader) => !parts.has(reader)) ?? false);

  for (const group of groups) {
    const makers = [...new Set(group.reads.flatMap((t) => current.get(t) ?? []))];
    const before = makers
      .filter((maker) => canReduceOn(maker.group, fusion))
      .sort((a, b) => b.group.level - a.group.level);
    let own: Merged = { group, parts: new Set([group]), low: group.level };
    for (const to of before) {
      const parts = new Set([...to.parts, group]);
      const together = !between(to, group) && join(to.group, group, (t) => needed(t, parts), fusion);
      if (!together) continue;
      merged.delete(to);
      own = { group: together, parts, low: to.low };
      break;
    }
    merged.add(own);
    for (const part of own.parts) for (const node of part.nodes) current.set(node, own);
  }
  for (const last of [...merged]) {
    if (!last.group.rounds) continue;
    for (const to of new Set(last.group.reads.flatMap((t) => current.get(t) ?? []))) {
      const parts = new Set([...to.parts, ...last.parts]);
      const group =
        to.group.kind === 'kernel' &&
        !between(to, last.group) &&
        withProduct(to.group, last.group, (t) => needed(t, parts), fusion);
      if (!group) continue;
      const own = { group, parts, low: to.low };
      merged.delete(to);
      merged.delete(last);
      merged.add(own);
      for (const part of parts) for (const node of part.nodes) current.set(node, own);
      break;
    }
  }
  if (merged.size === groups.length) return groups;
  const maker = new Map(
    [...merged].flatMap(({ group }) => group.nodes.map((node) => [node, group] as const)),
  );
  return afterOthers(
    [...merged].map(({ group }) => group),
    ({ reads }) => reads.flatMap((t) => maker.get(t) ?? []),
  );
}

/** Whether one workgroup can make each reduction of a group, all cores have work and nothing is replaced. */
function canReduceOn(
  { kind, nodes, reads, expression, rounds }: Group,
  { traits, replaced }: Fusion,
): boolean {
  if (kind !== 'reduce') return false;
  const [first] = rounds?.reductions ?? nodes;
  const results = first!.size;
  const enough = traits.kind === 'hardware' || results >= RESULTS_PER_LANE * lanesOf(traits);
  const originals = [...replaced.values()];
  return (
    enough &&
    sizeOf(expression!.body.space) / results <= MOST_REDUCED &&
    !nodes.some((node) => replaced.has(node)) &&
    !reads.some((t) => originals.includes(t))
  );
}

/** Two groups as one, or undefined if no kernel can compute both; `needed` tells what others read. */
function join(
  first: Group,
  second: Group,
  needed: (t: Tensor) => boolean,
  fusion: Fusion,
): Group | undefined {
  if ((second.kind !== 'reduce' && second.kind !== 'pointwise') || second.rounds) return undefined;
  const isReduce = (t: Tensor): t is Tensor<'reduce'> => t.op === 'reduce';
  const earlier = first.rounds?.reductions ?? first.nodes.filter(isReduce);
  const [like] = earlier as [Tensor<'reduce'>];
  const space = like.inputs[0]!.shape;
  const fits = (t: Tensor) =>
    isReduce(t)
      ? sameShape(t.inputs[0]!.shape, space) && sameShape(t.params.axes, like.params.axes)
      : [space, like.shape].some((shape) => isLike(t, shape));
  if (!second.nodes.every((t) => fits(t) && !fusion.replaced.has(t))) return undefined;

  const reductions = [...earlier, ...second.nodes.filter(isReduce)];
  const inside = [...(first.rounds?.inside ?? []), ...second.nodes.filter((t) => !isReduce(t))];
  return groupInRounds({ reductions, inside, level: second.level }, needed, fusion);
}

/** A product and its reductions as one group; undefined where no workgroup has all rows of some columns. */
function withProduct(
  made: Group,
  { level, reads, rounds }: Group,
  needed: (t: Tensor) => boolean,
  fusion: Fusion,
): Group | undefined {
  const [node] = made.nodes as [Tensor];
  const product = made.chain?.product ?? node;
  const [like] = rounds!.reductions as [Tensor<'reduce'>];
  const sides = like.inputs[0]!.shape.filter((side) => side > 1);
  const { replaced, traits } = fusion;
  if (!product.is('matmul') || traits.halfProducts || replaced.has(node) || !reads.includes(node))
    return undefined;
  const { spec } = layOutMatmul(product);
  const columns = like.shape.at(-1) === spec.n && like.size === spec.n;
  const kinds = rounds!.reductions.map(({ params }) => params.kind);
  if (!columns || !sameShape(sides, [spec.m, spec.n]) || !stripesOf(spec, bytesToReduce(kinds), traits))
    return undefined;
  if ([...replaced.values()].some((t) => made.reads.includes(t))) return undefined;
  const inside = [...(made.chain ? [node] : []), ...rounds!.inside];
  return groupInRounds({ reductions: rounds!.reductions, inside, level, product, spec }, needed, fusion);
}

interface Parts {
  readonly reductions: readonly Tensor<'reduce'>[];
  readonly inside: readonly Tensor[];
  readonly level: number;
  readonly product?: Tensor<'matmul'>;
  readonly spec?: MatmulSpec;
}

function groupInRounds(
  { reductions, inside, level, product, spec }: Parts,
  needed: (t: Tensor) => boolean,
  { materialized, traits }: Fusion,
): Group | undefined {
  const [like] = reductions as [Tensor<'reduce'>];
  const space = like.inputs[0]!.shape;
  const further = [...(product ? [product] : []), ...inside].filter(needed);
  const roots = [...reductions.map((t) => t.inputs[0]!), ...further];
  const computed = new Set(inside);
  const atHand = (t: Tensor) => behind(t) === product || (materialized(t) && !computed.has(behind(t)));
  const whole = expressionOf(roots, space, atHand, false);
  if (whole.operations > MOST_OPERATIONS) return undefined;
  const expression = withTotals(whole, reductions, product);
  if (!expression || expression.buffers.some((t) => computed.has(t))) return undefined;
  const operands = product?.inputs.map(aliasRoot) ?? [];
  const stored = reductions.map(needed);
  const nodes = [...reductions.filter((_, i) => stored[i]), ...further];
  if (operands.length + expression.buffers.length + nodes.length > traits.maxStorageBuffersPerStage)
    return undefined;
  const each = further.map((t) => isLike(t, space));
  const order = orderOf(expression, reductions.length);
  const rounds = { reductions, inside, order, stored, each, operands, ...(spec && { product: spec }) };
  const reads = [...new Set([...operands, ...expression.buffers])];
  return { kind: 'reduce', level, nodes, reads, expression, rounds };
}

/** The tensor behind reshapes that only add or drop axes of size 1. */
function behind(t: Tensor): Tensor {
  let root = t;
  while (isUnitReshape(root)) root = root.inputs[0]!;
  return root;
}

/** Whether a tensor has a shape, up to leading axes of size 1. */
function isLike(t: Tensor, shape: readonly number[]): boolean {
  const sides = (all: readonly number[]) =>
    all.slice(
      Math.max(
        0,
        all.findIndex((side) => side !== 1),
      ),
    );
  return t.size === sizeOf(shape) && (t.size === 1 || sameShape(sides(t.shape), sides(shape)));
}

/** An expression that takes totals and product elements at hand; undefined where one is read elsewhere. */
function withTotals(
  { body, buffers, operations }: Expression,
  reductions: readonly Tensor<'reduce'>[],
  product?: Tensor,
): Expression | undefined {
  const [like] = reductions as [Tensor<'reduce'>];
  const dense = (shape: Shape) => stridesOf(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  const [kept, all] = [dense(like.shape), dense(like.inputs[0]!.shape)];
  const outside: Tensor[] = [];
  let read = 0;
  let aligned = true;
  const leaves = body.leaves.map((leaf) => {
    if (leaf.source !== 'buffer') return leaf;
    const buffer = buffers[read++]!;
    const i = reductions.indexOf(buffer as Tensor<'reduce'>);
    if (i < 0 && buffer !== product) {
      outside.push(buffer);
      return leaf;
    }
    aligned &&= !leaf.start && sameShape(leaf.strides, i < 0 ? all : kept);
    return i < 0
      ? { ...leaf, source: 'value' as const, name: STRIPE_VALUE }
      : totalLeaf(i, leaf.dtype, like.rank);
  });
  return aligned ? { body: { ...body, leaves }, buffers: outside, operations } : undefined;
}

/** The round of each reduction: behind those whose totals it needs. */
function orderOf({ body }: Expression, count: number): number[] {
  const order: number[] = [];
  const roundOf = new Map<string, number>();
  const totals = Array.from({ length: count }, (_, i) => totalName(i));
  const after = (names: readonly string[]) => Math.max(0, ...names.map((name) => roundOf.get(name) ?? 0));
  for (let i = 0; i < count; i++) {
    // Earlier ones have their rounds already, as each joined after what it reads.
    body.leaves.forEach(({ source, name }, j) => {
      if (source === 'value' && name !== STRIPE_VALUE)
        roundOf.set(`x${j}`, 1 + (order[totals.indexOf(name!)] ?? 0));
    });
    for (const { name, uses } of body.lines) roundOf.set(name, after(uses));
    order.push(after([body.results[i]!.expression]));
  }
  return order;
}
