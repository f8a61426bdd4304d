import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AS_IN_THE_PAPER, type Settings } from '../../src/experiments/experiment.ts';
import { controlOf, describeRun, readConfig } from '../../src/experiments/run-config.ts';
import { findExperiment } from '../../src/experiments/settings.ts';
import { loadTask } from '../../src/experiments/task.ts';

const experiment = findExperiment('mnist-fc');
const task = await loadTask('mnist', { classes: 2, images: 100 });
const adapter = { name: 'any' } as Parameters<typeof describeRun>[3];

const describe = (changes: Partial<Settings> = {}) => {
  const settings = { ...experiment.presets.quick!.settings, classes: 2, images: 100, ...changes };
  return describeRun(experiment, { preset: 'quick', settings, command: '' }, task, adapter);
};

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'collimate-config-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test('a configuration of an earlier version, which knew fewer settings, is read', () => {
  for (const config of [describe(), controlOf(describe(), task)]) {
    const known = Object.entries(config.settings).filter(([name]) => !(name in AS_IN_THE_PAPER));
    const earlier = { ...config, settings: Object.fromEntries(known) };
    fs.writeFileSync(join(folder, 'config.json'), JSON.stringify(earlier));
    expect(readConfig(folder)).toEqual(JSON.parse(JSON.stringify(config)));
  }
});

test('a checkpoint is told of what is unusual alone, so that earlier ones still belong to their runs', () => {
  const names = (changes?: Partial<Settings>) => Object.keys(describe(changes).training).join(' ');
  expect(names()).toBe('seed images epochs batch lr momentum weightDecay');
  expect(describe().network).toEqual({
    ...{ kind: 'fc', inputs: 784, depth: 8, width: 128, classes: 2, activation: 'relu', skip: true },
  });
  const changes = { randomLabels: 0.5, snapshots: 3, validation: 10, dropout: 0.1, branchScale: 0.5 };
  expect(describe(changes)).toMatchObject({
    training: { randomLabels: 0.5, snapshots: 3 },
    network: { dropout: 0.1, branchScale: 0.5 },
  });
});

test('the control is without skip connections and what needs them, and has its own weight decay', () => {
  const run = describe({ dropout: 0.1, branchScale: 0.5, survival: 0.5, randomLabels: 0.5 });
  const control = controlOf(run, task);
  expect(control.network).toEqual({
    ...{ kind: 'fc', inputs: 784, depth: 8, width: 128, classes: 2, activation: 'relu', skip: false },
    dropout: 0.1,
  });
  expect(control.training).toEqual({ ...run.training, weightDecay: 0.005 });
  expect(control.settings).toMatchObject({ skip: false, survival: 1, branchScale: 1, dropout: 0.1 });
  expect(controlOf(describe({ snapshots: 3 }), task).training).not.toHaveProperty('snapshots');
});
