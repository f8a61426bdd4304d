import { expect, test } from 'vitest';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { type Shape, trainingStep } from './reference/network.ts';
import { batchIndices, firstOf, mnistExamples, referenceState, select, upload } from './support.ts';

const SHAPE: Shape = { inputs: 784, depth: 3, width: 64, classes: 10, activation: 'relu', skip: true };
const OPTIONS = { batch: 64, seed: 3, lr: 1e-3, momentum: 0, weightDecay: 5e-2, steps: 120 };
/** Two epochs and a part of one, the last batch of each left out. */
const COUNT = 2800;
const STEPS = 100;

/**
 * Small and without momentum on purpose: with eight blocks, a ReLU that float32 rounds to the other side
 * drives any two implementations apart within a hundred steps, PyTorch's float32 and float64 too (by 1e-2).
 */
test('100 losses on MNIST at a learning rate of 1e-3 match float64', async () => {
  await withGpu(async (gpu) => {
    const network = new FcResNet(SHAPE);
    const examples = firstOf((await mnistExamples()).train, COUNT);
    const start = initialState(network, OPTIONS.seed);
    using device = upload(gpu, examples);
    using trainer = await Trainer.create(gpu, network, device, OPTIONS);
    trainer.load(start);
    trainer.queue(STEPS);
    const records = await trainer.records(STEPS);

    const reference = referenceState(start);
    const losses = Array.from({ length: STEPS }, (_, step) => {
      const { x, labels } = select(examples, batchIndices(COUNT, OPTIONS.batch, OPTIONS.seed, step));
      return trainingStep(SHAPE, reference, x, labels, OPTIONS).loss;
    });
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    const errors = records.map(({ loss }, step) => Math.abs(loss / losses[step]! - 1));
    expect(Math.max(...errors)).toBeLessThan(1e-3);
  });
});
