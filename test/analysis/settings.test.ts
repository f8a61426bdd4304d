import { expect, test } from 'vitest';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';

const common = { depth: 2, activation: 'relu', skip: true } as const;
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
