import type { AdapterTraits } from '../../gpu/traits.ts';
import { loweringOf } from '../bind.ts';
import type { Tensor } from '../tensor.ts';
import { ancestors } from '../tensor.ts';
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

/** Kernels of more operations would compile slowly, and planning them would take more than linear time. */
const MOST_OPERATIONS = 64;
/** What one kernel would have to do for a value: an upper bound. */
interface Load {
  readonly operations: number;
  readonly cost: number;
  readonly buffers: number;
  /** Buffers and coordinates. */
  readonly leaves: number;
}

const BUFFER: Load = { operations: 0, cost: 0, buffers: 1, leaves: 1 };
const COORDINATE: Load = { ...BUFFER, buffers: 0 };
const sumOf = (a: Load, b: Load): Load => ({
  operations: a.operations + b.operations,
  cost: a.cost + b.cost,
  buffers: a.buffers + b.buffers,
  leaves: a.leaves + b.leaves,
});

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
  for (const node of nodes)
    for (const x of node.inputs) {
      const known = users.get(x);
      if (known) known.push(node);
      else users.set(x, [node]);
    }

  const materialized = (t: Tensor): boolean => own.has(aliasRoot(t));
  const wantsBuffer = (t: Tensor) => own.add(aliasRoot(t));

  for (const node of nodes) {
    const { kind } = loweringOf(node);
    if (node.op === 'input' || kind === 'reduce' || kind === 'kernel' || kind === 'joint') own.add(node);
    if (kind === 'kernel' || kind === 'joint') node.inputs.forEach(wantsBuffer);
    if (node.op === 'reshape' && !isUnitReshape(node)) wantsBuffer(node);
  }
  outputs.forEach(wantsBuffer);
  const reach = reaches();
  const loads = new Map<Tensor, Load>();
  for (const node of nodes) cut(node);

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
      sizes.set(
        node,
        beyond.reduce((most, c) => Math.max(most, sizes.get(c)!), size),
      );
    }
    return sizes;
  }

  /**
   * Gives a value a buffer if recomputing it for each of its users would cost more, or if there are too many operations
   * in it for one kernel, or operands in it if they read more buffers than a kernel may bind. Operands have been cut before.
   */
  function cut(node: Tensor): void {
    const lowering = loweringOf(node);
    const { kind } = lowering;
    if (['leaf', 'kernel', 'joint'].includes(kind) || (kind === 'view' && materialized(node))) return;
    // Bounds, as if operands had nothing in common, and the truth only where it matters.
    let load: Load = { operations: 1, cost: kind === 'pointwise' ? lowering.cost : 0, buffers: 0, leaves: 0 };
    for (const x of new Set(node.inputs)) {
      if (!x.is('constant')) load = sumOf(load, materialized(x) ? BUFFER : (loads.get(x) ?? COORDINATE));
    }
    const measure = () => {
      const { body, buffers, operations } = bodyOf([node]);
      const leaves = body.leaves.filter(({ source }) => source !== 'literal').length;
      load = { operations, cost: body.cost, buffers: buffers.length, leaves };
    };
    const most = traits.maxStorageBuffersPerStage - 1;
    if (load.buffers > most || load.operations > MOST_OPERATIONS) measure();
    while (load.buffers > most) {
      own.add(heaviestOperand(kind === 'reduce' ? node.inputs[0]! : node));
      measure();
    }
    const consumers = users.get(node) ?? [];
    const largest = consumers.reduce((size, c) => Math.max(size, reach.get(c)!), node.size);
    const isWorthKeeping = () => {
      const repeated = consumers.length > 1 && (load.cost > RECOMPUTE_COST || load.leaves > 4);
      return repeated || (load.cost > 8 && (largest - node.size) * load.cost > DISPATCH_COST);
    };
    if (!own.has(node) && kind === 'pointwise' && isWorthKeeping()) {
      measure();
      if (isWorthKeeping()) own.add(node);
    }
    if (load.operations > MOST_OPERATIONS) wantsBuffer(node);
    loads.set(node, load);
  }

  /** The operand inside an expression that reads the most buffers without being all of it. */
  function heaviestOperand(root: Tensor): Tensor {
    let node = root;
    for (;;) {
      let heaviest: Tensor | undefined;
      let most = -1;
      for (const x of node.inputs) {
        if (materialized(x) || !['pointwise', 'view'].includes(loweringOf(x).kind)) continue;
        const count = expressionOf([x], x.shape, materialized).buffers.length;
        if (count > most) [heaviest, most] = [x, count];
      }
      if (loweringOf(heaviest!).kind === 'pointwise') return heaviest!;
      node = heaviest!;
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
        continue;
      }
      // A stage that is full makes room for the next of its kind.
      if (stage) found.set(`full ${node.id}`, stage);
      found.set(key, { kind, nodes: [node], reads, level, ...(product && { product }) });
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
