import { CollimateError } from '../../errors.ts';
import type { Graph } from '../graph.ts';
import { formatType, sameShape, stridesOf, type Tensor } from '../tensor.ts';
import { aliasRoot, type Expression } from './expression.ts';
import type { Group } from './groups.ts';

/** `inPlace.get(o) = i`: output `o` is bound to the same buffer as input `i`, which it replaces. */
export type InPlace = ReadonlyMap<number, number>;
/** Outputs that replace an input, by that input. */
export type Replaced = ReadonlyMap<Tensor, Tensor<'input'>>;

/** Throws unless each output that replaces an input is like it, and no other replaces it. */
export function checkPairs({ inputs, outputs }: Pick<Graph, 'inputs' | 'outputs'>, inPlace: InPlace): void {
  const described = (t: Tensor | undefined) => (t ? `${formatType(t)}` : 'none');
  const taken = new Set<number>();
  for (const [o, i] of inPlace) {
    const [output, input] = [described(outputs[o]), described(inputs[i])];
    const once = !taken.has(i);
    taken.add(i);
    if (input !== 'none' && output === input && once) continue;
    throw new CollimateError(
      `output ${o} cannot replace input ${i} in place: they are ${output} and ${input}${once ? '' : ', and another output replaces it'}`,
      'Pair each output with an input of its own, of the same type and shape.',
    );
  }
}

/** Groups in their order, but each after those `before` it. */
export function afterOthers(
  groups: readonly Group[],
  before: (group: Group) => readonly Group[],
): readonly Group[] {
  const order = new Set<Group>();
  const open = new Map<Group, Group[]>();
  for (const group of groups) {
    const path = [group];
    for (let last = path.at(-1); last; last = path.at(-1)) {
      if (!open.has(last)) open.set(last, before(last).toReversed());
      const next = open.get(last)!.pop();
      if (!next) order.add(path.pop()!);
      else if (!open.has(next)) path.push(next);
    }
  }
  return [...order];
}

/** Moves each group that overwrites an input behind all that read it, as far as its own users allow. */
export function readBeforeReplacing(groups: readonly Group[], replaced: Replaced): readonly Group[] {
  if (!replaced.size) return groups;
  const maker = new Map(groups.flatMap((group) => group.nodes.map((node) => [node, group] as const)));
  const readers = new Map<Tensor, Group[]>([...replaced.values()].map((t) => [t, []]));
  for (const group of groups) for (const t of group.reads) readers.get(t)?.push(group);
  const before = ({ reads, nodes }: Group): Group[] => [
    ...reads.flatMap((t) => maker.get(t) ?? []),
    ...nodes.flatMap((node) => readers.get(replaced.get(node)!) ?? []),
  ];
  const order = afterOthers(groups, before);
  // A reader of the input that also needs the output cannot precede it: the order stays, and is refused.
  const made = new Set<Group>();
  for (const group of order) {
    if (group.reads.some((t) => maker.has(t) && !made.has(maker.get(t)!))) return groups;
    made.add(group);
  }
  return order;
}

/** Throws if a kernel would replace an input that others read later, or that it reads in another order. */
export function checkReplacements(
  groups: readonly Group[],
  replaced: Replaced,
  outputs: readonly Tensor[],
): void {
  const lastRead = new Map(groups.flatMap(({ reads }, i) => reads.map((t) => [t, i] as const)));
  groups.forEach(({ kind, nodes, expression }, i) => {
    for (const node of nodes) {
      const input = replaced.get(node);
      if (!input) continue;
      const first = kind === 'pointwise' ? i + 1 : i;
      const inOrder = !expression || kind !== 'pointwise' || readsInOrder(node, input, expression);
      if ((lastRead.get(input) ?? -1) < first && inOrder) continue;
      throw new CollimateError(
        `output ${outputs.findIndex((t) => aliasRoot(t) === node)} cannot replace input ${input.params.name} in place: the input is still needed, or read in another order`,
        'Bind the output to a buffer of its own.',
      );
    }
  });
}

/** Whether an expression for all elements of `node` reads those of `input` in storage order. */
export function readsInOrder(node: Tensor, input: Tensor, { body, buffers }: Expression): boolean {
  const leaves = body.leaves.filter(({ source }) => source === 'buffer');
  const own = leaves.filter((_, b) => aliasRoot(buffers[b]!) === input);
  const dense = stridesOf(node.shape).map((stride, axis) => (node.shape[axis] === 1 ? 0 : stride));
  return (
    input.size === node.size &&
    own.every(
      ({ strides, start = 0 }) =>
        start === 0 &&
        (node.size === 1 ? strides.every((stride) => stride === 0) : sameShape(strides, dense)),
    )
  );
}
