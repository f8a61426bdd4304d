import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkTime, slurmScript, timesIn } from '../../src/cli/slurm.ts';
import { planSweep } from '../../src/experiments/sweep.ts';
import { noteFailure, runFolder } from '../../src/experiments/sweep-record.ts';
import { sweeps } from '../../src/experiments/sweeps/catalog.ts';
import { run, runCommand } from './child.ts';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-slurm-'));
});
afterEach(() => fs.rmSync(root, { recursive: true }));

/** Puts a program into a folder of programs, and returns that folder. */
function put(name: string, script: string): string {
  const bin = join(root, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  fs.writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return bin;
}

const job = (change: object = {}) => ({
  ...{ name: 'width.smoke', tasks: 3, logs: '/shared/50% done/slurm', folder: '/home/me/collimate' },
  command: ['/usr/bin/node', 'reproduce.ts', 'width', '--out', "/shared/it's"],
  options: { time: '01:00:00', gres: 'gpu:1' },
  ...change,
});

test.each(['5', '05:59', '0:05:59', '0-00:05', '0-00:05:59'])('a time limit of %s is too short', (limit) => {
  expect(() => checkTime(limit)).toThrow(/is \d+ s, but a task is asked to stop 120 s before its limit/);
});

test.each(['0', '6', '06:00', '00:06:00', '0-00:06', '1-0', '1-00:00:00', 'infinite'])(
  'a time limit of %s will do',
  (limit) => expect(() => checkTime(limit)).not.toThrow(),
);

test('time limits are found among the options of sbatch', () => {
  expect(timesIn(['--mem=4G', '--time=5', '-t', '6', '-t7', '--time', '8'])).toEqual(['5', '6', '7', '8']);
});

test('the script says all that Slurm has to know', () => {
  const lines = slurmScript(job()).split('\n');
  expect(lines[0]).toBe('#!/bin/bash');
  expect(lines.filter((line) => line.startsWith('#SBATCH'))).toEqual([
    '#SBATCH --job-name=width.smoke',
    '#SBATCH --array=1-3',
    '#SBATCH --output="/shared/50%% done/slurm/width.smoke-%A_%a.log"',
    '#SBATCH --open-mode=append',
    '#SBATCH --signal=B:USR1@120',
    '#SBATCH --time=01:00:00',
    '#SBATCH --gres=gpu:1',
    '#SBATCH --requeue',
  ]);
  expect(lines).toContain('cd /home/me/collimate || exit');
  expect(lines).toContain(
    `/usr/bin/node reproduce.ts width --out '/shared/it'\\''s' --shard "$SLURM_ARRAY_TASK_ID/3" &`,
  );
});

describe('a task', () => {
  /** Runs a job's second task to its end, with a signal to only its script once its command says `begun`. */
  function runTask(command: string, signal?: NodeJS.Signals) {
    const bin = put('scontrol', `echo "$@" >> '${root}/scontrol.txt'`);
    const script = slurmScript(job({ folder: root, command: ['bash', '-c', command] }));
    const child = spawn('bash', ['-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        SLURM_ARRAY_JOB_ID: '7',
        SLURM_ARRAY_TASK_ID: '2',
      },
    });
    let stdout = '';
    child.stdout.on('data', (data) => {
      if (!stdout.includes('begun') && `${stdout}${data}`.includes('begun') && signal) child.kill(signal);
      stdout += data;
    });
    return new Promise<{ status: number | null; stdout: string; scontrol: string }>((done) => {
      child.on('close', (status) => {
        const said = join(root, 'scontrol.txt');
        done({ status, stdout, scontrol: fs.existsSync(said) ? fs.readFileSync(said, 'utf8') : '' });
      });
    });
  }
  /** Stops some time after a request, as if saving a checkpoint. */
  const long = `trap 'sleep 0.2; echo saved; exit 130' TERM; echo begun; for i in {1..200}; do sleep 0.1; done`;

  test('makes its part, and ends as that does', async () => {
    expect(await runTask('echo "$0 $1"; exit 3')).toEqual({
      status: 3,
      stdout: expect.stringMatching(/task 2 of 3 on .*, queued again 0 times\n--shard 2\/3\n$/),
      scontrol: '',
    });
  });

  test('whose time is nearly up stops and is queued again', async () => {
    const { status, stdout, scontrol } = await runTask(long, 'SIGUSR1');
    expect({ status, scontrol }).toEqual({ status: 130, scontrol: 'requeue 7_2\n' });
    expect(stdout).toMatch(/begun\nsaved\nthe time is up/);
  });

  test('that is done within its notice is not queued again', async () => {
    const done = `trap 'exit 0' TERM; echo begun; for i in {1..200}; do sleep 0.1; done`;
    expect(await runTask(done, 'SIGUSR1')).toMatchObject({ status: 0, scontrol: '' });
  });

  test('that is stopped as soon as it has begun saves, too', async () => {
    const soon = long.replace('echo begun', 'kill -TERM $PPID');
    expect(await runTask(soon)).toMatchObject({ status: 130, stdout: expect.stringMatching(/\nsaved\n$/) });
  });

  test('that Slurm stops saves, and leaves what follows to Slurm', async () => {
    const { status, stdout, scontrol } = await runTask(long, 'SIGTERM');
    expect({ status, scontrol }).toEqual({ status: 130, scontrol: '' });
    expect(stdout).toMatch(/begun\nsaved\n$/);
  });
});

describe('submit', () => {
  const WIDTH = ['submit', '--slurm', 'width', '--preset', 'smoke'];
  const submit = (bin: string, ...args: string[]) =>
    runCommand('sweep', [...WIDTH, ...args], undefined, { PATH: bin });

  test('hands the script to sbatch, with the runs that reproduce would make', async () => {
    const bin = put('sbatch', `echo "$@" > '${root}/sbatch.txt'; echo '42;cluster'`);
    const out = join(root, 'results');
    const given = ['--epochs', '2', '--no-control', '--seeds', '2', '--out', out];
    const { status, stdout, stderr } = await run(
      // From the sources, which the script is to start.
      [
        process.execPath,
        '--import',
        'tsx',
        'src/cli/collimate.ts',
        'sweep',
        ...WIDTH,
        ...given,
        '--time',
        '10',
        '--',
        '--mem=4G',
      ],
      undefined,
      { PATH: bin },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const file = join(out, 'slurm', 'width.smoke.sh');
    expect(fs.readFileSync(join(root, 'sbatch.txt'), 'utf8')).toBe(`--parsable --mem=4G ${file}\n`);
    const script = fs.readFileSync(file, 'utf8');
    const runs = planSweep(sweeps.width!, { level: 'smoke', seeds: [1, 2], changes: {} }).length;
    expect(script).toContain(`#SBATCH --array=1-${runs}\n`);
    expect(script).toContain('#SBATCH --time=10\n');
    expect(script).toMatch(
      /collimate\.ts reproduce width --preset smoke --seeds 2 --epochs 2 --no-control --out \S+\/results --shard/,
    );
    expect(stdout).toContain(`Submitted job 42 with ${runs} runs; its logs are in ${join(out, 'slurm')}`);
    expect(stdout).toContain(
      `npm run sweep -- status width --preset smoke --seeds 2 --out ${out} --epochs 2`,
    );
  });

  test('says what to do where there is no Slurm, or it refuses', async () => {
    const bin = put('other', '');
    const missing = await submit(bin, '--out', root);
    expect(missing).toMatchObject({ status: 1, stdout: '' });
    expect(missing.stderr).toContain('cannot find sbatch');
    expect(missing.stderr).toContain(`sbatch ${join(root, 'slurm', 'width.smoke.sh')}`);
    put('sbatch', 'echo "sbatch: error: Invalid partition" >&2; exit 1');
    const { status, stderr } = await submit(bin, '--partition', 'moon', '--out', root);
    expect(status).toBe(1);
    expect(stderr).toContain('Invalid partition\nGive what it asks for');
  });

  test('refuses what reproduce would refuse, before anything is queued', async () => {
    const bin = put('sbatch', 'echo 1');
    for (const [args, message] of [
      [['--width', '3'], 'width sets width itself'],
      [['--epochs', 'many'], '--epochs is many'],
      [['--shards', '0'], '--shards is 0'],
    ] as const) {
      const { status, stderr } = await submit(bin, ...args, '--out', root);
      expect(status).toBe(1);
      expect(stderr).toContain(message);
    }
    expect(fs.readdirSync(root)).toEqual(['bin']);
  });
});

test('status counts what is done, begun, missing and failed', async () => {
  const [first, second, ...rest] = planSweep(sweeps.width!, { level: 'smoke', seeds: [1, 2], changes: {} });
  fs.mkdirSync(runFolder(root, first!), { recursive: true });
  fs.writeFileSync(join(runFolder(root, first!), 'config.json'), '{}');
  noteFailure(root, second!, { reason: 'training diverged', final: true });
  const { stdout } = await runCommand('sweep', [
    'status',
    'width',
    '--preset',
    'smoke',
    '--seeds',
    '2',
    '--out',
    root,
  ]);
  expect(stdout).toMatch(new RegExp(`${first!.id} +begun\n`));
  expect(stdout).toMatch(new RegExp(`${second!.id} +failed +training diverged`));
  expect(stdout).toContain(`${2 + rest.length} runs: 0 done, 1 begun, ${rest.length} missing, 1 failed\n`);
});
