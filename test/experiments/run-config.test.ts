import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CollimateError } from '../../src/errors.ts';
import { LEVELS } from '../../src/experiments/experiment.ts';
import { checkSettings, findExperiment, settingsSchema } from '../../src/experiments/given-settings.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { controlOf, describeRun, readConfig } from '../../src/experiments/run-config.ts';
import { defaultSeeds, planSweep } from '../../src/experiments/sweep.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';
import type { AdapterInfo } from '../../src/gpu/adapter.ts';
import { checked } from '../../src/schema.ts';
import { defaults } from '../../src/settings/settings.ts';
import type { Settings } from '../../src/settings/table.ts';
import { places, textWith } from './mutations.ts';

const experiment = findExperiment('mnist-fc');
const task = await loadTask('mnist', { classes: 2, images: 100 });
const adapter: AdapterInfo = {
  ...{ name: 'any', vendor: '', driver: '', backend: undefined },
  ...{ kind: 'software', source: 'system' },
};

const describe = (changes: Partial<Settings> = {}) => {
  const settings = { ...experiment.presets.quick.settings, classes: 2, images: 100, batch: 20, ...changes };
  return describeRun(experiment, { preset: 'quick', settings, command: '' }, task, adapter);
};

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'collimate-config-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test('a configuration of an earlier version, which knew fewer settings, is read', () => {
  for (const config of [describe(), controlOf(describe(), task)]) {
    const known = Object.entries(config.settings).filter(([name]) => !(name in defaults));
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

const write = (text: string) => fs.writeFileSync(join(folder, 'config.json'), text);

const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
const changes = [
  'null',
  '"text"',
  '"1"',
  '-3',
  '0.5',
  '4e8',
  '1e999',
  'true',
  '{}',
  '[]',
  '{"a":{"b":1}}',
  undefined,
];

test('any one field changed, of any type, is refused with the file and the field, or decides nothing', () => {
  const whole = JSON.parse(JSON.stringify({ ...describe(), kernels: { 'matmul 1': 'tiled' } }));
  const decisive = ({ experiment, settings, network, training }: ReturnType<typeof readConfig>) => ({
    ...{ experiment, settings, network, training },
  });
  write(JSON.stringify(whole));
  const expected = decisive(readConfig(folder));
  let refused = 0;
  for (const place of places(whole)) {
    for (const change of [...changes, ...(place.length < 3 ? [deep] : [])]) {
      // Users may drop the control and change how much is measured.
      const free: Record<string, string[]> = {
        'settings.controlWeightDecay': ['null', '0.5'],
        'settings.compress': ['true'],
        'settings.lens': ['true'],
      };
      if (free[place.join('.')]?.includes(change ?? '')) continue;
      write(textWith(whole, place, change));
      try {
        expect(decisive(readConfig(folder)), `${place} as ${change?.slice(0, 20)}`).toEqual(expected);
      } catch (error) {
        if (!(error instanceof CollimateError)) throw error;
        expect(error.message).toContain(join(folder, 'config.json'));
        expect(error.remedy).toBeTruthy();
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan(500);
});

test.each<[string, object]>([
  ['settings.activation: expected "relu" or "identity", got "tanh"', { settings: { activation: 'tanh' } }],
  ['settings.skip: expected true or false, got "no"', { settings: { skip: 'no' } }],
  ['settings.samples: expected a whole number from 1 to 1000, got -3', { settings: { samples: -3 } }],
  ['settings.depth: expected a whole number from 1 to 1000, got 400000000', { settings: { depth: 4e8 } }],
  ['settings.channels is not known here', { settings: { channels: 4 } }],
  ['--batch is 101, more than the 100 training images', { settings: { batch: 101 } }],
  ['there is no experiment constructor', { experiment: 'constructor' }],
  ['there is no experiment __proto__', { experiment: '__proto__' }],
  ['there is no preset toString', { preset: 'toString' }],
  [
    'network is {"kind":"fc","inputs":784,"depth":8,"width":128,"classes":2,"activation":"identity","skip":true}, and by its settings it is {"kind":"fc","inputs":784,"depth":8,"width":128,"classes":2,"activation":"relu","skip":true}',
    { network: { activation: 'identity' } },
  ],
  ['training is {"seed":2,', { training: { seed: 2 } }],
  ['training is {"seed":1,', { training: { images: 101 } }],
])('that says %s is refused', (message, change) => {
  const config = describe() as unknown as Record<string, object>;
  const entries = Object.entries(change).map(([name, inner]) => [
    name,
    typeof inner === 'string' ? inner : { ...config[name], ...inner },
  ]);
  write(JSON.stringify({ ...config, ...Object.fromEntries(entries) }));
  expect(() => readConfig(folder)).toThrow(`${join(folder, 'config.json')}: ${message}`);
});

test('the settings of every run of every sweep are among those that are read back', () => {
  for (const level of LEVELS) {
    for (const sweep of Object.values(sweeps)) {
      for (const { experiment, settings } of planSweep(sweep, {
        level,
        seeds: defaultSeeds(level),
        changes: {},
      })) {
        const read: unknown = JSON.parse(JSON.stringify(settings));
        expect(checkSettings(experiment, checked(read, settingsSchema(experiment), '', ''))).toEqual(
          settings,
        );
      }
    }
  }
});
