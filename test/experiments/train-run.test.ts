import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { Interrupt } from '../../src/experiments/interrupt.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { CHECKPOINT, RunFolder, readMetrics } from '../../src/experiments/run-folder.ts';
import { snapshotFile } from '../../src/experiments/snapshots.ts';
import { DeviceTask, type Task } from '../../src/experiments/task.ts';
import { type TrainingProgress, train } from '../../src/experiments/train-run.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { DeviceLostError } from '../../src/gpu/failures.ts';
import { openGpu } from '../../src/host/open.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { dyingGpu } from '../gpu/dead.ts';
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
  own: Parameters<typeof train>[2] = info,
  images: Task = task,
  testEvery = 1,
) {
  using data = new DeviceTask(gpu, images);
  using interrupt = new Interrupt();
  const session = { interrupt, testEvery, checkpointSeconds: 0, onProgress, onEpoch: () => {} };
  return await train(data, folder, own, session);
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

test('a device lost while the first epoch waits for evaluators leaves no failure unobserved', async () => {
  // Vitest fails where a rejected promise has no handler.
  using folder = RunFolder.create(join(root, 'compiling'));
  const lost = await openForTest();
  const { queue } = Trainer.prototype;
  const epochQueued = new Promise<void>((resolve) => {
    vi.spyOn(Trainer.prototype, 'queue').mockImplementation(function (this: Trainer, count) {
      queue.call(this, count);
      if (this.step === 37) setTimeout(resolve);
    });
  });
  vi.spyOn(Evaluator, 'create').mockImplementation(async () => {
    await epochQueued;
    lost.device.destroy();
    return await lost.idle().then(() => expect.fail('the device lives'));
  });
  await expect(trainIn(lost, folder)).rejects.toBeInstanceOf(DeviceLostError);
  vi.restoreAllMocks();
  lost.dispose();
});

test('a loss of exactly 0 ends training', async () => {
  process.env.COLLIMATE_UNCHECKED = '1';
  try {
    using gpu = await openGpu({ gpu: await dyingGpu(() => true) });
    using folder = RunFolder.create(join(root, 'dead'));
    await expect(trainIn(gpu, folder)).rejects.toThrow(/the loss is exactly 0 at step \d+ on /);
  } finally {
    delete process.env.COLLIMATE_UNCHECKED;
  }
});

test('weights that are no longer finite are not kept, not even as a snapshot', async () => {
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'diverging'));
    const training = { ...info.training, images: 16, epochs: 4, lr: 1e20, weightDecay: 1e30, snapshots: 4 };
    const few = await loadTask('mnist', { classes: 3, images: 16 });
    const own = { ...info, training };
    await expect(trainIn(gpu, folder, undefined, own, few)).rejects.toThrow(
      /diverged: .* is not finite after step 0/,
    );
    expect(fs.existsSync(join(folder.path, snapshotFile(1)))).toBe(false);
  });
});

test("another run's checkpoint is refused", async () => {
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'mixed'));
    await trainIn(gpu, folder);
    using data = new DeviceTask(gpu, task);
    using interrupt = new Interrupt();
    const session = { interrupt, testEvery: 1, checkpointSeconds: 0, onProgress() {}, onEpoch() {} };
    const other = { ...info, training: { ...info.training, lr: 0.2 } };
    await expect(train(data, folder, other, session)).rejects.toThrow(
      'belongs to another run: its training is',
    );
  });
});

test('a checkpoint that contradicts config.json or the metrics is refused, with both values', async () => {
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'cut'));
    const stop = ({ step }: TrainingProgress) => {
      if (step > 2) throw new Error('cut off');
    };
    await expect(trainIn(gpu, folder, stop)).rejects.toThrow('cut off');
    const early = Uint8Array.from(folder.readBytes(CHECKPOINT));
    const { info: own, state: cut } = decodeCheckpoint(early, 'cut');
    // As if cut off in the second epoch.
    const state = { ...cut, step: 40 };
    const bytes = encodeCheckpoint({ info: own, state });
    const line = { lr: 0.1, loss: 1, trainAccuracy: 0.5, testAccuracy: 0.5, seconds: 1 };
    const metrics = `${JSON.stringify({ epoch: 1, step: 37, ...line })}\n`;
    folder.write(CHECKPOINT, bytes);
    folder.write('metrics.jsonl', metrics);
    const { progress, ...finished } = own;
    const refused = async (message: string, other: Parameters<typeof train>[2] = info) => {
      await expect(trainIn(gpu, folder, undefined, other)).rejects.toThrow(message);
      folder.write(CHECKPOINT, bytes);
      folder.write('metrics.jsonl', metrics);
    };
    const name = `${folder.path}/${CHECKPOINT}`;

    await refused(
      `${name} belongs to another run: its experiment is "mnist-fc", and in config.json it is "fashion-fc"`,
      {
        ...info,
        experiment: 'fashion-fc',
      },
    );
    await refused(`${name} belongs to another run: its normalization is {"mean":[`, {
      ...info,
      normalization: { mean: [0.5], std: [1] },
    });
    folder.write(CHECKPOINT, encodeCheckpoint({ info: finished, state }));
    await refused(`${name} is of step ${state.step} of 74, and lacks the progress of an epoch`);
    folder.write(CHECKPOINT, encodeCheckpoint({ info: own, state: { ...state, step: 74 } }));
    await refused(`${name} is of step 74 of 74, and has the progress of an epoch`);
    folder.write(CHECKPOINT, encodeCheckpoint({ info: finished, state: { ...state, step: 75 } }));
    await refused(`${name} is of step 75, and the run has 74`);
    for (const [changed, has] of [
      ['', '[]'],
      [metrics + metrics, '[[1,37],[1,37]]'],
      [metrics.replace('"step":37', '"step":36'), '[[1,36]]'],
      [metrics.replace('"epoch":1', '"epoch":2'), '[[2,37]]'],
      [`${metrics}${metrics.replace('"epoch":1,"step":37', '"epoch":3,"step":111')}`, '[[1,37],[3,111]]'],
    ] as const) {
      folder.write('metrics.jsonl', changed);
      await refused(`up to the checkpoint's step ${state.step}, is ${has}, and by the checkpoint [[1,37]]`);
    }
    folder.write(CHECKPOINT, early);
    using whole = RunFolder.create(join(root, 'whole'));
    expect(await trainIn(gpu, folder)).toEqual(await trainIn(gpu, whole));
  });
});

test('a run keeps the weights of some epochs, the same however it was cut off', async () => {
  const own = { ...info, training: { ...info.training, epochs: 4, snapshots: 3 } };
  const kept = [1, 2, 4].map(snapshotFile);
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'cut'));
    // Cut off in the third epoch, with the first's checkpoint: what the second kept is written again.
    let early = new Uint8Array();
    const stop = ({ step }: TrainingProgress) => {
      if (step === 37) early = Uint8Array.from(folder.readBytes(CHECKPOINT));
      if (step > 74) throw new Error('cut off');
    };
    await expect(trainIn(gpu, folder, stop, own)).rejects.toThrow('cut off');
    folder.write(CHECKPOINT, early);
    folder.write(kept[1]!, 'of another life');
    await trainIn(gpu, folder, undefined, own);

    using other = RunFolder.create(join(root, 'whole'));
    const final = await trainIn(gpu, other, undefined, own);
    expect(fs.readdirSync(join(folder.path, 'snapshots'))).toEqual(kept.map((file) => basename(file)));
    for (const file of kept) expect(folder.readBytes(file)).toEqual(other.readBytes(file));

    const [first, , last] = kept.map((file) => decodeCheckpoint(other.readBytes(file), file));
    expect(first!.state).toMatchObject({ step: 37, moments: [] });
    expect(first!.state.parameters).not.toEqual(final.parameters);
    expect(last!.state).toEqual({ ...final, moments: [] });
    expect(last!.info).toEqual(own);
  });
});

test('epochs in between need not be tested, and the weights are the same', async () => {
  const own = { ...info, training: { ...info.training, epochs: 3 } };
  await withGpu(async (gpu) => {
    using each = RunFolder.create(join(root, 'each'));
    using second = RunFolder.create(join(root, 'second'));
    const state = await trainIn(gpu, each, undefined, own);
    expect(await trainIn(gpu, second, undefined, own, task, 2)).toEqual(state);
    const tested = (folder: RunFolder) => readMetrics(folder.path).map((line) => line.testAccuracy);
    const all = tested(each);
    expect(all).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
    expect(tested(second)).toEqual([null, all[1], all[2]]);
  });
});

test('epochs shorter than what is queued at once are recorded one by one', async () => {
  const few = await loadTask('mnist', { classes: 3, images: 48 });
  const own = { ...info, training: { ...info.training, images: 48, epochs: 20 } };
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'short'));
    await trainIn(gpu, folder, undefined, own, few);
    const ends = readMetrics(folder.path).map(({ epoch, step, testAccuracy }) => [epoch, step, testAccuracy]);
    expect(ends).toEqual(Array.from({ length: 20 }, (_, i) => [i + 1, 3 * (i + 1), expect.any(Number)]));
  });
});

test('each epoch is tested on the images that are held back', async () => {
  const images = await loadTask('mnist', { classes: 3, images: 600, validation: 500 });
  // Of the wrong labels of one half none can be right.
  const halved = {
    ...images.validation!,
    labels: images.validation!.labels.map((y, i) => (i < 250 ? y : 255)),
  };
  await withGpu(async (gpu) => {
    using folder = RunFolder.create(join(root, 'held'));
    await trainIn(gpu, folder, undefined, info, { ...images, validation: halved });
    using other = RunFolder.create(join(root, 'whole'));
    await trainIn(gpu, other);
    expect(folder.readBytes(CHECKPOINT)).toEqual(other.readBytes(CHECKPOINT));
    const metrics = readMetrics(folder.path);
    expect(metrics).toHaveLength(2);
    for (const [n, { validationAccuracy, seconds, ...rest }] of metrics.entries()) {
      expect(validationAccuracy! * 500).toBeCloseTo(Math.round(validationAccuracy! * 500), 3);
      expect(validationAccuracy).toBeLessThanOrEqual(0.5);
      expect(validationAccuracy).toBeGreaterThan(0.3);
      expect({ ...rest, seconds: 0 }).toEqual({ ...readMetrics(other.path)[n], seconds: 0 });
    }
  });
});
