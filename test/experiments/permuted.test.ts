import { expect, test } from 'vitest';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { batchStatistics, permutedWeights } from '../../src/experiments/permuted.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { inferenceNorm, trainingNorm } from '../../src/train/batch-norm.ts';
import type { Normalizer, Weights } from '../../src/train/network.ts';
import { type HostState, initialState, TrainingState } from '../../src/train/state.ts';
import { select, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const SIZES = { inputs: 6, depth: 2, width: 12, classes: 3, activation: 'relu', skip: true } as const;

/** A state in which all numbers differ, but zeros. */
function someWeights(network: FcResNet): HostState {
  const state = initialState(network, 3);
  for (const [k, name] of [...state.parameters.keys()].entries())
    state.parameters.set(
      name,
      state.parameters.get(name)!.map((w, i) => w + (w === 0 ? 0 : (k + 1) / 64 + i / 4096)),
    );
  return state;
}

test('permuted weights are the numbers of each tensor in another order, which the seed chooses', () => {
  const network = new FcResNet(SIZES);
  const state = someWeights(network);
  const [one, again, other] = [5, 5, 6].map((seed) => permutedWeights(network, state, seed).parameters);
  expect([...one!.keys()]).toEqual(network.parameters.map(({ name }) => name));
  expect(again).toEqual(one);
  for (const [name, data] of one!) {
    expect([...data].sort()).toEqual([...state.parameters.get(name)!].sort());
    if (data.some((x) => x !== data[0])) {
      expect(data, name).not.toEqual(state.parameters.get(name));
      expect(data, name).not.toEqual(other!.get(name));
    }
  }
  // Two tensors of one size have orders of their own.
  const order = (name: string) => [...one!.get(name)!].map((x) => state.parameters.get(name)!.indexOf(x));
  expect(order('blocks.0.linear1.weight')).not.toEqual(order('blocks.1.linear1.weight'));
  expect(new Set(order('blocks.0.linear1.weight')).size).toBe(144);
});

test('the scale and the shift of a channel stay together, and weights where a network has some', () => {
  const network = new FcResNet({ ...SIZES, shortcut: 'dense' });
  const state = someWeights(network);
  for (const [name, data] of state.parameters)
    if (name.includes('.bn') && name.endsWith('.bias'))
      data.set(state.parameters.get(name.replace('.bias', '.weight'))!.map((x) => -x));
  const { parameters } = permutedWeights(network, state, 5);
  for (const { name, within } of network.parameters) {
    if (!within) continue;
    const [before, behind] = [state.parameters.get(name)!, parameters.get(name)!];
    expect(
      behind.map((x) => +(x !== 0)),
      name,
    ).toEqual(before.map((x) => +(x !== 0)));
    if (name.includes('.bn'))
      expect(parameters.get(name.replace('.weight', '.bias'))).toEqual(behind.map((x) => -x));
  }
});

test('its BatchNorm statistics make inference what training computes on the first images', async () => {
  const network = new FcResNet(SIZES);
  const examples = syntheticExamples(40, 6, 3);
  const state = { ...initialState(network, 1), ...permutedWeights(network, someWeights(network), 5) };
  const statistics = await withGpu(async (gpu) => {
    using device = upload(gpu, examples);
    using loaded = new TrainingState(gpu, network);
    loaded.load(state);
    return await batchStatistics(gpu, network, loaded.weights, device);
  });
  const { x } = select(examples, [...Array(40).keys()]);
  const outputs = (norm: Normalizer) => {
    const named = [...state.parameters, ...statistics];
    const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
    const specs = Object.fromEntries(
      named.map(([name, data]) => [name, { shape: shapes.get(name) ?? [data.length] }]),
    );
    const f = (weights: Weights, input: Tensor) => network.forward(weights, input, norm);
    const graph = trace(f as (...args: unknown[]) => unknown, [specs, { shape: [40, 6] }]);
    return [...(interpret(graph, [...named.map(([, data]) => data), x])[0]!.data as Float64Array)];
  };
  const exact = outputs(trainingNorm({}));
  outputs(inferenceNorm).forEach((y, i) => {
    expect(Math.abs(y - exact[i]!)).toBeLessThan(1e-4);
  });
  expect(Math.max(...exact.map(Math.abs))).toBeGreaterThan(0.1);
});
