import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Weights } from '../../src/train/network.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { randomNumbers } from '../fidelity/support.ts';

/** The same state, with BatchNorms that do something wherever their scale is not 0. */
export function lively(network: ResidualNetwork, seed: number): HostState {
  const state = initialState(network, seed);
  const next = randomNumbers(seed);
  for (const [name, values] of [...state.parameters, ...state.statistics]) {
    if (!/bn/.test(name)) continue;
    const scale = state.parameters.get(name.replace(/[^.]+$/, 'weight'))!;
    const own = scale.slice();
    values.forEach((v, i) => {
      if (own[i] !== 0) values[i] = v + 0.3 * next();
    });
  }
  return state;
}

export type Row = number[];
export const linear = (
  x: Row,
  w: Float32Array,
  rows: readonly [number, number],
  columns: number,
  stride: number,
): Row =>
  Array.from({ length: rows[1] - rows[0] }, (_, r) =>
    x.slice(0, columns).reduce((sum, v, c) => sum + v * w[(rows[0] + r) * stride + c]!, 0),
  );
export const relu = (x: Row): Row => x.map((v) => Math.max(v, 0));

/** Layers of a network by the names of their weights, in plain loops; `dense` BatchNorms are γ(x̂ + β). */
export function layersOf({ parameters, statistics }: HostState, dense: boolean) {
  const of = (name: string) => parameters.get(name) ?? statistics.get(name)!;
  return {
    of,
    bn: (x: Row, name: string, from = 0): Row =>
      x.map((v, d) => {
        const [g, b, m, s] = ['weight', 'bias', 'running_mean', 'running_var'].map(
          (k) => of(`${name}.${k}`)[from + d]!,
        );
        const unit = (v - m!) / Math.sqrt(s! + 1e-5);
        return dense ? g! * (unit + b!) : g! * unit + b!;
      }),
  };
}

/** Logits and representations of the network in float64. */
export function ours(network: ResidualNetwork, { parameters, statistics }: HostState, x: Row[]) {
  const shapes = new Map([
    ...network.parameters.map(({ name, shape }) => [name, shape] as const),
    ...network.norms.flatMap(({ name, features }) =>
      ['running_mean', 'running_var'].map((kind) => [`${name}.${kind}`, [features]] as const),
    ),
  ]);
  const named = [...parameters, ...statistics];
  const specs = Object.fromEntries(named.map(([name]) => [name, { shape: shapes.get(name)! }]));
  const f = (weights: Weights, input: Tensor) => {
    const { points, logits } = network.representations(weights, input, inferenceNorm);
    return [...points.flat(), logits];
  };
  const graph = trace(f as (...args: unknown[]) => unknown, [specs, { shape: [x.length, x[0]!.length] }]);
  const values = interpret(graph, [...named.map(([, data]) => data), Float64Array.from(x.flat())]);
  return values.map(({ data }) => [...(data as Float64Array)]);
}
