import { describe, expect, test } from 'vitest';
import { mul, softmaxCrossEntropy } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { valueAndGrad } from '../../src/autograd/transform.ts';
import { philoxUniform } from '../../src/kernels/philox.ts';
import { ConvResNet, type ConvResNetOptions } from '../../src/models/conv-resnet.ts';
import { type NetworkOptions, networkOf } from '../../src/models/networks.ts';
import { type BatchStatistics, trainingNorm } from '../../src/train/batch-norm.ts';
import { evaluationBatch } from '../../src/train/evaluate.ts';
import type { BlockNoise, Network } from '../../src/train/network.ts';
import { initialState, shuffleSeed } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { batchIndices, distance, norm, select, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const TRAINING = { batch: 8, seed: 4, lr: 0.1, momentum: 0.9, weightDecay: 1e-2, steps: 10 };
const COUNT = 40;

const CONV: Record<string, ConvResNetOptions> = {
  'three channels, a stem with a stride': {
    ...{ inputs: [9, 8, 3], depth: 2, channels: 6, classes: 4, activation: 'relu', skip: true },
    stem: { size: 3, stride: 2, padding: 1 },
  },
  'one channel, no skip, σ = identity': {
    ...{ inputs: [6, 6, 1], depth: 2, channels: 4, classes: 3, activation: 'identity', skip: false },
    stem: { size: 5, stride: 1, padding: 2 },
  },
  'learned branch scales': {
    ...{ inputs: [6, 6, 1], depth: 2, channels: 4, classes: 3, activation: 'relu', skip: true },
    stem: { size: 3, stride: 1, padding: 1 },
    branchScale: 'learned',
  },
  'stochastic depth': {
    ...{
      inputs: [6, 6, 1],
      depth: 4,
      channels: 4,
      classes: 3,
      activation: 'relu',
      skip: true,
      survival: 0.7,
    },
    stem: { size: 3, stride: 1, padding: 1 },
  },
};

const SETTINGS: [string, NetworkOptions][] = [
  ...Object.entries(CONV).map(([name, options]): [string, NetworkOptions] => [
    name,
    { kind: 'conv', ...options },
  ]),
  [
    'resnet34',
    { kind: 'resnet34', inputs: [9, 8, 3], channels: 2, classes: 3, activation: 'relu', skip: true },
  ],
];

describe('a step of a convolutional network matches the interpreter in float64', () => {
  test.each(SETTINGS)('%s', async (_, options) => {
    await withGpu(async (gpu) => {
      const network = networkOf(options);
      const [height, width, channels] = network.input as [number, number, number];
      const examples = syntheticExamples(COUNT, height * width * channels, options.classes, channels);
      using device = upload(gpu, examples);
      using trainer = await Trainer.create(gpu, network, device, TRAINING);
      const start = initialState(network, TRAINING.seed);
      trainer.load(start);
      trainer.queue(1);
      const [record] = await trainer.records(1);

      const { x, labels } = select(examples, batchIndices(COUNT, TRAINING.batch, TRAINING.seed, 0));
      const wanted = reference(network, start.parameters, x, labels, noiseOf(options));
      expect(record!.loss).toBeCloseTo(wanted.loss, 5);
      const { state } = trainer;
      const gradients = state.parameterLayout.unpack((await state.gradients.read()) as Float32Array);
      const floor = 1e-6 * Math.max(...[...wanted.gradients.values()].map(norm));
      for (const [name, gradient] of wanted.gradients) {
        const error = distance(gradients.get(name)!, gradient);
        expect(error, `gradient of ${name}`).toBeLessThan(1e-4 * norm(gradient) + floor);
      }
      const { statistics } = await state.save();
      for (const { name, positions } of network.norms) {
        const { mean, variance } = wanted.statistics.get(name)!;
        const n = TRAINING.batch * positions;
        const running = {
          running_mean: mean.map((m) => 0.1 * m),
          running_var: variance.map((v) => 0.9 + (0.1 * v * n) / (n - 1)),
        };
        for (const [kind, value] of Object.entries(running)) {
          expect(distance(statistics.get(`${name}.${kind}`)!, value)).toBeLessThan(1e-5 * norm(value) + 1e-6);
        }
      }
    });
  });
});

/** Whether the first step keeps each block, as documented: by a number that the generator draws for it. */
function noiseOf(options: NetworkOptions): BlockNoise {
  const { survival = 1, depth } = options as ConvResNetOptions;
  if (survival === 1) return {};
  const key = [shuffleSeed(TRAINING.seed), 0] as const;
  const kept = Array.from({ length: depth }, (_, i) => philoxUniform(1, key, i)[0]! < survival);
  expect(new Set(kept).size).toBe(2);
  return { branch: (branch, block) => mul(branch, kept[Number(block.split('.')[1])] ? 1 / survival : 0) };
}

function reference(
  network: Network,
  parameters: ReadonlyMap<string, Float32Array>,
  x: Float64Array,
  labels: readonly number[],
  noise: BlockNoise,
) {
  const graph = trace(
    (weights: Record<string, Tensor>, images: Tensor, y: Tensor) => {
      const seen: Record<string, BatchStatistics> = {};
      const loss = (w: Record<string, Tensor>) =>
        softmaxCrossEntropy(network.forward(w, images, trainingNorm(seen), noise), y);
      const result = valueAndGrad(loss)(weights);
      return [result, network.norms.map(({ name }) => [seen[name]!.mean, seen[name]!.variance])];
    },
    [
      Object.fromEntries(network.parameters.map(({ name, shape }) => [name, { shape }])),
      { shape: [labels.length, ...network.input] },
      { shape: [labels.length] },
    ],
  );
  const given = [...network.parameters.map(({ name }) => parameters.get(name)!), x, labels];
  const values = interpret(graph, given as Float64Array[]).map(({ data }) => data as Float64Array);
  const count = network.parameters.length;
  const gradients = values.slice(1, count + 1);
  const statistics = values.slice(count + 1);
  return {
    loss: values[0]![0]!,
    gradients: new Map(network.parameters.map(({ name }, i) => [name, gradients[i]!])),
    statistics: new Map(
      network.norms.map(({ name }, i) => [
        name,
        { mean: statistics[2 * i]!, variance: statistics[2 * i + 1]! },
      ]),
    ),
  };
}

test('evaluation runs as many examples at once as its largest activation allows, at most 1000', () => {
  const network = new ConvResNet(CONV['three channels, a stem with a stride']!);
  const bytes = 4 * 9 * 8 * 3;
  expect(evaluationBatch(network, { maxBindingBytes: 2.5 * bytes })).toBe(2);
  expect(evaluationBatch(network, { maxBindingBytes: bytes - 1 })).toBe(1);
  expect(evaluationBatch(network, { maxBindingBytes: 2 ** 30 })).toBe(1000);
});

test('options that no network can have are refused', () => {
  const options = CONV['one channel, no skip, σ = identity']!;
  expect(() => new ConvResNet({ ...options, channels: 0 })).toThrow(
    'channels: expected a whole number from 1 to 65536, got 0',
  );
  expect(() => new ConvResNet({ ...options, stem: { size: 9, stride: 1, padding: 0 } })).toThrow(
    "the window's height is 9, the image's 6",
  );
  expect(() => new ConvResNet({ ...options, survival: 0.5 })).toThrow('without skip connections');
  expect(() => new ConvResNet({ ...options, skip: true, survival: 0 })).toThrow(
    'survival: expected a probability above 0 and at most 1, got 0',
  );
  expect(() => new ConvResNet({ ...options, branchScale: 0.5 })).toThrow('branchScale is 0.5 in a network');
  expect(() => new ConvResNet({ ...options, skip: true, branchScale: 0 })).toThrow(
    'branchScale: expected "learned" or a number above 0, got 0',
  );
});
