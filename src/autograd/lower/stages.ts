import { totalLeaf } from '../../kernels/reduce.ts';
import { sameShape, sizeOf, stridesOf, type Tensor } from '../tensor.ts';
import { aliasRoot, type Expression, expressionOf, isUnitReshape } from './expression.ts';
import type { Fusion } from './fusion.ts';
import type { Group } from './groups.ts';
import { afterOthers } from './in-place.ts';

/** Elements that one workgroup reduces and goes through again: of more, all cores should have their part. */
const MOST_REDUCED = 4096;
/** Results for each lane of a software adapter, where a thread goes through all that it reduces: else cores would idle. */
const RESULTS_PER_LANE = 16;
/** A kernel of more operations would compile slowly. */
const MOST_OPERATIONS = 128;

/** Groups that became one, with where they were among all groups. */
interface Merged {
  readonly group: Group;
  readonly parts: ReadonlySet<Group>;
  /** The lowest of the parts' levels: what is no higher does not depend on them. */
  readonly low: number;
}

/**
 * Puts reductions and what is made of their totals together, where both run through one space: the mean and variance of a batch
 * with its normalization, the terms of a softmax. Each workgroup has all elements of what it reduces, so that it goes on where else another
 * dispatch would have to wait.
 */
export function inStages(groups: readonly Group[], fusion: Fusion): readonly Group[] {
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
  const wanted = (t: Tensor, parts: ReadonlySet<Group>) =>
    outputs.has(t) || (readers.get(t)?.some((reader) => !parts.has(reader)) ?? false);

  for (const group of groups) {
    const makers = [...new Set(group.reads.flatMap((t) => current.get(t) ?? []))];
    const before = makers
      .filter((maker) => canReduceOn(maker.group, fusion))
      .sort((a, b) => b.group.level - a.group.level);
    let own: Merged = { group, parts: new Set([group]), low: group.level };
    for (const to of before) {
      const parts = new Set([...to.parts, group]);
      const together = !between(to, group) && join(to.group, group, (t) => wanted(t, parts), fusion);
      if (!together) continue;
      merged.delete(to);
      own = { group: together, parts, low: to.low };
      break;
    }
    merged.add(own);
    for (const part of own.parts) for (const node of part.nodes) current.set(node, own);
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

/** Whether a group is of reductions each of which one workgroup makes, with work for all cores; and is bound to no place by what is replaced. */
function canReduceOn(
  { kind, nodes, reads, expression, staged }: Group,
  { traits, replaced }: Fusion,
): boolean {
  if (kind !== 'reduce') return false;
  const [first] = staged?.reductions ?? nodes;
  const results = first!.size;
  const enough = traits.kind === 'hardware' || results >= RESULTS_PER_LANE * Math.max(traits.subgroupSize, 4);
  const originals = [...replaced.values()];
  return (
    enough &&
    sizeOf(expression!.body.space) / results <= MOST_REDUCED &&
    !nodes.some((node) => replaced.has(node)) &&
    !reads.some((t) => originals.includes(t))
  );
}

/** Two groups as one, of which `wanted` says what others read; undefined where one kernel cannot compute both. */
function join(
  first: Group,
  second: Group,
  wanted: (t: Tensor) => boolean,
  { materialized, replaced, traits }: Fusion,
): Group | undefined {
  if ((second.kind !== 'reduce' && second.kind !== 'pointwise') || second.staged) return undefined;
  const isReduce = (t: Tensor): t is Tensor<'reduce'> => t.op === 'reduce';
  const earlier = first.staged?.reductions ?? first.nodes.filter(isReduce);
  const [like] = earlier as [Tensor<'reduce'>];
  const space = like.inputs[0]!.shape;
  const fits = (t: Tensor) =>
    isReduce(t)
      ? sameShape(t.inputs[0]!.shape, space) && sameShape(t.params.axes, like.params.axes)
      : [space, like.shape].some((shape) => isLike(t, shape));
  if (!second.nodes.every((t) => fits(t) && !replaced.has(t))) return undefined;

  const reductions = [...earlier, ...second.nodes.filter(isReduce)];
  const inside = [...(first.staged?.inside ?? []), ...second.nodes.filter((t) => !isReduce(t))];
  const further = inside.filter(wanted);
  const roots = [...reductions.map((t) => t.inputs[0]!), ...further];
  const computed = new Set(inside);
  const whole = expressionOf(roots, space, (t) => materialized(t) && !computed.has(behind(t)), false);
  if (whole.operations > MOST_OPERATIONS) return undefined;
  const expression = withTotals(whole, reductions, like.shape);
  if (!expression || expression.buffers.some((t) => computed.has(t))) return undefined;
  const stored = reductions.map(wanted);
  const nodes = [...reductions.filter((_, i) => stored[i]), ...further];
  if (expression.buffers.length + nodes.length > traits.maxStorageBuffersPerStage) return undefined;
  const each = further.map((t) => isLike(t, space));
  const order = orderOf(expression, reductions.length);
  const staged = { reductions, inside, order, stored, each };
  return { kind: 'reduce', level: second.level, nodes, reads: expression.buffers, expression, staged };
}

/** What kernels see in a tensor that may be another with more or fewer axes of size 1. */
function behind(t: Tensor): Tensor {
  let root = t;
  while (isUnitReshape(root)) root = root.inputs[0]!;
  return root;
}

/** Whether a tensor has a shape, whatever the number of leading axes of size 1. */
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

/** An expression whose leaves read totals at hand rather than buffers of them; undefined where one is read elsewhere than it is reduced. */
function withTotals(
  { body, buffers, operations }: Expression,
  reductions: readonly Tensor<'reduce'>[],
  kept: readonly number[],
): Expression | undefined {
  const strides = stridesOf(kept).map((stride, axis) => (kept[axis] === 1 ? 0 : stride));
  const outside: Tensor[] = [];
  let read = 0;
  let aligned = true;
  const leaves = body.leaves.map((leaf) => {
    if (leaf.source !== 'buffer') return leaf;
    const buffer = buffers[read++]!;
    const i = reductions.indexOf(buffer as Tensor<'reduce'>);
    if (i < 0) {
      outside.push(buffer);
      return leaf;
    }
    aligned &&= !leaf.start && sameShape(leaf.strides, strides);
    return totalLeaf(i, leaf.dtype, kept.length);
  });
  return aligned ? { body: { ...body, leaves }, buffers: outside, operations } : undefined;
}

/** The stage of each reduction: behind those whose totals it needs. */
function orderOf({ body }: Expression, count: number): number[] {
  const order: number[] = [];
  const stageOf = new Map<string, number>();
  const after = (names: readonly string[]) => Math.max(0, ...names.map((name) => stageOf.get(name) ?? 0));
  for (let i = 0; i < count; i++) {
    // Those that come first have been given their stages, as each joined behind what it reads.
    body.leaves.forEach(({ source, name }, j) => {
      if (source === 'value') stageOf.set(`x${j}`, 1 + (order[Number(name!.slice('total'.length))] ?? 0));
    });
    for (const { name, uses } of body.lines) stageOf.set(name, after(uses));
    order.push(after([body.results[i]!.expression]));
  }
  return order;
}
