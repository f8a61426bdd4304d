import { describe, expect, test } from 'vitest';
import { BUDGET_BYTES, batchOf } from '../../src/analysis/batches.ts';
import { coloring, isExact } from '../../src/analysis/frobenius.ts';
import { jacobianPrograms, stackedShapes } from '../../src/analysis/jacobian-programs.ts';
import { residualJacobians } from '../../src/analysis/jacobians.ts';
import { pathSamples, pathStep } from '../../src/analysis/measures/paths.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { trace } from '../../src/autograd/graph.ts';
import { plan } from '../../src/autograd/lower/plan.ts';
import { bytesOf } from '../../src/autograd/shape.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { ResNet } from '../../src/models/resnet.ts';
import { initialState, TrainingState } from '../../src/train/state.ts';
import { numbers, poisoned } from '../autograd/support.ts';
import { withGpu } from '../gpu/harness.ts';
import { softwareTraits } from '../gpu/traits.ts';

const MEBI = 2 ** 20;
const SAMPLES = 16;
const TRIPLES = 30;

const traits = { ...softwareTraits, subgroupSize: 8, maxTexelBytes: 128 * MEBI };

/** The place of the one program that takes no weights. */
const OVERLAPS = 2;

/** All that a stage's analysis runs, at the sizes it uses: bytes of each array, and weights apart. */
function memoryOf(network: ResidualNetwork, stage: ResidualNetwork['stages'][number], limits = traits) {
  const settings = analysisSettings(network, { seed: 1, triples: TRIPLES, spectrum: TRIPLES });
  const sketch = { ...settings, columns: settings.sketchColumns };
  const { samples, blocks } = batchOf(stage, SAMPLES, sketch, limits);
  const programs = jacobianPrograms(network, stage, sketch);
  const dim = stage.shape.reduce((a, b) => a * b);
  const weights = Object.fromEntries(
    [...stackedShapes(network, stage, blocks)].map(([name, shape]) => [`block.${name}`, { shape }]),
  );
  const points = { shape: [blocks, samples, ...stage.shape] };
  const vectors = { shape: [1, samples, TRIPLES, dim] };
  const one = { shape: [1], dtype: 'u32' as const };
  const dense = stage.shape.length === 1;
  const graphs = [
    trace(programs.triples(dense), [weights, points, { shape: [2], dtype: 'u32' }]),
    trace(programs.couplings, [weights, points, vectors, vectors]),
    trace(programs.overlaps, [{ shape: [blocks, ...vectors.shape.slice(1)] }, vectors]),
    trace(programs.probes, [weights, points, { shape: [dim], dtype: 'u32' }, one]),
  ];
  return graphs.map((graph, program) => {
    const own = program === OVERLAPS ? 0 : Object.keys(weights).length;
    const arrays = [...graph.inputs.slice(own), ...graph.outputs].map(bytesOf);
    const { slots, textures } = plan(graph, limits);
    return {
      weights: graph.inputs.slice(0, own).map(bytesOf),
      arrays: [...arrays, ...slots, ...textures],
    };
  });
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('on an adapter that lets a binding span 128 MiB, the analysis', () => {
  const network = new ResNet({
    ...{ inputs: [32, 32, 3], channels: 64, classes: 10, activation: 'relu', skip: true },
  });

  test.each(network.stages.map((stage) => [stage.shape.join('×'), stage] as const))(
    'of 30 triples of a ResNet-34 at 32×32 keeps to the limits and to its budget: %s',
    (_, stage) => {
      for (const { weights, arrays } of memoryOf(network, stage)) {
        expect(Math.max(...weights, ...arrays)).toBeLessThanOrEqual(traits.maxBindingBytes);
        expect(sum(arrays)).toBeLessThanOrEqual(BUDGET_BYTES);
      }
    },
  );

  test('of a wide fully connected network too', () => {
    const fc = new FcResNet({
      ...{ inputs: 784, depth: 16, width: 1024, classes: 10, activation: 'relu', skip: true },
    });
    for (const { arrays } of memoryOf(fc, fc.stages[0]!))
      expect(sum(arrays)).toBeLessThanOrEqual(BUDGET_BYTES);
  });

  test('of the paths through many blocks too', () => {
    const deep = new ConvResNet({
      ...{ inputs: [32, 32, 3], depth: 32, channels: 64, classes: 10, activation: 'relu', skip: true },
      stem: { size: 3, stride: 1, padding: 1 },
    });
    const { shape } = deep.stages[0]!;
    const samples = pathSamples(deep, traits);
    expect(samples).toBe(3);
    const weights = Object.fromEntries(
      [...stackedShapes(deep, deep.stages[0]!, 1)].map(([name, [, ...own]]) => [
        `block.${name}`,
        { shape: own },
      ]),
    );
    const parts = { shape: [33, samples, ...shape] };
    const graph = trace(pathStep(deep), [weights, { shape: [samples, ...shape] }, parts]);
    const { slots, textures } = plan(graph, traits);
    expect(Math.max(...slots)).toBeLessThanOrEqual(traits.maxBindingBytes);
    expect(sum([...slots, ...textures, 2 * bytesOf(graph.outputs[0]!)])).toBeLessThanOrEqual(BUDGET_BYTES);
  });

  test('refuses what has no room', () => {
    const stage = network.stages[0]!;
    const sketch = { columns: 64, triples: 10, powerIterations: 1, filters: 0 };
    expect(() => batchOf(stage, SAMPLES, sketch, { ...traits, maxBindingBytes: MEBI })).toThrow(
      /64 directions of 32×32×64 numbers take 16777216 bytes/,
    );
  });
});

test('a Frobenius norm is exact where probing takes no more products than the SVD', () => {
  const stage = { blocks: ['a'], shape: [14, 14, 16], reach: 2 };
  expect(coloring(stage).count).toBe(400);
  const sketch = { columns: 20, triples: 10, filters: 0 };
  expect(isExact(stage, { ...sketch, powerIterations: 9 })).toBe(true); // 2 · 20 · 10
  expect(isExact(stage, { ...sketch, powerIterations: 8 })).toBe(false);
});

test('a block that runs alone uses weights where they lie on the device, and finds the same bits', async () => {
  const network = new FcResNet({
    ...{ inputs: 4, depth: 3, width: 8, classes: 2, activation: 'relu', skip: true, tied: true },
  });
  const [stage] = network.stages as [(typeof network.stages)[0]];
  const points = network.blocks.map((_, i) => Float32Array.from(numbers(2 * 8, i)));
  const { sketchColumns: columns, ...settings } = analysisSettings(network, { seed: 1 });
  const host = initialState(network, 1);
  await withGpu(async (gpu) => {
    const room = poisoned(gpu, { maxBindingBytes: 4 * 8 * 8 * 2 });
    using state = new TrainingState(room, network);
    state.load(host);
    const measure = async (resident?: typeof state.weights) => {
      const before = gpu.liveBuffers;
      using jacobians = residualJacobians(
        room,
        network,
        stage,
        host,
        points,
        { ...settings, columns },
        resident,
      );
      return { arrays: gpu.liveBuffers - before, triples: await jacobians.triples() };
    };
    const [copied, resident] = [await measure(), await measure(state.weights)];
    expect(resident.triples).toEqual(copied.triples);
    expect(resident.triples.s[0]).toBeGreaterThan(0);
    expect(resident.arrays).toBe(3); // the points of three blocks
    expect(copied.arrays).toBeGreaterThan(3);
  });
});
