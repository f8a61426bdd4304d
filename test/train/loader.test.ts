import { describe, expect, test } from 'vitest';
import { featureReader } from '../../src/analysis/features.ts';
import { DeviceTask, type Task } from '../../src/experiments/task.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { Loader } from '../../src/train/loader.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { syntheticExamples } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

/** Rows of an odd number of bytes, and batches of an odd number of rows. */
const [FEATURES, CHANNELS, CLASSES, BATCH] = [5 * 5 * 3, 3, 4, 7];
/** More than one batch of an evaluation; an epoch of 160 steps is more than goes round the ring. */
const COUNT = 1121;

function someTask(): Task {
  const { images, labels } = syntheticExamples(COUNT, FEATURES, CLASSES, CHANNELS);
  const dataset = { name: 'noise', count: COUNT, height: 5, width: 5, channels: 3, classes: CLASSES };
  const all = { ...dataset, images, labels };
  const normalization = { mean: [0.4, 0.5, 0.6], std: [0.3, 0.25, 0.2] };
  return { dataset: 'noise', notes: [], train: all, test: all, normalization };
}

/** Trains an epoch and a half, in chunks, the second half resumed; then evaluates. */
async function trained(gpu: Gpu, residentBytes: number | undefined) {
  const network = new FcResNet({
    ...{ inputs: FEATURES, depth: 2, width: 8, classes: CLASSES, activation: 'relu', skip: true },
  });
  using data = new DeviceTask(gpu, someTask(), residentBytes);
  const options = { batch: BATCH, seed: 2, lr: 0.05, momentum: 0.9, weightDecay: 1e-3, steps: 300 };
  let state = initialState(network, 2);
  for (const chunks of [
    [1, 50, 70],
    [40, 79],
  ]) {
    using trainer = await Trainer.create(gpu, network, data.train, options);
    trainer.load(state);
    for (const chunk of chunks) trainer.queue(chunk);
    state = await trainer.state.save();
    if (state.step < 240) continue;
    using evaluator = await Evaluator.create(gpu, network, trainer.state.weights, data.test);
    using reader = await featureReader(gpu, network, trainer.state.weights, data.train, COUNT);
    const accuracies = [await evaluator.accuracy(), await evaluator.accuracy()];
    trainer.load(initialState(network, 2)); // Training leaves few features that are not 0.
    return { state, accuracies, ...(await reader.read()) };
  }
  throw new Error('unreachable');
}

describe('a set on the host', () => {
  test('trains, evaluates and is read to the same bits as one in GPU memory', async () => {
    await withGpu(async (gpu) => {
      const resident = await trained(gpu, undefined);
      const streamed = await trained(gpu, COUNT * FEATURES - 1);
      expect(streamed).toEqual(resident);
      expect(resident.state.step).toBe(240);
      expect(resident.accuracies[0]).toBeGreaterThan(0.25);
      expect(resident.accuracies[1]).toBe(resident.accuracies[0]);
      expect(resident.features.length).toBe(COUNT * 8);
      const last = resident.features.subarray(-8);
      expect(last.some((x) => x !== 0)).toBe(true);
      expect(last).not.toEqual(resident.features.subarray(-16, -8)); // The last batch is not full.
    });
  });

  test('cannot be read in batches that no binding spans', async () => {
    await withGpu((gpu) => {
      using data = new DeviceTask(gpu, someTask(), 0);
      const poor = { traits: { ...gpu.traits, maxBindingBytes: 1000 }, info: { name: 'a small one' } };
      expect(() => new Loader(poor as Gpu, data.train, 13, () => 0)).toThrow(
        '13 images take 1.172 KiB, more than the 1000 B that a small one binds at once',
      );
    });
  });
});
