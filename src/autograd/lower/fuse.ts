import type { AdapterTraits } from '../../gpu/traits.ts';
import { loweringOf } from '../rules.ts';
import type { Tensor } from '../tensor.ts';
import { ancestors } from '../transform.ts';
import { chainsAfterProducts, isProduct, type Product } from './epilogue.ts';
import { aliasRoot, type Expression, expressionOf, isUnitReshape } from './expression.ts';

/** A dispatch to be: the nodes that one kernel computes into buffers. */
export interface Stage {
  readonly kind: 'pointwise' | 'reduce' | 'kernel' | 'joint';
  /** Nodes whose values the stage writes, each to a buffer of its own. */
  readonly nodes: Tensor[];
  /** Tensors whose buffers the stage reads. */
  readonly reads: Tensor[];
  /** The product after which a kernel computes its node, a chain of pointwise operations. */
  readonly product?: Product;
}

export interface Partition {
  readonly stages: Stage[];
  /** Whether a tensor has a buffer, its own or (reshaped) another's. */
  readonly materialized: (t: Tensor) => boolean;
}

/** An expression with more operations than this is computed once rather than in every kernel that uses it. */
const RECOMPUTE_COST = 24;
/**
 * Work, in operations on one element, that costs about as much as one dispatch more: some 20 µs on two cores of a
 * software adapter.
 */
const DISPATCH_COST = 250_000;

/**
 * Decides which values get buffers and which are recomputed inside of the kernels that use them, and groups the
 * former into dispatches: a fused chain each, if it can be in the product that it begins with; reductions over the same
 * index space together. `replaced` are outputs that replace an input, by that input.
 */
export function partition(
  outputs: readonly Tensor[],
  traits: AdapterTraits,
  replaced: ReadonlyMap<Tensor, Tensor> = new Map(),
): Partition {
  const nodes = ancestors(outputs);
  const own = new Set<Tensor>();
  const users = new Map<Tensor, Tensor[]>();
  for (const node of nodes) for (const x of node.inputs) users.set(x, [...(users.get(x) ?? []), node]);

  const materialized = (t: Tensor): boolean =>
    own.has(t) || (t.op === 'reshape' && materialized(t.inputs[0]!));
  const wantsBuffer = (t: Tensor) => own.add(aliasRoot(t));

  for (const node of nodes) {
    const { kind } = loweringOf(node);
    if (node.op === 'input' || kind === 'reduce' || kind === 'kernel' || kind === 'joint') own.add(node);
    if (kind === 'kernel' || kind === 'joint') node.inputs.forEach(wantsBuffer);
    if (node.op === 'reshape' && !isUnitReshape(node)) wantsBuffer(node);
  }
  outputs.forEach(wantsBuffer);
  const reach = reaches();
  for (const node of nodes) keepIfWorthwhile(node);
  while (cutWide());

  const chains = fuseIntoProducts();
  const absorbed = new Set<Tensor>(chains.values());
  const stages = group(nodes.filter((n) => own.has(n) && n.op !== 'input' && !absorbed.has(n)));
  return { stages, materialized };

  /** For each node, the largest index space in which it or what it is fused into computes its operands. */
  function reaches(): Map<Tensor, number> {
    const sizes = new Map<Tensor, number>();
    for (const node of nodes.toReversed()) {
      const size = node.op === 'reduce' ? node.inputs[0]!.size : node.size;
      const beyond = own.has(node) ? [] : (users.get(node) ?? []);
      sizes.set(node, Math.max(size, ...beyond.map((c) => sizes.get(c)!)));
    }
    return sizes;
  }

  /** Gives a pointwise value a buffer if recomputing it for each of its users would cost more. */
  function keepIfWorthwhile(node: Tensor): void {
    const lowering = loweringOf(node);
    if (own.has(node) || lowering.kind !== 'pointwise') return;
    const consumers = users.get(node) ?? [];
    const { body } = expressionOf([node], node.shape, materialized);
    const largest = Math.max(...consumers.map((c) => reach.get(c)!), node.size);
    const repeated = consumers.length > 1 && (body.cost > RECOMPUTE_COST || body.leaves.length > 4);
    const spread = largest > node.size && body.cost > 8 && (largest - node.size) * body.cost > DISPATCH_COST;
    if (repeated || spread) own.add(node);
  }

  /** Cuts an expression that reads more buffers than a kernel may bind; false if there is none. */
  function cutWide(): boolean {
    const wide = nodes.find((node) => {
      const { kind } = loweringOf(node);
      if (!own.has(node) || node.op === 'input' || kind === 'kernel' || kind === 'joint') return false;
      return bodyOf([node]).buffers.length > traits.maxStorageBuffersPerStage - 1;
    });
    if (wide) own.add(heaviestOperand(wide.op === 'reduce' ? wide.inputs[0]! : wide));
    return wide !== undefined;
  }

  /** The operand inside an expression that reads the most buffers without being all of it. */
  function heaviestOperand(root: Tensor): Tensor {
    let node = root;
    for (;;) {
      const inner = node.inputs
        .filter((x) => !materialized(x) && ['pointwise', 'view'].includes(loweringOf(x).kind))
        .map((x) => ({ x, count: expressionOf([x], x.shape, materialized).buffers.length }))
        .sort((p, q) => q.count - p.count)[0]!;
      if (loweringOf(inner.x).kind === 'pointwise') return inner.x;
      node = inner.x;
    }
  }

  /**
   * Chains of pointwise operations after products, by their last values. One
   * that replaces an input stays a kernel that may read what it writes, and what is replaced is read no later than need be.
   */
  function fuseIntoProducts(): Map<Tensor, Product> {
    const originals = new Set(replaced.values());
    const reader = (n: Tensor) => isProduct(n) && n.inputs.some((x) => originals.has(aliasRoot(x)));
    const fixed = new Set([...replaced.keys(), ...outputs.map(aliasRoot).filter(isProduct)]);
    for (const node of nodes) if (reader(node)) fixed.add(node);
    return chainsAfterProducts({ nodes, users, own, materialized, traits, fixed });
  }

  /** The fused expression that computes nodes of one stage (of what it reduces, for reductions). */
  function bodyOf(nodes: readonly Tensor[]): Expression {
    const reducing = nodes[0]!.op === 'reduce';
    const roots = reducing ? nodes.map((n) => n.inputs[0]!) : nodes;
    return expressionOf(roots, roots[0]!.shape, materialized, !reducing);
  }

  /** Stages level by level: each finds its operands made on lower levels. */
  function group(kept: readonly Tensor[]): Stage[] {
    const depth = new Map<Tensor, number>();
    const found = new Map<string, Stage & { level: number }>();
    for (const node of kept) {
      const product = chains.get(node);
      const kind = product ? 'kernel' : stageKind(node);
      const operands = (product ?? node).inputs.map(aliasRoot);
      const readsOf = (nodes: readonly Tensor[]) => {
        if (product)
          return [...new Set([...operands, ...bodyOf(nodes).buffers.filter((t) => t !== product)])];
        return kind === 'pointwise' || kind === 'reduce'
          ? [...bodyOf(nodes).buffers]
          : [...new Set(operands)];
      };
      const reads = readsOf([node]);
      const level = 1 + Math.max(0, ...reads.map((x) => depth.get(x) ?? 0));
      depth.set(node, level);
      const key = mergeKey(node, level) ?? `${node.id}`;
      const stage = found.get(key);
      const together = stage && [...stage.nodes, node];
      const merged = together && readsOf(together);
      if (stage && together && merged!.length + together.length <= traits.maxStorageBuffersPerStage) {
        found.set(key, { ...stage, nodes: together, reads: merged! });
      } else
        found.set(stage ? `${node.id}` : key, {
          kind,
          nodes: [node],
          reads,
          level,
          ...(product && { product }),
        });
    }
    const last = (s: Stage) => Math.max(...s.nodes.map((n) => n.id));
    return [...found.values()].sort((a, b) => a.level - b.level || last(a) - last(b));
  }

  /** Nodes with equal keys are computed by one kernel: reductions over one space, factors of one matrix. */
  function mergeKey(node: Tensor, level: number): string | undefined {
    if (node.is('reduce')) return `reduce ${node.inputs[0]!.shape} ${node.params.axes} ${level}`;
    return loweringOf(node).kind === 'joint' ? `${node.op} ${node.inputs[0]!.id}` : undefined;
  }
}

function stageKind(node: Tensor): Stage['kind'] {
  const { kind } = loweringOf(node);
  return kind === 'reduce' || kind === 'kernel' || kind === 'joint' ? kind : 'pointwise';
}
