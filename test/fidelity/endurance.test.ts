import v8 from 'node:v8';
import vm from 'node:vm';
import { expect, test } from 'vitest';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { initialState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { syntheticExamples, upload } from './support.ts';

const STEPS = 10_000;
const CHUNK = 50;
const OPTIONS = { batch: 4, seed: 1, lr: 0.01, momentum: 0.9, weightDecay: 1e-2, steps: STEPS };
/** Less than 2 KiB a step: one command buffer, bind group or promise kept each time would exceed it. */
const BOUND_MIB = 16;

v8.setFlagsFromString('--expose-gc');
const collectGarbage: () => void = vm.runInNewContext('gc');

/** Resident memory, less what V8 holds in reserve. */
function memoryMiB(): number {
  collectGarbage();
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  return (rss - heapTotal + heapUsed) / 2 ** 20;
}

test('10,000 steps leave memory where it was after the first 100', { timeout: 240_000 }, async () => {
  await withGpu(async (gpu) => {
    const network = new FcResNet({
      inputs: 8,
      depth: 1,
      width: 8,
      classes: 2,
      activation: 'relu',
      skip: true,
    });
    using device = upload(gpu, syntheticExamples(64, 8, 2));
    using trainer = await Trainer.create(gpu, network, device, OPTIONS);
    using evaluator = await Evaluator.create(gpu, network, trainer.state.weights, device);
    trainer.load(initialState(network, OPTIONS.seed));

    let before = { buffers: 0, memory: 0 };
    let worst = 0;
    let losses = trainer.records(0);
    while (trainer.step < STEPS) {
      // As the runner does it, one chunk is queued ahead of the one that is waited for.
      trainer.queue(CHUNK);
      const next = trainer.records(CHUNK);
      worst = Math.max(worst, ...(await losses).map(({ loss }) => loss));
      losses = next;
      if (trainer.step % 1000 === 100) await evaluator.accuracy();
      if (trainer.step % 2000 === 100) await trainer.state.save();
      if (trainer.step === 100) {
        await losses;
        before = { buffers: gpu.liveBuffers, memory: memoryMiB() };
      }
    }
    await losses;
    expect(worst).toBeLessThan(100);
    expect(gpu.liveBuffers).toBe(before.buffers);
    expect(memoryMiB() - before.memory).toBeLessThan(BOUND_MIB);
  });
});
