import { expect, test } from 'vitest';
import { DeviceArray } from '../../src/autograd/array.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { Autoencoder } from '../../src/models/autoencoder.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { inferenceNorm, trainingNorm } from '../../src/train/batch-norm.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import type { Normalizer, Weights } from '../../src/train/network.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { batchIndices, randomNumbers, select, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const [COUNT, BATCH, INPUTS, SEED] = [48, 16, 9, 3];
const OPTIONS = { batch: BATCH, seed: SEED, lr: 0.05, momentum: 0, weightDecay: 0, steps: 3 };
const SIZES = { inputs: INPUTS, depth: 2, width: 12, activation: 'relu', skip: true } as const;
const OUTPUTS = 3;
const examples = syntheticExamples(COUNT, INPUTS, 2);
const next = randomNumbers(9);
const TARGETS = Float32Array.from({ length: COUNT * OUTPUTS }, () => 4 * next() - 2);

/** Outputs of a network in float64, an example after the other. */
function outputsOf(
  network: ResidualNetwork,
  { parameters, statistics }: HostState,
  x: Float64Array,
  norm: Normalizer,
) {
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  const named = [...parameters, ...statistics];
  const specs = Object.fromEntries(
    named.map(([name, data]) => [name, { shape: shapes.get(name) ?? [data.length] }]),
  );
  const f = (weights: Weights, input: Tensor) => network.forward(weights, input, norm);
  const graph = trace(f as (...args: unknown[]) => unknown, [specs, { shape: [x.length / INPUTS, INPUTS] }]);
  return [...(interpret(graph, [...named.map(([, data]) => data), x])[0]!.data as Float64Array)];
}

const meanSquare = (outputs: number[], wanted: ArrayLike<number>) =>
  outputs.reduce((sum, y, i) => sum + (y - wanted[i]!) ** 2, 0) / outputs.length;

/** What is wanted of some examples. */
const targetsOf = (indices: readonly number[]) =>
  indices.flatMap((n) => [...TARGETS.subarray(n * OUTPUTS, (n + 1) * OUTPUTS)]);

test.each([
  [
    'target vectors',
    new FcResNet({ ...SIZES, classes: OUTPUTS }),
    (indices: readonly number[]) => targetsOf(indices),
  ],
  [
    'one target',
    new FcResNet({ ...SIZES, classes: 1 }),
    (indices: readonly number[]) => indices.map((n) => TARGETS[n]!),
  ],
  [
    'their inputs',
    new Autoencoder({ ...SIZES, classes: 2 }),
    (indices: readonly number[]) => [...select(examples, indices).x],
  ],
] as const)('networks are trained on squared errors of %s', async (what, network, wantedOf) => {
  await withGpu(async (gpu) => {
    using device = upload(gpu, examples);
    const size = what === 'one target' ? 1 : OUTPUTS;
    using targets = DeviceArray.from(gpu, TARGETS.slice(0, COUNT * size), [COUNT, size]);
    const given = what === 'their inputs' ? device : { ...device, targets };
    using trainer = await Trainer.create(gpu, network, given, OPTIONS);
    const state = initialState(network, SEED);
    trainer.load(state);
    trainer.queue(1);
    const indices = batchIndices(COUNT, BATCH, SEED, 0);
    const { x } = select(examples, indices);
    const errorOf = (from: HostState) =>
      meanSquare(outputsOf(network, from, x, trainingNorm({})), wantedOf(indices));
    const [record] = await trainer.records(1);
    expect(record!.loss).toBeCloseTo(errorOf(state), 5);
    expect(record!.accuracy).toBeCloseTo(1 - errorOf(state), 5);

    const gradients = trainer.state.parameterLayout.unpack(
      (await trainer.state.gradients.read()) as Float32Array,
    );
    for (const name of ['head.weight', 'head.bias', 'stem.linear.weight']) {
      const gradient = gradients.get(name)!;
      const largest = gradient.reduce((a, g, i) => (Math.abs(g) > Math.abs(gradient[a]!) ? i : a), 0);
      const moved = (by: number) => {
        const parameters = new Map(state.parameters);
        const values = Float64Array.from(parameters.get(name)!);
        values[largest]! += by;
        parameters.set(name, values as never);
        return errorOf({ ...state, parameters });
      };
      const wanted = (moved(1e-5) - moved(-1e-5)) / 2e-5;
      expect(Math.abs(gradient[largest]! - wanted), name).toBeLessThan(2e-3 * Math.abs(wanted));
    }

    using evaluator = await Evaluator.create(gpu, network, trainer.state.weights, given);
    const all = Array.from({ length: COUNT }, (_, n) => n);
    const after = await trainer.state.save();
    const error = meanSquare(
      outputsOf(network, after, select(examples, all).x, inferenceNorm),
      wantedOf(all),
    );
    expect(await evaluator.accuracy()).toBeCloseTo(Math.max(0, 1 - error), 5);
    if (what === 'their inputs') return;
    const perfect = outputsOf(network, after, select(examples, all).x, inferenceNorm);
    targets.write(Float32Array.from(perfect, (y) => y + 0.1));
    expect(await evaluator.accuracy()).toBeCloseTo(0.99, 5);
    targets.write(Float32Array.from(perfect, (y) => y + 10));
    expect(await evaluator.accuracy()).toBe(0);
  });
});
