import { describe, expect, test } from 'vitest';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { ConvResNet, type ConvResNetOptions } from '../../src/models/conv-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { ResNet, type ResNetOptions } from '../../src/models/resnet.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Weights } from '../../src/train/network.ts';
import { convNetLogits, imageOf, resnetLogits } from '../fidelity/reference/convolution.ts';
import { randomNumbers, referenceState, someState } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const SMALL: ResNetOptions = {
  inputs: [12, 12, 3],
  channels: 4,
  classes: 5,
  activation: 'relu',
  skip: true,
};

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
});
