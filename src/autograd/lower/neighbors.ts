import { coalesce, vectorizable } from '../../kernels/fused.ts';
import { bytesOf, type Shape, sameShape, sizeOf, type Tensor } from '../tensor.ts';
import { aliasRoot, type Expression, expressionOf } from './expression.ts';
import type { Fusion } from './fusion.ts';
import type { Group } from './groups.ts';
import { readsInOrder } from './in-place.ts';

/** Elements up to which a kernel of pointwise operations costs little more than its dispatch. */
const SMALL = 2 ** 18;
/** The same for a kernel whose operations have different numbers of elements. */
const FEW = 2 ** 14;
/** Bytes up to which a value can wait in its buffer for what reads it. */
const MOST_WAITING = 2 ** 20;
/** Operations of one kernel. */
const MOST_OPERATIONS = 64;

/** A group, and those that it was made of. */
interface Joined {
  readonly group: Group;
  readonly parts: readonly Group[];
}

const spaceOf = ({ expression }: Group): Shape => expression!.body.space;
/** The axis, from the end, along which a group's few elements lie: 0 for a single one, else undefined. */
function fewAlong(group: Group): number | undefined {
  const space = spaceOf(group);
  const along = space.flatMap((side, axis) => (side > 1 ? [axis - space.length] : []));
  if (group.kind !== 'pointwise' || sizeOf(space) > FEW || along.length > 1) return undefined;
  return along[0] ?? 0;
}
const isWide = ({ expression }: Group): boolean => vectorizable(expression!.body, coalesce(expression!.body));

/**
 * Joins groups, from the last on, with later ones: small ones over one space that do not need each other,
 * such as layouts of all weights and reductions side by side; pointwise ones that are read in order where
 * they are computed, as momenta are by parameters; and a few elements beside more. They may replace inputs.
 */
export function withNeighbors(groups: readonly Group[], fusion: Fusion): readonly Group[] {
  const { replaced } = fusion;
  const outputs = new Set(fusion.outputs.map(aliasRoot));
  const readers = new Map<Tensor, Group[]>([...replaced.values()].map((t) => [t, []]));
  for (const group of groups) for (const t of group.reads) readers.get(t)?.push(group);
  /** From the last on; those that moved to an earlier place left theirs empty. */
  const found: (Joined | undefined)[] = [];
  /** What the groups found make. */
  const made = new Set<Tensor>();
  /** Position of the first group that reads a tensor. */
  const places = new Map<Tensor, number>();
  /** Position of the first group of a kind, for earlier ones to join. */
  const open = new Map<string, number>();

  const join = (group: Group, { group: later, parts }: Joined): Group | undefined => {
    if (later.kind !== group.kind || later.rounds) return undefined;
    const [own, others] = [spaceOf(group), spaceOf(later)];
    const [size, after] = [sizeOf(own), sizeOf(others)];
    const chained = group.nodes.filter((t) => later.reads.includes(t));
    const inOrder = (t: Tensor) => t.size === size && readsInOrder(t, t, later.expression!);
    const alike = isWide(group) === isWide(later);
    const waits = group.reads.every((t) => bytesOf(t) <= MOST_WAITING || t.op === 'input');
    const pointwise = group.kind === 'pointwise';
    const [axis, other] = [fewAlong(group), fewAlong(later)];
    const few = axis !== undefined && other !== undefined;
    const mix = few && (axis === 0 || other === 0 || (alike && axis === other));
    const fits = chained.length
      ? pointwise && alike && sameShape(own, others) && chained.every(inOrder)
      : Math.max(size, after) <= SMALL &&
        (group.level === later.level || waits) &&
        (sameShape(own, others) || mix);
    if (!fits) return undefined;

    const nodes = [...group.nodes, ...later.nodes];
    const expression = expressionOfAll(group.kind, nodes, size > after ? own : others, fusion);
    if (!expression) return undefined;
    const all = [group, ...parts];
    const safe = nodes.every((node) => {
      const input = replaced.get(node);
      // A single element that others read may be replaced already.
      const reader = (part: Group) =>
        pointwise && all.includes(part) && (node.size > 1 || sizeOf(spaceOf(part)) === 1);
      return !input || (readers.get(input)!.every(reader) && readsInOrder(node, input, expression));
    });
    // What a third group replaces decides the order of both.
    const foreign = (t: Tensor) => readers.has(t) && !nodes.some((node) => replaced.get(node) === t);
    // Outputs may be views of one buffer, which no dispatch may both read and write.
    const mixed = expression.buffers.some((t) => outputs.has(t)) && nodes.some((t) => outputs.has(t));
    if (!safe || mixed || expression.buffers.some((t) => nodes.includes(t) || foreign(t))) return undefined;
    return { ...later, nodes, reads: expression.buffers, expression };
  };

  for (const group of groups.toReversed()) {
    const first = group.nodes.reduce((place, t) => Math.max(place, places.get(t) ?? -1), -1);
    let at = found.length;
    if (group.expression && !group.rounds) {
      const space = spaceOf(group);
      const [node] = group.nodes as [Tensor];
      const own = `${space} ${node.is('reduce') ? node.params.axes : ''}`;
      const axis = fewAlong(group);
      const names = axis === undefined ? [own] : [own, `few ${axis}`, 'few'];
      const candidates = new Set([first, ...names.flatMap((name) => open.get(name) ?? [])]);
      for (const candidate of candidates) {
        const other = found[candidate];
        const waits = candidate >= first;
        if (!other || !(waits || other.group.reads.every((t) => !made.has(t)))) continue;
        const joined = join(group, other);
        if (!joined) continue;
        found[candidate] = undefined;
        if (waits) at = candidate;
        found[at] = { group: joined, parts: [group, ...other.parts] };
        for (const t of joined.reads) places.set(t, Math.max(at, places.get(t) ?? 0));
        break;
      }
      for (const name of names) open.set(name, at);
    }
    found[at] ??= { group, parts: [group] };
    for (const t of group.nodes) made.add(t);
    for (const t of group.reads) places.set(t, Math.max(at, places.get(t) ?? 0));
  }
  return found.reverse().flatMap((one) => one?.group ?? []);
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
