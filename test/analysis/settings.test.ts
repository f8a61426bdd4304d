import { expect, test } from 'vitest';
import { batchOf, isDense } from '../../src/analysis/batches.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { softwareTraits } from '../gpu/traits.ts';

const common = { depth: 16, activation: 'relu', skip: true } as const;
const fc = (classes: number, width: number) => new FcResNet({ ...common, inputs: 4, width, classes });
const conv = (classes: number, side: number, channels: number) =>
  new ConvResNet({
    ...{ ...common, inputs: [side, side, 1], width: channels, channels, classes },
    stem: { size: 3, stride: 1, padding: 1 },
  });

// By hand: K = C, 3C values, 2·3C + 4 columns in eights, from 24 to 128.
test.each([
  ['fully connected, C = 10, d = 128', fc(10, 128), [10, 30, 64, 2, 0]],
  ['fully connected, C = 5, d = 64', fc(5, 64), [5, 15, 40, 2, 0]],
  ['fully connected, C = 1, d = 128', fc(1, 128), [2, 3, 24, 8, 0]],
  ['fully connected, C = 3, d = 8', fc(3, 8), [3, 8, 8, 1, 0]],
  ['fully connected, C = 200, d = 128', fc(200, 128), [128, 128, 128, 1, 0]],
  ['fully connected, C = 200, d = 512', fc(200, 512), [120, 120, 128, 6, 0]],
  ['convolutional, C = 10, d = 256', conv(10, 8, 4), [10, 30, 64, 3, 1]],
  ['convolutional, C = 10, d = 16,384', conv(10, 32, 16), [10, 30, 64, 3, 2]],
  ['convolutional, C = 10, d = 32,768', conv(10, 32, 32), [10, 30, 64, 3, 3]],
  ['convolutional, C = 100, d = 256', conv(100, 8, 4), [100, 120, 128, 3, 2]],
])('what an analysis takes by default: %s', (_, network, expected) => {
  const { triples, spectrum, sketchColumns, powerIterations, filters } = analysisSettings(network, {
    seed: 1,
  });
  expect([triples, spectrum, sketchColumns, powerIterations, filters]).toEqual(expected);
});

// A batch of tangents has 32 MiB: 512 matrices of 128 × 128 numbers, or as many sketches of 64 times 256.
test.each<[string, ResidualNetwork, number, [dense: boolean, samples: number, blocks: number]]>([
  ['matrices, all samples and some blocks', fc(10, 128), 100, [true, 100, 5]],
  ['matrices, all blocks', fc(10, 128), 10, [true, 10, 16]],
  ['matrices, half of the samples and one block', fc(10, 128), 601, [true, 301, 1]],
  ['a matrix too large to hold', fc(10, 4096), 100, [false, 25, 1]],
  ['positions', conv(10, 8, 4), 100, [false, 100, 5]],
])('what a program of an analysis holds at once: %s', (_, network, count, expected) => {
  const settings = analysisSettings(network, { seed: 1 });
  const sketch = { ...settings, columns: settings.sketchColumns };
  const [stage] = network.stages as [(typeof network.stages)[0]];
  const { samples, blocks } = batchOf(stage, count, sketch, softwareTraits);
  expect([isDense(stage, sketch, softwareTraits), samples, blocks]).toEqual(expected);
});
