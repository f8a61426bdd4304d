import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SweepRecord } from '../../src/experiments/sweep-file.ts';
import { noteFailure } from '../../src/experiments/sweep-record.ts';
import { type Ended, runCommand as runChild, runScript } from './child.ts';

/** Two runs that take a second or so each, with and without stochastic depth. */
const TINY =
  'stochastic-depth --preset smoke --depth 2 --width 32 --images 256 --validation 64 --batch 32 --epochs 3 --tune off --json'.split(
    ' ',
  );

let root: string;
let whole: string;
let first: Ended;

const env = () => ({ COLLIMATE_CACHE: join(root, 'cache') });
const runCommand = (args: readonly string[], onOutput?: Parameters<typeof runChild>[2]) =>
  runChild('reproduce', args, onOutput, env());

beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-suite-'));
  whole = join(root, 'whole');
  // As it is typed; those below start from bundles.
  first = await runScript('reproduce', [...TINY, '--out', whole], env());
});
afterAll(() => fs.rmSync(root, { recursive: true }));

const events = ({ stdout }: Ended) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const made = (ended: Ended) => events(ended).filter(({ event }) => event === 'run').length;
const record = (folder: string): SweepRecord =>
  JSON.parse(fs.readFileSync(join(folder, 'sweeps/stochastic-depth.smoke/sweep.json'), 'utf8'));
const weights = (folder: string) =>
  record(folder).runs.map(({ id }) =>
    fs.readFileSync(join(folder, 'runs', id, 'checkpoint.safetensors')).toString('base64'),
  );

test('a sweep makes its runs in folders of their own, and joins them', () => {
  expect(first).toMatchObject({ status: 0, signal: null });
  expect(made(first)).toBe(2);
  const { runs, claims } = record(whole);
  expect(runs.map(({ cell, seed, status }) => ({ ...cell, seed, status }))).toEqual([
    { survival: 1, seed: 1, status: 'done' },
    { survival: 0.5, seed: 1, status: 'done' },
  ]);
  for (const { id, trained } of runs) {
    const { command } = JSON.parse(fs.readFileSync(join(whole, 'runs', id, 'config.json'), 'utf8'));
    expect(command).toMatch(/^npm run reproduce -- mnist-fc --preset smoke .*--width 32/);
    expect(fs.existsSync(join(whole, 'runs', id, 'report.html'))).toBe(true);
    expect(trained!.testAccuracy).toBeGreaterThan(0.1);
  }
  expect(new Set(weights(whole)).size).toBe(2);
  expect(claims.map(({ verdict, reason }) => [verdict, reason?.split(':')[0]])).toEqual([
    ['not measurable', 'the network has not learned its task'],
  ]);
  for (const page of ['sweeps/stochastic-depth.smoke/report.html', 'index.html'])
    expect(fs.readFileSync(join(whole, page), 'utf8')).toMatch(/stochastic[- ]depth/i);
  expect(events(first).at(-1)).toMatchObject({ event: 'done', lacking: [] });
});

test('what is there is not made again', async () => {
  const before = record(whole);
  const again = await runCommand([...TINY, '--out', whole]);
  expect(again.status).toBe(0);
  expect(made(again)).toBe(0);
  expect(record(whole)).toEqual(before);
});

describe('in shards', () => {
  const folder = () => join(root, 'shards');

  test('the runs of others are missing at first', async () => {
    const one = await runCommand([...TINY, '--shard', '1/2', '--out', folder()]);
    expect(one).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('1 of 2 runs are still missing'),
    });
    expect(events(one).at(-1).lacking).toHaveLength(1);
    expect(fs.existsSync(join(folder(), 'sweeps/stochastic-depth.smoke'))).toBe(false);
  });

  test('the last joins the results, which are those of one process, even if a worker was killed and replaced', async () => {
    const killed: number[] = [];
    let look: NodeJS.Timeout | undefined;
    const last = await runCommand([...TINY, '--shard', '2/2', '--out', folder()], (stdout, child) => {
      if (process.platform !== 'linux' || look || !stdout.includes('"event":"begin"')) return;
      look = setInterval(() => {
        const [worker] = workersOf(child.pid!);
        if (worker === undefined) return;
        clearInterval(look);
        killed.push(worker);
        process.kill(worker, 'SIGKILL');
      }, 20);
    });
    clearInterval(look);
    expect(last.status).toBe(0);
    if (process.platform === 'linux') expect(killed).toHaveLength(1);
    expect(weights(folder())).toEqual(weights(whole));
  });
});

test('a sweep that was cut off goes on, to the same bits', async () => {
  const folder = join(root, 'cut');
  let signalled = false;
  const cut = await runCommand([...TINY, '--jobs', '1', '--out', folder], (stdout, child) => {
    if (signalled || !stdout.includes('"event":"run"')) return;
    signalled = true;
    child.kill('SIGTERM');
  });
  expect(cut).toMatchObject({
    status: 143,
    stderr: expect.stringContaining('To continue: npm run reproduce -- stochastic-depth'),
  });
  expect(fs.existsSync(join(folder, 'sweeps'))).toBe(false);
  expect((await runCommand([...TINY, '--out', folder])).status).toBe(0);
  expect(weights(folder)).toEqual(weights(whole));
});

/** Processes that a process has started with an IPC channel; tsx has a helper of its own. */
function workersOf(pid: number): number[] {
  const children = fs
    .readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  return children.map(Number).filter((child) => {
    try {
      return fs.readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('/src/cli/worker.');
    } catch {
      return false; // It has gone meanwhile.
    }
  });
}

test('a run that diverges has failed, and is not tried again; its claims have no verdict', async () => {
  const folder = join(root, 'diverged');
  const args = [...TINY, '--lr', '1e6', '--out', folder];
  const ended = await runCommand(args);
  expect(ended.status).toBe(0);
  const { runs, claims } = record(folder);
  for (const { status, reason } of runs) {
    expect(status).toBe('failed');
    expect(reason).toContain('training diverged');
  }
  expect(claims).toMatchObject([{ verdict: 'not measurable', reason: 'a run failed', value: null }]);
  expect(made(await runCommand(args))).toBe(0);
  expect((await runCommand([...args, '--strict'])).status).toBe(1);
});

test('a run whose report is missing is not done, and a damaged record stops no other', async () => {
  const folder = join(root, 'damaged');
  fs.cpSync(whole, folder, { recursive: true });
  const [one, two] = record(folder).runs.map(({ id }) => join(folder, 'runs', id));
  fs.rmSync(join(one!, 'report.html'));
  fs.writeFileSync(`${one}.failed.json`, 'null');
  fs.writeFileSync(join(two!, 'analysis.json'), '{ "schema": ');
  const again = await runCommand([...TINY, '--out', folder]);
  expect(again.status).toBe(1);
  expect(again.stderr).toContain('1 of 2 runs failed; run the same command to retry them.');
  expect(fs.existsSync(join(one!, 'report.html'))).toBe(true);
  expect(fs.existsSync(`${one}.failed.json`)).toBe(false);
  const { runs } = record(folder);
  expect(runs.map(({ status }) => status)).toEqual(['done', 'failed']);
  expect(runs[1]!.reason).toMatch(/analysis\.json is not JSON/);
});

test('a failure of the sweep itself stops all its processes, and is told', async () => {
  const folder = join(root, 'full');
  fs.mkdirSync(folder);
  fs.writeFileSync(join(folder, 'runs'), 'a file where a folder is needed');
  const ended = await runCommand([...TINY, '--lr', '1e6', '--out', folder]);
  expect(ended.status).toBe(1);
  expect(ended.stderr).toContain('cannot write');
  expect(ended.stderr).toContain('A file is where a folder is needed');
  expect(ended.stderr).not.toMatch(/^ +at /m);
});

test('two sweeps that meet leave no failure beside a run that is done', () => {
  const run = record(whole).runs[0]!;
  noteFailure(whole, run, { reason: 'too late', final: true });
  expect(fs.existsSync(join(whole, 'runs', `${run.id}.failed.json`))).toBe(false);
});

test.each([
  [['constructor', '--seeds', '2'], 'there is no experiment constructor'],
  [['width', '--preset', 'toString'], 'there is no preset toString'],
  [['width', '--seed', '2'], 'Give the number of seeds with --seeds'],
  [['width', '--resume'], 'a sweep always continues with its missing runs'],
  [['width', '--width', '4'], 'width sets width itself'],
  [['width', '--shard', '3/2'], '--shard is 3/2'],
  [['width', '--preset', 'slow'], 'there is no preset slow'],
  [['widht'], 'Did you mean width?'],
  [['mnist-fc', '--seeds', '3'], '--seeds does not apply to mnist-fc'],
])('%j is refused', async (args, message) => {
  const ended = await runCommand(args);
  expect(ended.status).toBe(1);
  expect(ended.stderr).toContain(message);
});
