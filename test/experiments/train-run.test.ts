import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { Interrupt } from '../../src/experiments/interrupt.ts';
import { CHECKPOINT, RunFolder } from '../../src/experiments/run-folder.ts';
import { DeviceTask, loadTask } from '../../src/experiments/task.ts';
import { type TrainingProgress, train } from '../../src/experiments/train-run.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { DeviceLostError } from '../../src/gpu/failures.ts';
import { openForTest, withGpu } from '../gpu/harness.ts';

const task = await loadTask('mnist', { classes: 3, images: 600 });
const info = {
  experiment: 'mnist-fc',
  network: { kind: 'fc', inputs: 784, depth: 2, width: 16, classes: 3, activation: 'relu', skip: true },
  training: { seed: 5, images: 600, epochs: 2, batch: 16, lr: 0.1, momentum: 0.9, weightDecay: 1e-3 },
  normalization: task.normalization,
} as const;

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-train-'));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

async function trainIn(
  gpu: Gpu,
  folder: RunFolder,
  onProgress: (progress: TrainingProgress) => void = () => {},
) {
  using data = new DeviceTask(gpu, task);
  using interrupt = new Interrupt();
  const session = { interrupt, checkpointSeconds: 0, onProgress, onEpoch: () => {} };
  return await train(gpu, data, folder, info, session);
}

test('a lost device ends training with the last checkpoint whole, from which it ends in the same bits', async () => {
  const path = join(root, 'lost');
  using folder = RunFolder.create(path);
  const lost = await openForTest();
  const losing = trainIn(lost, folder, ({ step }) => step > 2 && lost.device.destroy());
  await expect(losing).rejects.toBeInstanceOf(DeviceLostError);
  lost.dispose();
  const kept = decodeCheckpoint(folder.readBytes(CHECKPOINT), 'kept');
  expect(kept.state.step).toBeGreaterThan(2);
  expect(kept.state.step).toBeLessThan(37);
  expect(kept.info.progress?.sums.loss).toBeGreaterThan(0);

  await withGpu(async (gpu) => {
    const resumed = await trainIn(gpu, folder);
    using other = RunFolder.create(join(root, 'whole'));
    expect(resumed).toEqual(await trainIn(gpu, other));
    expect(folder.readBytes(CHECKPOINT)).toEqual(other.readBytes(CHECKPOINT));
    expect(await trainIn(gpu, folder)).toEqual(resumed); // nothing is left to be done
  });
});

test("another run's checkpoint is refused", async () => {
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'mixed'));
    await trainIn(gpu, folder);
    using data = new DeviceTask(gpu, task);
    using interrupt = new Interrupt();
    const session = { interrupt, checkpointSeconds: 0, onProgress() {}, onEpoch() {} };
    const other = { ...info, training: { ...info.training, lr: 0.2 } };
    await expect(train(gpu, data, folder, other, session)).rejects.toThrow(
      'belongs to another run: its training is',
    );
  });
});
