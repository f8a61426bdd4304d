import { CollimateError } from '../errors.ts';
import { bind, ruleOf } from './bind.ts';
import { add, broadcastLike, reshape } from './operations.ts';
import { ancestors, type Tensor } from './tensor.ts';

/** Those nodes among the ancestors of `outputs` that depend on `inputs`, without the inputs themselves. */
export function dependents(outputs: readonly (Tensor | null)[], inputs: readonly Tensor[]): Tensor[] {
  const marked = new Set<Tensor>(inputs);
  return ancestors(outputs.filter((y) => y !== null)).filter((node) => {
    if (marked.has(node) || !node.inputs.some((x) => marked.has(x))) return false;
    marked.add(node);
    return true;
  });
}

/** Nodes in groups: results of one loop together, in the place of the first; all others alone. */
function families(nodes: readonly Tensor[]): Tensor[][] {
  const found = new Map<number | string, Tensor[]>();
  for (const node of nodes) {
    const key = node.is('scan') ? `${node.params.loop.id} ${node.inputs.map(({ id }) => id)}` : node.id;
    const family = found.get(key);
    if (family) family.push(node);
    else found.set(key, [node]);
  }
  return [...found.values()];
}

/** Tangents of `outputs` for those of `inputs`; null is zero. All may have further leading axes. */
export function pushForward(
  outputs: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  tangents: readonly (Tensor | null)[],
): (Tensor | null)[] {
  const known = new Map<Tensor, Tensor | null>(inputs.map((x, i) => [x, tangents[i]!]));
  for (const nodes of families(dependents(outputs, inputs))) {
    const [node] = nodes as [Tensor];
    const own = node.inputs.map((x) => known.get(x) ?? null);
    const { jvp, together } = ruleOf(node.op);
    if (jvp === 'zero' || own.every((t) => t === null)) continue;
    if (together) {
      const tangents = together.jvp(own, node.inputs, nodes);
      for (const [i, out] of nodes.entries()) known.set(out, tangents[i]!);
      continue;
    }
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

const refuse = ({ op }: Tensor): never => {
  throw new Error(`${op} is not linear and cannot be transposed`);
};

/** Cotangents of `inputs` for the given ones of `outputs`, which are linear in them; null is zero. */
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
  for (const family of families(nodes).reverse()) {
    const [node] = family as [Tensor];
    const given = family.map((out) => bars.get(out) ?? null);
    if (given.every((ct) => ct === null)) continue;
    const { transpose, together } = ruleOf(node.op);
    const marks = node.inputs.map((x) => linear.has(x));
    const contributions = together
      ? together.transpose(given, node.inputs, marks, family)
      : transpose === 'nonlinear'
        ? refuse(node)
        : transpose(given[0]!, node.inputs, marks, node);
    node.inputs.forEach((x, i) => {
      if (marks[i]) accumulate(x, contributions[i] ?? null);
    });
  }
  return inputs.map((x) => bars.get(x) ?? null);
}

/** Records `outputs` again from `known` tensors, which may have one more leading axis; adds the new ones. */
export function replay<Y extends Tensor | null>(outputs: readonly Y[], known: Map<Tensor, Tensor>): Y[] {
  for (const nodes of families(dependents(outputs, [...known.keys()]))) {
    const [node] = nodes as [Tensor];
    const inputs = node.inputs.map((x) => known.get(x) ?? x);
    const mapped = node.inputs.map((x, i) => inputs[i]!.rank > x.rank);
    const { together } = ruleOf(node.op);
    const again = !mapped.includes(true)
      ? nodes.map(({ op, params }) => bind(op, inputs, params))
      : together
        ? together.batch(inputs, mapped, nodes)
        : [batched(node, inputs, mapped)];
    for (const [i, out] of nodes.entries()) known.set(out, again[i]!);
  }
  return outputs.map((y) => ((y && known.get(y)) ?? y) as Y);
}

function batched(node: Tensor, inputs: readonly Tensor[], mapped: readonly boolean[]): Tensor {
  const { batch } = ruleOf(node.op);
  if (batch) return batch(inputs, mapped, node);
  const aligned = inputs.map((x, i) => (mapped[i] || x.is('constant') ? x : reshape(x, [1, ...x.shape])));
  return bind(node.op, aligned, node.params);
}
