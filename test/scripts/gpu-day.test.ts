import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writtenManifest } from '../../scripts/gpu-day/driver.ts';
import { tasks } from '../../scripts/gpu-day/parts.ts';
import { runWithin } from '../../scripts/gpu-day/process.ts';
import { type Ending, type Part, type Result, runDay } from '../../scripts/gpu-day/schedule.ts';
import { newSummary, readSummary, summaryLines, summaryTable } from '../../scripts/gpu-day/summary.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const DONE: Ending = { status: 0, timedOut: false };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collimate-gpu-day-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A part that takes so many seconds, and its ending if it gets them. */
interface Fake extends Part {
  readonly takes: number;
  readonly ending?: Ending;
  readonly stops?: boolean;
}
const fake = (name: string, takes: number, more: Partial<Fake> = {}): Fake => ({
  ...{ name, takes, weight: 1, minimum: 10 },
  ...more,
});

/** Results of parts on a clock that only they move. */
async function day(seconds: number, ...parts: Fake[]): Promise<Result[]> {
  let [now, stopped] = [0, false];
  const results: Result[] = [];
  await runDay(parts, seconds, {
    now: () => now,
    stopped: () => stopped,
    async start({ takes, ending = DONE, stops }, limit) {
      now += Math.min(takes, limit);
      stopped ||= !!stops;
      return takes > limit ? { status: null, timedOut: true } : ending;
    },
    record: (result) => results.push(result),
  });
  return results;
}

describe('time is handed out by weight', () => {
  it('of what is left, so what one part leaves goes to all after it', async () => {
    const [a, b, c] = await day(60, fake('a', 12), fake('b', 1, { weight: 3 }), fake('c', 1));
    expect([a!.limit, b!.limit, c!.limit]).toEqual([12, 36, 47]);
    expect([a, b, c].map((result) => result!.outcome)).toEqual(['done', 'done', 'done']);
  });

  it('with no less than a part needs, and no more than is left', async () => {
    const results = await day(25, fake('a', 99), fake('b', 99), fake('c', 1), fake('d', 1, { minimum: 5 }));
    expect(results.map(({ outcome, limit }) => [outcome, limit])).toEqual([
      ['cut off', 10],
      ['cut off', 10],
      ['not started', 5],
      ['done', 5],
    ]);
    expect(results[2]!.reason).toBe('5 s were left, and it needs 10');
  });

  it('and what a part needs may depend on how long others took', async () => {
    const results = await day(60, fake('a', 20), fake('b', 1, { minimum: (took) => 3 * took.get('a')! }));
    expect(results.map(({ outcome }) => outcome)).toEqual(['done', 'not started']);
  });

  it('and what was cut off is no measure of what comes after it', async () => {
    const longer = fake('b', 1, { minimum: (took) => 3 * took.get('a')! });
    const results = await day(600, fake('a', 400, { weight: 0.1 }), longer, fake('c', 1));
    expect(results.map(({ outcome }) => outcome)).toEqual(['cut off', 'not started', 'done']);
    expect(results[1]!.reason).toBe('a shorter part was cut off before it');
  });
});

describe('a part that ends badly', () => {
  it('is recorded, and the day goes on', async () => {
    const endings: Ending[] = [
      { status: 3, timedOut: false },
      { status: null, timedOut: false },
      { status: null, timedOut: false, problem: 'no such file' },
    ];
    const results = await day(
      100,
      ...endings.map((ending, i) => fake(`${i}`, 1, { ending })),
      fake('last', 1),
    );
    expect(results.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      ...['failed its exit status is 3', 'failed a signal ended it', 'failed no such file', 'done '],
    ]);
  });

  it('because the day was stopped is told from one that failed, and the rest is not started', async () => {
    const killed = { status: null, timedOut: false };
    const results = await day(100, fake('a', 1, { ending: killed, stops: true }), fake('b', 1));
    expect(results.map(({ outcome }) => outcome)).toEqual(['stopped', 'not started']);
  });
});

describe('a process', () => {
  /** Shells start fast on a busy machine too. */
  const run = (script: string, seconds: number, stop = new AbortController().signal) =>
    runWithin(
      {
        ...{ command: '/bin/sh', args: ['-c', script], cwd: ROOT, env: process.env },
        log: join(folder, 'log'),
      },
      seconds,
      stop,
    );
  const log = () => readFileSync(join(folder, 'log'), 'utf8');
  const FOREVER = 'while :; do sleep 0.1; done';

  it('gives its status, and its output to the log', async () => {
    expect(await run('echo 1; echo 2 >&2; exit 3', 60)).toEqual({ status: 3, timedOut: false });
    expect(log()).toBe('1\n2\n');
  });

  it('is asked to end in time, and may write what it has', async () => {
    const script = `trap 'echo ended; exit 143' TERM; ${FOREVER}`;
    expect(await run(script, 4)).toEqual({ status: 143, timedOut: true });
    expect(log()).toMatch(/ended\n$/);
  });

  it('that does not heed this is killed, with all that it started', async () => {
    const script = `trap '' TERM; echo $$; sh -c 'echo $$; ${FOREVER}' & ${FOREVER}`;
    expect(await run(script, 4)).toEqual({ status: null, timedOut: true });
    const pids = log().trim().split('\n').map(Number);
    expect(pids).toHaveLength(2);
    const lives = (pid: number) =>
      existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    await expect.poll(() => pids.filter(lives), { timeout: 600_000 }).toEqual([]);
  });

  it('ends at once if it is told to', async () => {
    const stop = new AbortController();
    const running = run(FOREVER, 600, stop.signal);
    stop.abort();
    expect(await running).toEqual({ status: null, timedOut: false });
  });

  it('that cannot be started says why', async () => {
    const child = {
      command: join(folder, 'nothing'),
      args: [],
      cwd: ROOT,
      env: {},
      log: join(folder, 'log'),
    };
    const ending = await runWithin(child, 10, new AbortController().signal);
    expect(ending).toMatchObject({ status: null, problem: expect.stringContaining('ENOENT') });
  });
});

it('the table has a line for each part, and one for each thing that it found', () => {
  const parts = [
    { name: 'doctor', outcome: 'done', reason: '', seconds: 1.25, limit: 25, found: ['a GPU', 'x | y'] },
    { name: 'quick', outcome: 'not started', reason: '9 s were left', seconds: 0, limit: 9, found: [] },
  ] as const;
  const about = { date: '', command: '', minutes: 8, adapter: 'gpu' };
  const summary = newSummary(
    about,
    parts.map((part) => ({ ...part, found: [...part.found] })),
  );
  expect(summaryLines(summary)).toBe(`doctor  done         1.3 s  a GPU
                            x | y
quick   not started      –  9 s were left`);
  expect(summaryTable(summary)).toContain('| doctor | done | 1.3 s | a GPU<br>x \\| y |\n');
});

describe('what is found', () => {
  const found = (name: string, log: string) =>
    tasks(folder, 'gpu')
      .find((task) => task.name === name)!
      .found(log);

  it('of a device that computes nothing is said so', () => {
    const zeros = 'computes 5 of 5 numbers of qr wrong: all are 0';
    expect(found('known-answers', `GPU, driver\n✓ conv\n✗ qr: GPU ${zeros}\n1 of 2 right\n`)).toEqual([
      ...['1 of 2 right', '1 give zeros: this device computes nothing there', `qr: GPU ${zeros}`],
    ]);
  });

  it('of a run are its verdicts, or how far it got', () => {
    const training = 'Residual network: step 5/9, epoch 1/2, loss 1.0, 12,345 images/s, 0:01 left\n';
    expect(found('mnist-fc-quick', training)).toEqual(['step 5/9 12,345 images/s']);
    expect(found('mnist-fc-quick', `${training}\n10 of 12 claims hold.\n`)).toEqual([
      '10 of 12 claims hold. 12,345 images/s',
    ]);
    expect(found('mnist-fc-quick', '')).toEqual([]);
  });

  it('of the paper’s run is extrapolated, for two networks', () => {
    const progress = {
      event: 'progress',
      network: 'run',
      step: 100,
      steps: 1000,
      imagesPerSecond: 5e4,
      secondsLeft: 90,
    };
    expect(found('mnist-fc-paper', `${JSON.stringify(progress)}\n{"event":"prog`)).toEqual([
      'step 100/1000 of the network, 50000 images/s',
      'training of network and control would take 3:20',
    ]);
  });

  it('of tests are those that passed and failed, whichever were made', () => {
    expect(
      found('tests-rest', ' ✓ test/a.test.ts > a 5ms\n × test/a.test.ts > b 2ms\n   → expected\n'),
    ).toEqual([...['1 passed, 1 failed', 'test/a.test.ts > b']]);
  });
});

describe('a manifest for NVIDIA’s driver', () => {
  const facts = { nvidia: true, manifests: [], environment: {} };
  it('is written where there is none, naming the first library that loads', () => {
    const manifest = writtenManifest(facts, folder, (library) => library === 'libEGL_nvidia.so.0')!;
    expect(JSON.parse(readFileSync(manifest, 'utf8'))).toMatchObject({
      ICD: { library_path: 'libEGL_nvidia.so.0' },
    });
    expect(writtenManifest({ ...facts, manifests: [manifest] }, folder, () => true)).toBeUndefined();
  });

  it('is not written without such a GPU, without such a library, or where drivers are chosen', () => {
    expect(writtenManifest({ ...facts, nvidia: false }, folder, () => true)).toBeUndefined();
    expect(writtenManifest(facts, folder, () => false)).toBeUndefined();
    const environment = { VK_DRIVER_FILES: 'x' };
    expect(writtenManifest({ ...facts, environment }, folder, () => true)).toBeUndefined();
  });
});

describe('npm run gpu-day', () => {
  const words = (out: string) => [
    '--import',
    'tsx',
    'scripts/gpu-day.ts',
    '--adapter',
    'swiftshader',
    '--out',
    out,
  ];

  it('does the parts that are named, and leaves their results', () => {
    const out = join(folder, 'day');
    const args = [...words(out), '--minutes', '5', '--parts', 'doctor,known-answers,choices'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nknown-answers +done .* right\nchoices +done .*\n(.*choices on .*\n)*$/);
    const { parts } = readSummary(out);
    expect(parts.map(({ name, outcome }) => [name, outcome])).toEqual([
      ...[
        ['doctor', 'done'],
        ['known-answers', 'done'],
        ['choices', 'done'],
      ],
    ]);
    expect(parts[0]!.found[0]).toMatch(/swiftshader/i);
    expect(parts[1]!.found).toHaveLength(1);
    const again = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('is not empty')]);
  });

  it('ends with its table when a signal comes', async () => {
    const out = join(folder, 'stopped');
    const child = spawn(process.execPath, words(out), { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (data) => {
      stdout += data;
      // Once: a second signal may meet a process that is at its end.
      if (!child.killed && stdout.includes('doctor: at most')) child.kill('SIGTERM');
    });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(143);
    // A doctor that was quicker than the signal is done.
    const outcomes = readSummary(out).parts.map(({ outcome }) => outcome);
    expect(outcomes.join()).toMatch(/^(done,)?(done|stopped)(,not started)+$/);
    expect(stdout).toMatch(/\nmnist-fc-paper +not started .*\n/);
  });
});
