import { describe, expect, test } from 'vitest';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import {
  bringForward,
  decodeWeights,
  IMAGENETTE_IN_IMAGENET,
} from '../../src/experiments/foreign-weights.ts';
import { encodeSafetensors, type TensorData } from '../../src/experiments/safetensors.ts';
import { ConvResNet, type ConvResNetOptions } from '../../src/models/conv-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { ResNet, type ResNetOptions } from '../../src/models/resnet.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Weights } from '../../src/train/network.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { convNetLogits, imageOf, resnetLogits } from '../fidelity/reference/convolution.ts';
import { randomNumbers, referenceState } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const SMALL: ResNetOptions = {
  inputs: [12, 12, 3],
  channels: 4,
  classes: 5,
  activation: 'relu',
  skip: true,
};

/** A state in which BatchNorm's parameters and statistics are no round numbers either. */
function someState(network: ResidualNetwork): HostState {
  const state = initialState(network, 7);
  const next = randomNumbers(5);
  for (const { name } of network.norms) {
    for (const [kind, arrays, least, spread] of [
      ['weight', state.parameters, 0.5, 1],
      ['bias', state.parameters, -0.2, 0.4],
      ['running_mean', state.statistics, -0.2, 0.4],
      ['running_var', state.statistics, 0.5, 1],
    ] as const) {
      const values = arrays.get(`${name}.${kind}`)!;
      arrays.set(
        `${name}.${kind}`,
        values.map(() => least + spread * next()),
      );
    }
  }
  return state;
}

const BOTTLENECKS: ResNetOptions = { ...SMALL, block: 'bottleneck', layers: [2, 2] };

const LOGITS: Record<string, ResNetOptions> = {
  'the small stem': SMALL,
  'the stem of large images': { ...SMALL, inputs: [37, 34, 3] },
  'two blocks a stage, as in resnet18': { ...SMALL, layers: [2, 2, 2, 2] },
  'bottlenecks, as in resnet50': { ...BOTTLENECKS, inputs: [12, 11, 3], layers: [2, 3, 2] },
  'the stem of large images on small ones': { ...BOTTLENECKS, stem: 'large', inputs: [17, 16, 3] },
  'bottlenecks without skip connections': { ...BOTTLENECKS, skip: false },
  'no skip connections, σ = identity': { ...SMALL, skip: false, activation: 'identity' },
};

describe('logits of ResNets match plain loops in float64', () => {
  test.each(Object.entries(LOGITS))('%s', async (_, options) => {
    const network = new ResNet(options);
    await expectLogits(network, options.inputs, (x, tensors) => resnetLogits(x, tensors, options));
  });

  test('and those of the network of constant resolution', async () => {
    const options: ConvResNetOptions = {
      ...{ inputs: [9, 8, 2], depth: 3, channels: 5, classes: 4, activation: 'relu', skip: true },
      stem: { size: 3, stride: 2, padding: 1 },
    };
    const network = new ConvResNet(options);
    await expectLogits(network, options.inputs, (x, tensors) => convNetLogits(x, tensors, options));
  });
});

async function expectLogits(
  network: ResidualNetwork,
  [height, width, channels]: readonly [number, number, number],
  reference: (x: ReturnType<typeof imageOf>, tensors: Map<string, Float64Array>) => number[],
): Promise<void> {
  const count = 2;
  const state = someState(network);
  const next = randomNumbers(8);
  const each = height * width * channels;
  const x = Float32Array.from({ length: count * each }, () => 4 * next() - 2);
  const shapes = new Map<string, readonly number[]>([
    ...network.parameters.map(({ name, shape }) => [name, shape] as const),
    ...[...state.statistics].map(([name, { length }]) => [name, [length]] as const),
  ]);
  const logits = await withGpu(async (gpu) => {
    const program = await compile(
      gpu,
      (weights: Weights, images: Tensor) => network.forward(weights, images, inferenceNorm),
      [
        Object.fromEntries([...shapes].map(([name, shape]) => [name, { shape }])),
        { shape: [count, height, width, channels], reach: 2 },
      ],
    );
    const weights = Object.fromEntries([...state.parameters, ...state.statistics]);
    return (await program.run(weights, x)).data;
  });
  const { tensors } = referenceState(state);
  const wanted = Array.from({ length: count }, (_, n) =>
    reference(imageOf(x.subarray(n * each, (n + 1) * each), height, width, channels), tensors),
  ).flat();
  const scale = Math.max(...wanted.map(Math.abs));
  wanted.forEach((value, i) => {
    expect(Math.abs(logits[i]! - value)).toBeLessThan(1e-4 * scale);
  });
}

describe('ResNets', () => {
  const standard = new ResNet({ ...SMALL, inputs: [224, 224, 3], channels: 64, classes: 1000 });

  test("has the names, shapes and number of parameters of torchvision's", () => {
    const shapes = new Map(standard.parameters.map(({ name, shape }) => [name, shape]));
    const total = [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(total).toBe(21_797_672);
    expect(shapes.size).toBe(110);
    expect(shapes.get('conv1.weight')).toEqual([64, 3, 7, 7]);
    expect(shapes.get('layer1.2.bn2.bias')).toEqual([64]);
    expect(shapes.get('layer2.0.conv1.weight')).toEqual([128, 64, 3, 3]);
    expect(shapes.get('layer2.0.downsample.0.weight')).toEqual([128, 64, 1, 1]);
    expect(shapes.get('layer4.2.conv2.weight')).toEqual([512, 512, 3, 3]);
    expect(shapes.get('fc.weight')).toEqual([1000, 512]);
    expect(shapes.has('layer1.0.downsample.0.weight')).toBe(false);
  });

  test.each([
    ['resnet18', 'basic', [2, 2, 2, 2], 11_689_512],
    ['resnet50', 'bottleneck', [3, 4, 6, 3], 25_557_032],
    ['resnet101', 'bottleneck', [3, 4, 23, 3], 44_549_160],
    ['resnet152', 'bottleneck', [3, 8, 36, 3], 60_192_808],
  ] as const)("as many as torchvision's %s", (_, block, layers, total) => {
    const { parameters, stages } = new ResNet({ ...standard.options, block, layers });
    const sizes = parameters.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    expect(sizes.reduce((a, b) => a + b)).toBe(total);
    // All blocks but those with projections, which bottlenecks have in the first stage, too.
    expect(stages.map(({ blocks }) => blocks.length)).toEqual(
      layers.map((count, s) => count - (s > 0 || block === 'bottleneck' ? 1 : 0)),
    );
  });

  test('has a stage between each two changes of size', () => {
    expect(standard.stages).toEqual([
      { blocks: ['layer1.0', 'layer1.1', 'layer1.2'], shape: [56, 56, 64], reach: 2 },
      { blocks: ['layer2.1', 'layer2.2', 'layer2.3'], shape: [28, 28, 128], reach: 2 },
      { blocks: [1, 2, 3, 4, 5].map((i) => `layer3.${i}`), shape: [14, 14, 256], reach: 2 },
      { blocks: ['layer4.1', 'layer4.2'], shape: [7, 7, 512], reach: 2 },
    ]);
    expect(new ResNet(SMALL).stages[0]!.shape).toEqual([12, 12, 4]);
  });

  test('has no projections without skip connections', () => {
    const names = new ResNet({ ...SMALL, skip: false }).parameters.map(({ name }) => name);
    expect(names.filter((name) => name.includes('downsample'))).toEqual([]);
  });

  test("loads a file with torchvision's names, with or without counts of batches", () => {
    const network = new ResNet(SMALL);
    const state = someState(network);
    const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
    const tensors = new Map<string, TensorData>(
      [...state.parameters, ...state.statistics].map(([name, data]) => [
        name,
        { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data },
      ]),
    );
    expect(decodeWeights(encodeSafetensors(tensors), 'a', network.options).state).toEqual(state);
    const count = { dtype: 'I64', shape: [], data: BigInt64Array.of(5n) } as const;
    tensors.set('bn1.num_batches_tracked', count).set('layer2.0.downsample.1.num_batches_tracked', count);
    const file = encodeSafetensors(tensors, { format: 'pt' });
    expect(decodeWeights(file, 'a', network.options).state).toEqual(state);
    // The file says how many classes there are.
    expect(decodeWeights(file, 'a', { ...network.options, classes: 7 })).toEqual({
      network: network.options,
      state,
    });
    const wider = new ResNet({ ...SMALL, channels: 8 });
    expect(() => decodeWeights(file, 'a', wider.options)).toThrow(
      'has the tensor conv1.weight as F32 [4,3,3,3], expected F32 [8,3,3,3]',
    );
    tensors.delete('layer3.0.downsample.0.weight');
    expect(() => decodeWeights(encodeSafetensors(tensors), 'a', network.options)).toThrow(
      'lacks the tensor layer3.0.downsample.0.weight',
    );
  });

  test('outputs are reordered with their biases', () => {
    const { classifier, options } = new ResNet(SMALL);
    const state = initialState(new ResNet(options), 3);
    const [weight, bias] = [classifier, 'fc.bias'].map((name) => state.parameters.get(name)!);
    bringForward(state, classifier, [3, 1]);
    const row = (c: number) => weight!.subarray(32 * c, 32 * (c + 1));
    expect(state.parameters.get('fc.bias')).toEqual(Float32Array.from([3, 1, 0, 2, 4], (c) => bias![c]!));
    expect([...state.parameters.get(classifier)!]).toEqual([3, 1, 0, 2, 4].flatMap((c) => [...row(c)]));
  });

  test('the classes of ImageNette are those of ImageNet, by the names that both have', () => {
    const imagenet = {
      'tench': 0, 'English springer': 217, 'cassette player': 482, 'chain saw': 491, 'church': 497,
      'French horn': 566, 'garbage truck': 569, 'gas pump': 571, 'golf ball': 574, 'parachute': 701,
    }; // biome-ignore format: a table
    expect(IMAGENETTE_IN_IMAGENET).toEqual(Object.values(imagenet));
  });

  test('weights are taken from under the prefixes of wrappers', () => {
    const network = new ResNet(SMALL);
    const state = someState(network);
    const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
    const all = [...state.parameters, ...state.statistics];
    for (const prefix of ['module.', '_orig_mod.', 'model.', 'module._orig_mod.']) {
      const named = all.map(([name, data]): [string, TensorData] => [
        prefix + name,
        { dtype: 'F64', shape: shapes.get(name) ?? [data.length], data: Float64Array.from(data) },
      ]);
      const file = encodeSafetensors(new Map(named));
      expect(decodeWeights(file, 'a', network.options).state).toEqual(state);
    }
    const mixed = all.map(([name, data], i): [string, TensorData] => [
      (i ? 'module.' : '') + name,
      { dtype: 'F32', shape: shapes.get(name) ?? [data.length], data },
    ]);
    expect(() => decodeWeights(encodeSafetensors(new Map(mixed)), 'a', network.options)).toThrow(
      'a lacks the tensor',
    );
    const fine = Float64Array.from(all[0]![1]);
    fine[0] = 0.1;
    const tensors = new Map<string, TensorData>([
      [all[0]![0], { dtype: 'F64', shape: [fine.length], data: fine }],
    ]);
    expect(() => decodeWeights(encodeSafetensors(tensors), 'a', network.options)).toThrow(
      `a has the tensor ${all[0]![0]} as F64, which float32 does not hold exactly`,
    );
  });
});
