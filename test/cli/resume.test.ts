import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findRun } from '../../src/cli/resume.ts';
import { findExperiment } from '../../src/experiments/given-settings.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { describeRun } from '../../src/experiments/run-config.ts';
import type { AdapterInfo } from '../../src/gpu/adapter.ts';
import { fixture } from '../report/fixture.ts';
import { write } from '../report/sweep-fixture.ts';

const cwd = process.cwd();
const experiment = findExperiment('mnist-fc');
const settings = { ...experiment.presets.quick.settings, images: 200 };
const task = await loadTask('mnist', { classes: 10, images: 200 });
const adapter: AdapterInfo = {
  ...{ name: 'any', vendor: '', driver: '', backend: undefined },
  ...{ kind: 'software', source: 'system' },
};
let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-resume-'));
  process.chdir(root);
});
afterEach(() => {
  process.chdir(cwd);
  fs.rmSync(root, { recursive: true });
});

function run(name: string, started: string, done: boolean): string {
  const folder = join('results/mnist-fc', name);
  fs.mkdirSync(folder, { recursive: true });
  const config = describeRun(experiment, { preset: 'quick', settings, command: '' }, task, adapter);
  write(folder, 'config.json', { ...config, started });
  const { run, claims } = fixture();
  if (done) {
    write(folder, 'analysis.json', { ...run.analysis, claims });
    fs.writeFileSync(join(folder, 'report.html'), '');
  }
  return folder;
}

test('goes on with the run begun last, in UTC, of those that are not done', () => {
  // Clocks were set back in between: the names are in another order than the runs.
  run('20261025-025900-1', '2026-10-25T00:59:00Z', false);
  const last = run('20261025-020500-1', '2026-10-25T01:05:00Z', false);
  run('20261101-000000-1', '2026-11-01T00:00:00Z', true);
  fs.mkdirSync('results/mnist-fc/20270101-000000-1');
  fs.writeFileSync('results/mnist-fc/20270101-000000-1/config.json', 'null');
  expect(findRun(experiment, true, {}).path).toBe(last);
});

test('takes a run whose report is missing for one that was cut off', () => {
  const folder = run('a', '2026-10-25T01:05:00Z', true);
  fs.rmSync(join(folder, 'report.html'));
  expect(findRun(experiment, true, {}).path).toBe(folder);
});

test('says where nothing was cut off', () => {
  expect(() => findRun(experiment, true, {})).toThrow('there is no run of mnist-fc in results/mnist-fc');
  run('a', '2026-10-25T01:05:00Z', true);
  expect(() => findRun(experiment, true, {})).toThrow(
    'there is no unfinished run of mnist-fc in results/mnist-fc',
  );
});
