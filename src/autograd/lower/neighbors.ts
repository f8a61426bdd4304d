import { bytesOf, type Tensor } from '../tensor.ts';
import { expressionOf } from './expression.ts';
import type { Fusion } from './fusion.ts';
import type { Group } from './groups.ts';

/** Elements up to which a kernel of pointwise operations costs little more than its dispatch. */
const SMALL = 2 ** 18;
/** Bytes up to which a value can wait in its buffer for what reads it. */
const MOST_WAITING = 2 ** 20;
/** Operations of one kernel. */
const MOST_OPERATIONS = 64;

/**
 * Small pointwise groups over one space, none of which needs another, as one: layouts of all weights, parts of their gradients. What
 * only outputs need waits for others like it, as long as little has to be kept for it.
 */
export function withNeighbors(groups: readonly Group[], fusion: Fusion): readonly Group[] {
  const { materialized, replaced, traits } = fusion;
  const originals = new Set<Tensor>(replaced.values());
  const maker = new Map(groups.flatMap((group) => group.nodes.map((node) => [node, group] as const)));
  const early = new Map<Group, number>();
  const most = (reads: readonly Tensor[], levels: ReadonlyMap<Group, number>) =>
    reads.reduce((level, t) => Math.max(level, levels.get(maker.get(t)!) ?? 0), 0);
  for (const group of groups) early.set(group, 1 + most(group.reads, early));

  // Levels before the end, for groups all of whose readers have one.
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
    const roots = kind === 'reduce' ? all.map((t) => t.inputs[0]!) : all;
    const joined = other && expressionOf(roots, space, materialized, kind !== 'reduce');
    const fits =
      joined &&
      joined.operations <= MOST_OPERATIONS &&
      joined.buffers.length + all.length <= traits.maxStorageBuffersPerStage;
    // A group that is full makes room for the next of its kind.
    if (other && !fits) found.set(`full ${i}`, other);
    found.set(
      key,
      fits ? { kind, nodes: all, reads: joined.buffers, expression: joined, level } : { ...group, level },
    );
  });
  return [...found.values()].sort((a, b) => a.level - b.level);
}
