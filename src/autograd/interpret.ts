import { CollimateError } from '../errors.ts';
import { expectData } from './array.ts';
import { ruleOf } from './bind.ts';
import { expectGraph, type Graph } from './graph.ts';
import type { NdArray } from './rule.ts';

import { ancestors, type Tensor } from './tensor.ts';

/** Evaluates a graph on the CPU in float64: the oracle that everything else is tested against. */
export function interpret(
  graph: Pick<Graph, 'inputs' | 'outputs'>,
  values: readonly ArrayLike<number>[],
): NdArray[] {
  expectGraph('interpret', graph);
  const known = new Map<Tensor, NdArray>();
  if (values.length > graph.inputs.length) {
    throw new CollimateError(
      `interpret: ${values.length} arrays were given for ${graph.inputs.length} inputs`,
      'Give one for each input.',
    );
  }
  graph.inputs.forEach((x, i) => {
    const given = values[i]!;
    expectData(`interpret: input ${x.params.name}`, given, x.shape, x.dtype);
    known.set(x, { shape: x.shape, dtype: x.dtype, data: Float64Array.from(given) });
  });
  for (const node of ancestors(graph.outputs)) {
    if (known.has(node)) continue;
    const inputs = node.inputs.map((x) => known.get(x)!);
    const data = ruleOf(node.op).reference(inputs, node.params, node);
    known.set(node, { shape: node.shape, dtype: node.dtype, data });
  }
  return graph.outputs.map((y) => known.get(y)!);
}
