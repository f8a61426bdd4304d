import { loweringOf } from '../bind.ts';
import type { Tensor } from '../tensor.ts';
import { aliasRoot, expressionOf, isUnitReshape } from './expression.ts';
import type { Fusion } from './fusion.ts';

const hasKernel = (t: Tensor) => ['kernel', 'multi-output', 'loop'].includes(loweringOf(t).kind);

/** Keeps inputs, outputs, reductions, what has its own kernel or is read by one, and non-unit reshapes. */
export function keepByKind({ outputs, nodes, kept }: Fusion): void {
  const keep = (t: Tensor) => kept.add(aliasRoot(t));
  for (const node of nodes) {
    if (node.op === 'input' || node.op === 'reduce' || hasKernel(node)) keep(node);
    if (hasKernel(node)) node.inputs.forEach(keep);
    if (node.op === 'reshape' && !isUnitReshape(node)) keep(node);
  }
  outputs.forEach(keep);
}

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

/** Kernels with more operations compile slowly, and planning them takes more than linear time. */
const MOST_OPERATIONS = 64;
/** An expression with more operations is computed once rather than in every kernel that uses it. */
const RECOMPUTE_COST = 24;
/** Operations on one element that cost as much as a dispatch: 20 µs on two cores of a software adapter. */
const DISPATCH_COST = 250_000;

/**
 * Keeps values that cost more to compute again for each user, values of too many operations for one kernel,
 * and operands of values that would read more buffers than a kernel may bind. Operands come first.
 */
export function keepWhereCheaper(fusion: Fusion): void {
  const { nodes, users, kept, materialized } = fusion;
  const most = fusion.traits.maxStorageBuffersPerStage - 1;
  const reach = reaches(fusion);
  const loads = new Map<Tensor, Load>();
  for (const node of nodes) {
    const lowering = loweringOf(node);
    const { kind } = lowering;
    if (kind === 'leaf' || hasKernel(node) || (kind === 'view' && materialized(node))) continue;
    const root = kind === 'reduce' ? node.inputs[0]! : node;
    // Upper bounds, as if operands shared nothing; exact only where it matters.
    let load: Load = { operations: 1, cost: kind === 'pointwise' ? lowering.cost : 0, buffers: 0, leaves: 0 };
    for (const x of new Set(node.inputs)) {
      if (!x.is('constant')) load = sumOf(load, materialized(x) ? BUFFER : (loads.get(x) ?? COORDINATE));
    }
    const measure = () => {
      const { body, buffers, operations } = expressionOf([root], root.shape, materialized, root === node);
      const leaves = body.leaves.filter(({ source }) => source !== 'literal').length;
      load = { operations, cost: body.cost, buffers: buffers.length, leaves };
    };
    if (load.buffers > most || load.operations > MOST_OPERATIONS) measure();
    while (load.buffers > most) {
      kept.add(heaviestOperand(root, materialized));
      measure();
    }
    const consumers = users.get(node)!;
    const largest = consumers.reduce((size, c) => Math.max(size, reach.get(c)!), node.size);
    const isWorthKeeping = () => {
      const repeated = consumers.length > 1 && (load.cost > RECOMPUTE_COST || load.leaves > 4);
      return repeated || (load.cost > 8 && (largest - node.size) * load.cost > DISPATCH_COST);
    };
    if (!kept.has(node) && kind === 'pointwise' && isWorthKeeping()) {
      measure();
      if (isWorthKeeping()) kept.add(node);
    }
    if (load.operations > MOST_OPERATIONS) kept.add(aliasRoot(node));
    loads.set(node, load);
  }
}

/** For each node, the largest index space in which it or what it is fused into computes its operands. */
function reaches({ nodes, users, kept }: Fusion): Map<Tensor, number> {
  const sizes = new Map<Tensor, number>();
  for (const node of nodes.toReversed()) {
    const size = node.op === 'reduce' ? node.inputs[0]!.size : node.size;
    const beyond = kept.has(node) ? [] : users.get(node)!;
    const largest = beyond.reduce((most, user) => Math.max(most, sizes.get(user)!), size);
    sizes.set(node, largest);
  }
  return sizes;
}

/** The operand inside an expression that reads the most buffers without being all of it. */
function heaviestOperand(root: Tensor, materialized: Fusion['materialized']): Tensor {
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
