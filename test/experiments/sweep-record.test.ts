import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Evidence } from '../../src/analysis/evidence.ts';
import { loadTask } from '../../src/experiments/load-task.ts';
import { describeRun } from '../../src/experiments/run-config.ts';
import { planSweep } from '../../src/experiments/sweep.ts';
import { recordOf, standingOf } from '../../src/experiments/sweep-record.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';
import { fixture } from '../report/fixture.ts';

const plan = { level: 'smoke', seeds: [1, 2], changes: {} } as const;
const sweep = sweeps['weight-decay']!;
const planned = planSweep(sweep, plan);
const task = await loadTask('mnist', planned[0]!.settings);

/** A root with the files of all runs of a sweep. */
function makeRuns(runs = planned): string {
  const root = fs.mkdtempSync(join(tmpdir(), 'collimate-record-'));
  onTestFinished(() => fs.rmSync(root, { recursive: true }));
  const { run, claims } = fixture({ depth: 4, samples: 2, control: false, course: true, epochs: 3 });
  for (const { id, experiment, preset, settings } of runs) {
    const put = (name: string, contents: unknown) => {
      const path = join(root, 'runs', id, name);
      fs.mkdirSync(dirname(path), { recursive: true });
      fs.writeFileSync(path, typeof contents === 'string' ? contents : JSON.stringify(contents));
    };
    put('analysis.json', { ...run.analysis, claims });
    put('control/analysis.json', run.analysis);
    put('course.json', { schema: 'collimate/course@1', moments: run.course });
    put('metrics.jsonl', run.metrics.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const of = { preset, settings: { ...settings, epochs: 3, controlWeightDecay: 0.001 }, command: '' };
    const adapter = { name: 'any', vendor: '', driver: '', backend: undefined } as const;
    put('config.json', describeRun(experiment, of, task, { ...adapter, kind: 'software', source: 'system' }));
    put('report.html', '');
  }
  return root;
}

const [first, ...others] = planned;
const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;

test('a run with damaged files has failed, saying which; the others stand', () => {
  const root = makeRuns();
  expect(recordOf(root, sweep, 'smoke', planned).runs.map(({ status }) => status)).toEqual(
    planned.map(() => 'done'),
  );
  for (const name of [
    'analysis.json',
    'control/analysis.json',
    'course.json',
    'metrics.jsonl',
    'config.json',
  ]) {
    const path = join(root, 'runs', first!.id, name);
    const whole = fs.readFileSync(path, 'utf8');
    for (const damage of ['null\n', '{}\n', '{"a\n', '[null]\n', `${deep}\n`]) {
      fs.writeFileSync(path, damage);
      const { runs } = recordOf(root, sweep, 'smoke', planned);
      expect(runs[0]).toMatchObject({ status: 'failed', reason: expect.stringContaining(path), claims: [] });
      expect(runs.slice(1).map(({ status }) => status)).toEqual(others.map(() => 'done'));
      // So it is tried again, whatever file it is.
      expect(standingOf(root, first!)).toMatchObject({ status: 'failed', failure: { final: false } });
    }
    fs.writeFileSync(path, whole);
  }
});

test('a run without one of its files is not done', () => {
  const root = makeRuns();
  const folder = join(root, 'runs', first!.id);
  for (const name of ['analysis.json', 'control/analysis.json', 'metrics.jsonl', 'report.html']) {
    const path = join(folder, name);
    const whole = fs.readFileSync(path);
    fs.rmSync(path);
    expect(standingOf(root, first!).status, name).toBe('missing');
    fs.writeFileSync(path, whole);
    expect(standingOf(root, first!).status, name).toBe('done');
  }
});

test('a torn last line of metrics is what a crash leaves', () => {
  const root = makeRuns();
  const path = join(root, 'runs', first!.id, 'metrics.jsonl');
  fs.appendFileSync(path, '{"epoch":4,"st');
  expect(recordOf(root, sweep, 'smoke', planned).runs[0]).toMatchObject({
    status: 'done',
    seconds: 3 * 14.2,
  });
});

test('a note of a failure that is damaged lets the run be tried again', () => {
  const root = makeRuns();
  fs.rmSync(join(root, 'runs', first!.id), { recursive: true });
  const path = `${join(root, 'runs', first!.id)}.failed.json`;
  fs.writeFileSync(path, JSON.stringify({ reason: 'diverged', final: true }));
  expect(standingOf(root, first!)).toEqual({
    status: 'failed',
    failure: { reason: 'diverged', final: true },
  });
  for (const damage of [
    '',
    'null',
    '{"reason":"x"}',
    '{"reason":3,"final":true}',
    '{"reason":"x","final":"no"}',
    deep,
  ]) {
    fs.writeFileSync(path, damage);
    expect(standingOf(root, first!)).toEqual({
      status: 'failed',
      failure: { reason: expect.stringContaining(path), final: false },
    });
    expect(recordOf(root, sweep, 'smoke', planned).runs[1]!.status).toBe('done');
  }
});

test('the claims of single runs are joined over seeds, each with its own', () => {
  const seeds = planSweep(sweeps.seed!, plan);
  const root = makeRuns(seeds);
  const claimsOf = (i: number) => JSON.parse(fs.readFileSync(pathOf(i), 'utf8')).claims as Evidence[];
  const pathOf = (i: number) => join(root, 'runs', seeds[i]!.id, 'analysis.json');
  const changed = claimsOf(1).map((claim, i) => ({
    ...claim,
    value: i,
    values: [i],
    verdict: 'does not hold',
  }));
  const second = JSON.parse(fs.readFileSync(pathOf(1), 'utf8'));
  fs.writeFileSync(pathOf(1), JSON.stringify({ ...second, claims: changed }));

  const own = claimsOf(0);
  const joined = () => recordOf(root, sweeps.seed!, 'smoke', seeds).claims.slice(0, own.length);
  expect(own.length).toBeGreaterThanOrEqual(8);
  expect(joined().map(({ id, values }) => ({ id, values }))).toEqual(
    own.map(({ id, value }, i) => ({ id, values: [value, i] })),
  );
  fs.rmSync(join(root, 'runs', seeds[1]!.id, 'report.html'));
  for (const [i, { values, verdict, reason }] of joined().entries()) {
    expect({ values, verdict }).toEqual({ values: [own[i]!.value, null], verdict: 'not measurable' });
    if (own[i]!.verdict !== 'not measurable') expect(reason).toBe('a run is missing (1 of 2 seeds)');
  }
});

test('no claim of a sweep beyond the paper counts as the paper’s', () => {
  const root = fs.mkdtempSync(join(tmpdir(), 'collimate-record-'));
  onTestFinished(() => fs.rmSync(root, { recursive: true }));
  const beyond = (name: string) => {
    const runs = planSweep(sweeps[name]!, plan);
    const { claims } = recordOf(root, sweeps[name]!, 'smoke', runs);
    expect(claims.length).toBeGreaterThan(0);
    return new Set(claims.map(({ property }) => property === 'beyond'));
  };
  expect(beyond('transformers')).toEqual(new Set([true]));
  expect(beyond('ra4-depth')).toEqual(new Set([false]));
});
