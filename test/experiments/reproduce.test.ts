import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences } from '../../scripts/run-differences.ts';
import { decodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { findExperiment } from '../../src/experiments/given-settings.ts';
import { Interrupt } from '../../src/experiments/interrupt.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { type ReproduceSession, reproduce } from '../../src/experiments/reproduce.ts';
import { describeRun } from '../../src/experiments/run-config.ts';
import { CHECKPOINT, RunFolder } from '../../src/experiments/run-folder.ts';
import { DivergedError } from '../../src/experiments/train-run.ts';
import type { Settings } from '../../src/settings/table.ts';
import { Tuner } from '../../src/tuner/tuner.ts';
import { openForTest, withGpu } from '../gpu/harness.ts';

const experiment = findExperiment('mnist-fc');
const base = {
  ...experiment.presets.quick.settings,
  ...{ classes: 3, images: 600, depth: 2, width: 16, epochs: 3, samples: 2 },
};
const task = await loadTask('mnist', base);

let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-reproduce-'));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

/** Makes a run and its control, beside or after it, and returns the order. */
async function make(
  name: string,
  { beside = true, ...changes }: Partial<Settings & { beside: boolean }> = {},
  on: Partial<ReproduceSession> = {},
): Promise<string[]> {
  const phases: string[] = [];
  const settings = { ...base, ...changes };
  const described = changes.images ? await loadTask('mnist', settings) : task;
  using folder = RunFolder.open(join(root, name));
  using interrupt = new Interrupt();
  await withGpu(async (gpu) => {
    const config = describeRun(experiment, { preset: 'quick', settings, command: '' }, described, gpu.info);
    await reproduce(gpu, task, folder, config, {
      ...{ interrupt, checkpointSeconds: 60, onProgress() {}, onEpoch() {} },
      openSecond: async () => (beside ? await openForTest() : undefined),
      tuner: new Tuner({ mode: 'off' }),
      onPhase: (phase, network) => phases.push(`${phase} ${network}`),
      ...on,
    });
  });
  return phases;
}

test('a control that is trained beside its run ends in the same bits as one after it', async () => {
  const after = await make('after', { beside: false });
  expect(after).toEqual(['train run', 'analyze run', 'train control', 'analyze control']);
  const seen = { run: 0, control: 0 };
  const epochs: string[] = [];
  const beside = await make(
    'beside',
    {},
    {
      onProgress({ step }, network) {
        seen[network] = step;
      },
      onEpoch: ({ epoch }, network) => epochs.push(`${network} ${epoch}`),
    },
  );
  expect(beside.slice(0, 2)).toEqual(['train run', 'train control']);
  expect(beside.toSorted()).toEqual(after.toSorted());
  expect(seen).toEqual({ run: 12, control: 12 });
  expect(epochs.toSorted()).toEqual(
    ['control', 'run'].flatMap((network) => [1, 2, 3].map((epoch) => `${network} ${epoch}`)),
  );
  expect(differences(join(root, 'after'), join(root, 'beside'))).toEqual([]);
});

test('a run is not begun on other images than it is recorded to have', async () => {
  await expect(make('other', { images: 500 })).rejects.toThrow(
    'the number of images with their normalization',
  );
  expect(fs.readdirSync(join(root, 'other'))).not.toContain(CHECKPOINT);
});

test('a control that fails leaves the run to end', async () => {
  await expect(make('control', { controlWeightDecay: 1e8 })).rejects.toBeInstanceOf(DivergedError);
  expect(fs.existsSync(join(root, 'control/analysis.json'))).toBe(true);
  expect(fs.existsSync(join(root, 'control/control/analysis.json'))).toBe(false);
});

test('a run that fails stops its control at a checkpoint', async () => {
  await expect(make('run', { weightDecay: 1e8, epochs: 2000 })).rejects.toBeInstanceOf(DivergedError);
  const path = join(root, 'run/control', CHECKPOINT);
  const { step } = decodeCheckpoint(fs.readFileSync(path), path).state;
  expect(step).toBeLessThan(8000);
});

test('a stop is heeded by both at a checkpoint, from which they end in the same bits', async () => {
  using interrupt = new Interrupt(undefined, undefined, () => {});
  // Once: a second request would end the process at once.
  const first = { interrupt, onProgress: () => void (interrupt.requested || interrupt.request(130)) };
  await expect(make('after stop', {}, first)).rejects.toThrow(
    /^stopped after step \d+ of 12; the checkpoint/,
  );
  for (const network of ['.', 'control'])
    expect(fs.existsSync(join(root, 'after stop', network, CHECKPOINT))).toBe(true);
  await make('after stop');
  expect(differences(join(root, 'after'), join(root, 'after stop'))).toEqual([]);
});
