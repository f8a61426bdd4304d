import { expect, test } from 'vitest';
import { catalog } from '../../src/experiments/catalog.ts';
import { forwardFlops, measureRates, workOf } from '../../src/experiments/estimate.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { ResNet } from '../../src/models/resnet.ts';
import { withGpu } from '../gpu/harness.ts';

const shared = { classes: 10, activation: 'relu', skip: true } as const;

test('operations of a forward pass are those of its products', () => {
  const fc = new FcResNet({ inputs: 20, depth: 3, width: 8, ...shared });
  expect(forwardFlops(fc)).toBe(2 * (20 * 8 + 6 * 8 * 8 + 8 * 10));
  const stem = { size: 3, stride: 2, padding: 1 };
  const conv = new ConvResNet({ inputs: [28, 28, 1], depth: 2, channels: 4, stem, ...shared });
  expect(forwardFlops(conv)).toBe(2 * (196 * 9 * 4 + 4 * 196 * 9 * 4 * 4 + 4 * 10));
  // 3.6 billion multiply–adds at 224×224, as He et al. (2016) count them.
  const standard = new ResNet({ inputs: [224, 224, 3], channels: 64, ...shared, classes: 1000 });
  expect(forwardFlops(standard) / 2e9).toBeCloseTo(3.66, 1);
});

test('an experiment is as large as its epochs, both networks and its tests', () => {
  const experiment = catalog['mnist-fc']!;
  const settings = { ...experiment.presets.quick.settings, epochs: 2, images: 1000, batch: 300 };
  const forward = 2 * (784 * 128 + 16 * 128 * 128 + 128 * 10);
  const { flops, parameters } = workOf(experiment, settings);
  expect(flops).toBe(2 * 2 * forward * (3 * 900 + 10_000));
  expect(parameters).toBe(forward / 2 + 17 * 2 * 128 + 10);
  expect(workOf(experiment, { ...settings, controlWeightDecay: null }).flops).toBe(flops / 2);
});

test('rates are measured for every kind of network', async () => {
  await withGpu(async (gpu) => {
    for (const rate of Object.values(await measureRates(gpu))) expect(rate).toBeGreaterThan(1e6);
  });
});
