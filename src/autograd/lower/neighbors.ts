import { coalesce, vectorizable } from '../../kernels/fused.ts';
import { bytesOf, type Shape, sameShape, sizeOf, type Tensor } from '../tensor.ts';
import { aliasRoot, type Expression, expressionOf } from './expression.ts';
import type { Fusion } from './fusion.ts';
import type { Group } from './groups.ts';
import { readsInOrder } from './in-place.ts';

/** Elements up to which a kernel of pointwise operations costs little more than its dispatch. */
const SMALL = 2 ** 18;
/** Bytes up to which a value can wait in its buffer for what reads it. */
const MOST_WAITING = 2 ** 20;
/** Operations of one kernel. */
const MOST_OPERATIONS = 64;

/**
 * Joins small groups over one space, none of which needs another: layouts of all weights, parts of their
 * gradients. What only outputs need waits for others like it while little must be kept for it.
 */
export function withNeighbors(groups: readonly Group[], fusion: Fusion): readonly Group[] {
  const { replaced } = fusion;
  const originals = new Set<Tensor>(replaced.values());
  const maker = new Map(groups.flatMap((group) => group.nodes.map((node) => [node, group] as const)));
  const early = new Map<Group, number>();
  const most = (reads: readonly Tensor[], levels: ReadonlyMap<Group, number>) =>
    reads.reduce((level, t) => Math.max(level, levels.get(maker.get(t)!) ?? 0), 0);
  for (const group of groups) early.set(group, 1 + most(group.reads, early));

  // Levels counted back from the end, for groups whose readers all have one.
  const late = new Map<Group, number>();
  const readers = new Map<Group, Group[]>(groups.map((group) => [group, []]));
  for (const group of groups) for (const t of group.reads) readers.get(maker.get(t)!)?.push(group);
  const free = ({ kind, nodes, reads }: Group) =>
    (kind === 'pointwise' || kind === 'reduce') &&
    !nodes.some((t) => replaced.has(t)) &&
    !reads.some((t) => originals.has(t));
  for (const group of groups.toReversed()) {
    const after = readers.get(group)!;
    const waits = group.reads.every((t) => bytesOf(t) <= MOST_WAITING || t.op === 'input');
    if (free(group) && waits && after.every((reader) => late.has(reader)))
      late.set(
        group,
        after.reduce((level, reader) => Math.min(level, late.get(reader)! - 1), 0),
      );
  }
  const place = (group: Group) =>
    late.has(group) ? 2 * groups.length + late.get(group)! : early.get(group)!;

  const found = new Map<string, Group>();
  groups.forEach((group, i) => {
    const { kind, nodes, expression, chain, staged } = group;
    const space = expression?.body.space ?? [];
    const small = space.reduce((a, b) => a * b, 1) <= SMALL;
    const level = place(group);
    const alone = chain || staged || !small || !free(group);
    const key = alone
      ? `${i}`
      : `${kind} ${space} ${kind === 'reduce' ? (nodes[0] as Tensor<'reduce'>).params.axes : ''} ${level}`;
    const other = found.get(key);
    const all = [...(other?.nodes ?? []), ...nodes];
    const joined = other && expressionOfAll(kind, all, space, fusion);
    // A group that is full makes room for the next of its kind.
    if (other && !joined) found.set(`full ${i}`, other);
    found.set(
      key,
      joined ? { kind, nodes: all, reads: joined.buffers, expression: joined, level } : { ...group, level },
    );
  });
  return [...found.values()].sort((a, b) => a.level - b.level);
}

/** What one kernel computes for several nodes; undefined if that is too much for one. */
function expressionOfAll(
  kind: Group['kind'],
  nodes: readonly Tensor[],
  space: Shape,
  { materialized, traits }: Fusion,
): Expression | undefined {
  const roots = kind === 'reduce' ? nodes.map((t) => t.inputs[0]!) : nodes;
  const joined = expressionOf(roots, space, (t) => materialized(t) && !nodes.includes(t), kind !== 'reduce');
  const fits =
    joined.operations <= MOST_OPERATIONS &&
    joined.buffers.length + nodes.length <= traits.maxStorageBuffersPerStage;
  return fits ? joined : undefined;
}

/**
 * Pointwise groups go on in the kernel of an earlier one: those that read its values where they are
 * computed, as parameters read momenta, and small ones over the same space. Either may replace inputs. Then
 * single elements are computed beside something else that is small.
 */
export function withFollowers(groups: readonly Group[], fusion: Fusion): readonly Group[] {
  return followed(followed(groups, fusion, false), fusion, true);
}

function followed(groups: readonly Group[], fusion: Fusion, ofOne: boolean): readonly Group[] {
  const { replaced } = fusion;
  const readers = new Map<Tensor, Group[]>([...replaced.values()].map((t) => [t, []]));
  for (const group of groups) for (const t of group.reads) readers.get(t)?.push(group);
  const found: { group: Group; readonly parts: Group[] }[] = [];
  const places = new Map<Tensor, number>();
  /** Position of the last group over each space, for others to follow. */
  const last = new Map<string, number>();
  const spaceOf = ({ expression }: Group) => expression!.body.space;
  const outputs = new Set(fusion.outputs.map(aliasRoot));

  const follow = (at: number, next: Group): Group | undefined => {
    const { group, parts } = found[at]!;
    if (group.kind !== 'pointwise' || next.reads.some((t) => (places.get(t) ?? -1) > at)) return undefined;
    const [own, others] = [spaceOf(next), spaceOf(group)];
    const [size, before] = [sizeOf(own), sizeOf(others)];
    const chained = group.nodes.filter((t) => next.reads.includes(t));
    const wide = ({ body }: Expression) => vectorizable(body, coalesce(body));
    const alike =
      sameShape(own, others) &&
      wide(next.expression!) === wide(group.expression!) &&
      chained.every((t) => t.size === size && readsInOrder(t, t, next.expression!));
    const single = ofOne && (size === 1 || before === 1);
    const fits = chained.length ? alike : Math.max(size, before) <= SMALL && (alike || single);
    if (!fits) return undefined;

    const space = size > before ? own : others;
    const nodes = [...group.nodes, ...next.nodes];
    const all = [...parts, next];
    const expression = expressionOfAll('pointwise', nodes, space, fusion);
    if (!expression) return undefined;
    const safe = nodes.every((node) => {
      const input = replaced.get(node);
      // What other workgroups read may be replaced already.
      const reader = (part: Group) => all.includes(part) && sizeOf(spaceOf(part)) === node.size;
      return !input || (readers.get(input)!.every(reader) && readsInOrder(node, input, expression));
    });
    // What a third group replaces decides the order of both.
    const foreign = (t: Tensor) => readers.has(t) && !nodes.some((node) => replaced.get(node) === t);
    // Outputs may be views of one buffer, which no dispatch may both read and write.
    const mixed = expression.buffers.some((t) => outputs.has(t)) && nodes.some((t) => outputs.has(t));
    if (!safe || mixed || expression.buffers.some((t) => nodes.includes(t) || foreign(t))) return undefined;
    return { kind: 'pointwise', nodes, reads: expression.buffers, expression, level: group.level };
  };

  for (const group of groups) {
    let at = found.length;
    if (group.kind === 'pointwise') {
      const space = `${spaceOf(group)}`;
      const others = [space, sizeOf(spaceOf(group)) === 1 ? 'any' : '1'];
      const makers = group.reads.flatMap((t) => places.get(t) ?? []);
      for (const candidate of new Set([...makers, ...others.flatMap((other) => last.get(other) ?? [])])) {
        const joined = follow(candidate, group);
        if (!joined) continue;
        found[candidate] = { group: joined, parts: [...found[candidate]!.parts, group] };
        at = candidate;
        break;
      }
      for (const name of [space, 'any']) last.set(name, at);
    }
    if (at === found.length) found.push({ group, parts: [group] });
    for (const node of group.nodes) places.set(node, at);
  }
  return found.map(({ group }) => group);
}
