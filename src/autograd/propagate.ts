import { CollimateError } from '../errors.ts';
import { bind, ruleOf } from './bind.ts';
import { add, broadcastLike, reshape } from './operations.ts';
import { ancestors, type Tensor } from './tensor.ts';

/** Those nodes among the ancestors of `outputs` that depend on `inputs`, without the inputs themselves. */
function dependents(outputs: readonly (Tensor | null)[], inputs: readonly Tensor[]): Tensor[] {
  const marked = new Set<Tensor>(inputs);
  return ancestors(outputs.filter((y) => y !== null)).filter((node) => {
    if (marked.has(node) || !node.inputs.some((x) => marked.has(x))) return false;
    marked.add(node);
    return true;
  });
}

/**
 * Tangents of `outputs` when the `inputs` have the given ones; null is zero. They may all have further leading axes in front of
 * those of their tensors, and so have the results: a linear graph is applied to many tangents at once.
 */
export function pushForward(
  outputs: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  tangents: readonly (Tensor | null)[],
): (Tensor | null)[] {
  const known = new Map<Tensor, Tensor | null>(inputs.map((x, i) => [x, tangents[i]!]));
  for (const node of dependents(outputs, inputs)) {
    const own = node.inputs.map((x) => known.get(x) ?? null);
    const { jvp } = ruleOf(node.op);
    if (jvp === 'zero' || own.every((t) => t === null)) continue;
    if (jvp === 'nondifferentiable') {
      throw new CollimateError(
        `${node.op} has no derivative`,
        'Keep it outside of what is differentiated, or wrap its operand in stopGradient.',
      );
    }
    const tangent = jvp(own, node.inputs, node);
    known.set(node, tangent && broadcastLike(tangent, node));
  }
  return outputs.map((y) => (y && known.get(y)) ?? null);
}

/** Cotangents of `inputs` when the `outputs`, linear in them, have the given ones; null is zero. */
export function pullBack(
  outputs: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  cotangents: readonly Tensor[],
): (Tensor | null)[] {
  const bars = new Map<Tensor, Tensor>();
  const accumulate = (x: Tensor, bar: Tensor | null) => {
    if (!bar) return;
    const before = bars.get(x);
    bars.set(x, before ? add(before, bar) : bar);
  };
  outputs.forEach((y, i) => {
    if (y) accumulate(y, cotangents[i]!);
  });
  const nodes = dependents(outputs, inputs);
  const linear = new Set<Tensor>([...inputs, ...nodes]);
  for (const node of nodes.reverse()) {
    const bar = bars.get(node);
    if (!bar) continue;
    const { transpose } = ruleOf(node.op);
    if (transpose === 'nonlinear') throw new Error(`${node.op} is not linear and cannot be transposed`);
    const marks = node.inputs.map((x) => linear.has(x));
    const contributions = transpose(bar, node.inputs, marks, node);
    node.inputs.forEach((x, i) => {
      if (marks[i]) accumulate(x, contributions[i] ?? null);
    });
  }
  return inputs.map((x) => bars.get(x) ?? null);
}

/**
 * The `outputs` recorded again with the tensors in the place of those that are `known` for them, which may each have one
 * more leading axis: then so has what depends on it. Fills in what else is known then.
 */
export function replay(outputs: readonly Tensor[], known: Map<Tensor, Tensor>): Tensor[] {
  for (const node of dependents(outputs, [...known.keys()])) {
    const inputs = node.inputs.map((x) => known.get(x) ?? x);
    const mapped = node.inputs.map((x, i) => inputs[i]!.rank > x.rank);
    known.set(
      node,
      mapped.includes(true) ? batched(node, inputs, mapped) : bind(node.op, inputs, node.params),
    );
  }
  return outputs.map((y) => known.get(y) ?? y);
}

function batched(node: Tensor, inputs: readonly Tensor[], mapped: readonly boolean[]): Tensor {
  const { batch } = ruleOf(node.op);
  if (batch) return batch(inputs, mapped, node);
  const aligned = inputs.map((x, i) => (mapped[i] || x.is('constant') ? x : reshape(x, [1, ...x.shape])));
  return bind(node.op, aligned, node.params);
}
