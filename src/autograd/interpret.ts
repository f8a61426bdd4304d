import { CollimateError } from '../errors.ts';
import { expectData } from './array.ts';
import { evaluate } from './bind.ts';
import { expectGraph, type Graph } from './graph.ts';
import type { NdArray } from './rule.ts';

import { ancestors, type Tensor } from './tensor.ts';

/**
 * Evaluates a graph on the CPU in float64: the oracle that everything else is tested against.
 * @example interpret(trace((x) => exp(x), [[2]]), [[0, 1]])[0]!.data // [1, 2.7182818]
 */
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
  evaluate(ancestors(graph.outputs), known);
  return graph.outputs.map((y) => known.get(y)!);
}
