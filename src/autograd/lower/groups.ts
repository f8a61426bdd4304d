import type { Rounds } from '../../kernels/reduce-passes.ts';
import { loweringOf } from '../bind.ts';
import type { Tensor } from '../tensor.ts';
import type { Chain } from './epilogue.ts';
import { aliasRoot, type Expression, expressionOf } from './expression.ts';
import type { Fusion } from './fusion.ts';

/** Reductions and what is computed from them, in the order of an expression's results. */
export interface JoinedRounds extends Rounds {
  readonly reductions: readonly Tensor<'reduce'>[];
  /** What else the kernel computes, whether it is stored or not. */
  readonly inside: readonly Tensor[];
  /** Those of the product, if there is one. */
  readonly operands: readonly Tensor[];
}

/** A dispatch to be: the nodes that one kernel computes into buffers. */
export interface Group {
  readonly kind: 'pointwise' | 'reduce' | 'kernel' | 'multi-output' | 'loop';
  /** Nodes whose values the kernel writes, each to a buffer of its own. */
  readonly nodes: readonly Tensor[];
  /** Tensors whose buffers the kernel reads. */
  readonly reads: readonly Tensor[];
  /** What pointwise operations compute; for reductions, what they reduce. */
  readonly expression?: Expression;
  /** The product whose kernel goes on to compute the node. */
  readonly chain?: Chain;
  /** Reductions whose totals are used further on in the same kernel. */
  readonly rounds?: JoinedRounds;
  /** Higher than those of all groups whose values it reads. */
  readonly level: number;
}

/** Kept values as groups, by level; reductions over one space, and outputs of one operation, share one. */
export function groupsOf(fusion: Fusion, chains: ReadonlyMap<Tensor, Chain>): Group[] {
  const { nodes, kept, traits } = fusion;
  const inside = new Set<Tensor>([...chains.values()].map(({ product }) => product));
  const levels = new Map<Tensor, number>();
  const found = new Map<string, Group>();
  for (const node of nodes) {
    if (!kept.has(node) || node.op === 'input' || inside.has(node)) continue;
    const group = groupOf([node], chains.get(node), fusion);
    const level = 1 + group.reads.reduce((most, x) => Math.max(most, levels.get(x) ?? 0), 0);
    levels.set(node, level);
    const key = siblings(node, level, fusion) ?? `${node.id}`;
    const other = found.get(key);
    const together = other && groupOf([...other.nodes, node], undefined, fusion);
    const fits =
      together?.kind === 'loop' ||
      (together && together.reads.length + together.nodes.length <= traits.maxStorageBuffersPerStage);
    // A group that is full makes room for the next of its kind.
    if (other && !fits) found.set(`full ${node.id}`, other);
    found.set(key, { ...(fits ? together : group), level });
  }
  const last = ({ nodes }: Group) => Math.max(...nodes.map(({ id }) => id));
  return [...found.values()].sort((a, b) => a.level - b.level || last(a) - last(b));
}

function groupOf(
  nodes: readonly Tensor[],
  chain: Chain | undefined,
  { materialized }: Fusion,
): Omit<Group, 'level'> {
  const [node] = nodes as [Tensor];
  const operands = (chain ? [chain.product] : nodes).flatMap(({ inputs }) => inputs.map(aliasRoot));
  if (chain) return { kind: 'kernel', nodes, reads: [...new Set([...operands, ...chain.leaves])], chain };
  const { kind } = loweringOf(node);
  if (kind === 'kernel' || kind === 'multi-output' || kind === 'loop')
    return { kind, nodes, reads: [...new Set(operands)] };
  const reducing = kind === 'reduce';
  const roots = reducing ? nodes.map((n) => n.inputs[0]!) : nodes;
  const expression = expressionOf(roots, roots[0]!.shape, materialized, !reducing);
  return { kind: reducing ? 'reduce' : 'pointwise', nodes, reads: expression.buffers, expression };
}

/** Nodes with equal keys share a kernel: reductions over one space, rows by one list, factors. */
function siblings(node: Tensor, level: number, { replaced }: Fusion): string | undefined {
  if (node.is('reduce')) return `reduce ${node.inputs[0]!.shape} ${node.params.axes} ${level}`;
  if (node.is('take') && node.params.axis === -node.rank && !replaced.has(node))
    return `take ${node.inputs[1]!.id} ${level}`;
  if (node.is('scan')) return `scan ${node.params.loop.id} ${node.inputs.map(({ id }) => id)}`;
  return loweringOf(node).kind === 'multi-output' ? `${node.op} ${node.inputs[0]!.id}` : undefined;
}
