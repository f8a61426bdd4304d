import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Analysis, Course } from '../../src/analysis/results.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import { findExperiment } from '../../src/experiments/given-settings.ts';
import { Interrupt } from '../../src/experiments/interrupt.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { reproduce } from '../../src/experiments/reproduce.ts';
import { describeRun } from '../../src/experiments/run-config.ts';
import { RunFolder } from '../../src/experiments/run-folder.ts';
import type { AdapterInfo } from '../../src/gpu/adapter.ts';
import { withGpu } from '../gpu/harness.ts';

const experiment = findExperiment('mnist-fc');
const settings = {
  ...experiment.presets.quick.settings,
  ...{ classes: 3, images: 600, depth: 2, width: 16, epochs: 3, snapshots: 2, samples: 3, compress: true },
  controlWeightDecay: null,
};
const task = await loadTask('mnist', settings);
const adapter: AdapterInfo = {
  ...{ name: 'any', vendor: '', driver: '', backend: undefined },
  ...{ kind: 'software', source: 'system' },
};
const config = describeRun(experiment, { preset: 'quick', settings, command: '' }, task, adapter);

let root: string;
let folder: RunFolder;
let first: string[];
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-course-'));
  folder = RunFolder.create(join(root, 'run'));
  first = await run();
});
afterAll(() => {
  folder.release();
  fs.rmSync(root, { recursive: true });
});

/** Makes or continues the run, and returns what it did. */
async function run(): Promise<string[]> {
  const phases: string[] = [];
  await withGpu(async (gpu) => {
    using interrupt = new Interrupt();
    await reproduce(gpu, task, folder, config, {
      ...{ interrupt, checkpointSeconds: 60, onProgress() {}, onEpoch() {} },
      tuner: { choices: {}, onChoice() {} },
      onPhase: (phase, network) => phases.push(`${phase} ${network}`),
    });
  });
  return phases;
}

const json = (name: string) => JSON.parse(fs.readFileSync(join(folder.path, name), 'utf8'));
const analysis = () => json('analysis.json') as Analysis;
const course = () => json('course.json') as Course;

test('a run with snapshots is measured at initialization and after each of them', () => {
  expect(first).toEqual(['train run', 'analyze run']);
  const { schema, moments } = course();
  expect(schema).toBe('collimate/course@1');
  expect(moments.map(({ epoch, step }) => [epoch, step])).toEqual([
    [0, 0],
    [1, 4],
    [3, 12],
  ]);
  // The last moment is that of the analysis, which has more to say of it.
  const { samples, alignment, blockLoss, blockLossExamples, compression, ...trained } = analysis().trained;
  const left = { blockLoss: null, blockLossExamples: null, compression: null };
  expect(moments.at(-1)).toEqual({ ...trained, epoch: 3, ...left });
  expect(compression).toHaveLength(1);
  expect(blockLoss).toHaveLength(2);
  expect(blockLossExamples).toBe(2000);
  expect(moments[1]!.collapse).toMatchObject({ examples: 600, nc1: expect.any(Number) });
  expect(moments[1]!.summary.sigma1[0]!.mean).not.toBe(moments[2]!.summary.sigma1[0]!.mean);
});

test('moments that are there already are not measured again, and others are', async () => {
  const whole = course();
  const marked = { ...whole.moments[1]!, testAccuracy: 0.5 };
  folder.writeJson('course.json', { ...whole, moments: [whole.moments[0], marked] });
  expect(await run()).toEqual(['train run', 'analyze run']);
  expect(course().moments).toEqual([whole.moments[0], marked, whole.moments[2]]);
  folder.writeJson('course.json', whole);
  expect(await run()).toEqual(['train run']);
  expect(course()).toEqual(whole);
});

test('an analysis of an earlier version is made again', async () => {
  const now = analysis();
  const { collapse, blockLoss, ...earlier } = now.trained;
  folder.writeJson('analysis.json', { ...now, schema: 'collimate/analysis@2', trained: earlier });
  expect(await run()).toEqual(['train run', 'analyze run']);
  expect(analysis()).toEqual(now);
});

test('a snapshot of another network, training or epoch is refused, with both values', async () => {
  const name = 'snapshots/epoch-0001.safetensors';
  const { info, state } = decodeCheckpoint(folder.readBytes(name), name);
  const { network, training } = info;
  for (const [other, message] of [
    [{ info: { ...info, network: { ...network, activation: 'identity' as const } }, state }, 'network is {'],
    [{ info: { ...info, training: { ...training, seed: 2 } }, state }, 'training is {"seed":2,'],
    [{ info, state: { ...state, step: 8 } }, 'step is 8, and after epoch 1 it is 4'],
  ] as const) {
    folder.write(name, encodeCheckpoint(other));
    fs.rmSync(join(folder.path, 'course.json'));
    await expect(run()).rejects.toThrow(`${folder.path}/${name}: its ${message}`);
    expect(course().moments.map(({ epoch }) => epoch)).toEqual([0]);
  }
});
