import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { reportError } from '../../src/cli/main.ts';
import { start } from '../start.ts';
import { type Ended, run, runCommand } from './child.ts';

const TINY =
  'mnist-fc --preset smoke --depth 2 --width 16 --images 1200 --batch 16 --epochs 4 --samples 2 --no-control --tune off'.split(
    ' ',
  );
const OFTEN = ['--checkpoint-every', '0'];

let root: string;
let env: Record<string, string>;
let whole: string;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-exits-'));
  env = { COLLIMATE_CACHE: join(root, 'cache') };
  whole = join(root, 'whole');
  expect((await runCommand('reproduce', [...TINY, '--out', whole], undefined, env)).status).toBe(0);
}, 120_000);
afterAll(() => fs.rmSync(root, { recursive: true }));

/** A command whose output goes where a shell sends it. */
async function inShell(
  command: 'reproduce' | 'doctor' | 'data',
  args: readonly string[],
  redirection: string,
): Promise<Ended> {
  const node = [process.execPath, ...(await start(`src/cli/${command}.ts`)), ...args];
  return run(['bash', '-c', `exec "$@" ${redirection}`, 'bash', ...node], undefined, env);
}

const weights = (folder: string) =>
  fs.readFileSync(join(folder, 'checkpoint.safetensors')).toString('base64');

/** The run goes on from its checkpoint by the command that was printed, to the bits of one that was left alone. */
async function goesOn(folder: string, stderr: string): Promise<void> {
  expect(stderr).toContain(`To go on: npm run reproduce -- mnist-fc --resume ${folder}`);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(fs.existsSync(join(folder, 'checkpoint.safetensors'))).toBe(true);
  expect(fs.existsSync(join(folder, 'report.html'))).toBe(false);
  expect((await runCommand('reproduce', ['mnist-fc', '--resume', folder], undefined, env)).status).toBe(0);
  expect(weights(folder)).toBe(weights(whole));
}

describe('a run stops at a checkpoint', () => {
  const stopsAt = (name: string, stop: (child: ChildProcess) => void) => {
    let stopped = false;
    const args = [...TINY, ...OFTEN, '--json', '--out', join(root, name)];
    const onOutput = (stdout: string, child: ChildProcess) => {
      if (stopped || !stdout.includes('"event":"progress"')) return;
      stopped = true;
      stop(child);
    };
    return runCommand('reproduce', args, onOutput, env);
  };

  test('when its reader has gone', async () => {
    const { status, signal, stderr } = await stopsAt('reader', (child) => child.stdout!.destroy());
    expect({ status, signal }, stderr).toEqual({ status: 141, signal: null });
    await goesOn(join(root, 'reader'), stderr);
  });

  test('when its terminal closes', async () => {
    const { status, stderr } = await stopsAt('terminal', (child) => child.kill('SIGHUP'));
    expect(status).toBe(129);
    await goesOn(join(root, 'terminal'), stderr);
  });

  test.runIf(fs.existsSync('/dev/full'))('when what it prints finds no room', async () => {
    const folder = join(root, 'full');
    const args = [...TINY, ...OFTEN, '--json', '--out', folder];
    const { status, stderr } = await inShell('reproduce', args, '> /dev/full');
    expect(status).toBe(1);
    expect(stderr).toContain('cannot write to stdout: ENOSPC');
    await goesOn(folder, stderr);
  });
});

describe('every command', () => {
  test.each(['doctor', 'data'] as const)('%s ends when its reader has gone', async (command) => {
    const { status, signal, stderr } = await inShell(command, [], '> >(exec 0<&-; sleep 0)');
    expect({ status, signal, stderr }).toEqual({ status: 141, signal: null, stderr: '' });
  });

  test.runIf(fs.existsSync('/dev/full'))('says that its output finds no room', async () => {
    const { status, stderr } = await inShell('data', [], '> /dev/full');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: cannot write to stdout: ENOSPC.*\nMake room/);
  });
});

test.each([
  ['reproduce', ['mnist-fc', '--resume', ''], '--resume'],
  ['reproduce', ['mnist-fc', '--out='], '--out'],
  ['reproduce', ['mnist-fc', '--trace', ''], '--trace'],
  ['analyze', ['any', '--adapter', ''], '--adapter'],
  ['sweep', ['status', 'seed', '--out', ''], '--out'],
  ['data', ['--data-dir', '', 'list'], '--data-dir'],
] as const)(
  '%s %j is refused, since a variable of the shell may not be set',
  async (command, args, option) => {
    expect(await runCommand(command, args, undefined, env)).toMatchObject({
      ...{
        status: 1,
        stdout: '',
        stderr: `error: ${option} has an empty value\nGive it a value, or leave it out.\n`,
      },
    });
  },
);

test('an analysis of other samples than config.json asks for is refused, and made again as the remedy says', async () => {
  const folder = join(root, 'other samples');
  fs.cpSync(whole, folder, { recursive: true });
  const config = join(folder, 'config.json');
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace('"samples": 2', '"samples": 1'));
  const resume = () => runCommand('reproduce', ['mnist-fc', '--resume', folder], undefined, env);
  const { status, stderr } = await resume();
  expect(status).toBe(1);
  expect(stderr).toMatch(/"samples":2.*by the checkpoint and by config.json .*"samples":1/);
  fs.rmSync(join(folder, 'analysis.json'));
  expect((await resume()).status).toBe(0);
  expect(JSON.parse(fs.readFileSync(join(folder, 'analysis.json'), 'utf8')).trained.samples).toHaveLength(1);
}, 60_000);

test('a process of a sweep ends with an error in words', async () => {
  const COLLIMATE_WORKER = JSON.stringify({ adapter: 'nope', tune: 'off', checkpointSeconds: 1 });
  const { status, stderr } = await runCommand('worker', [], undefined, { ...env, COLLIMATE_WORKER });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error: no WebGPU adapter for 'nope'.*\n[^\n]+\n$/);
});

test('what the system refuses is no bug, wherever it is met', () => {
  const printed: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((text) => printed.push(text));
  onTestFinished(() => void vi.restoreAllMocks());
  const refused = { code: 'EMFILE', syscall: 'open', path: 'a.js' };
  expect(reportError(Object.assign(new Error("EMFILE: too many open files, open 'a.js'"), refused))).toBe(1);
  expect(printed).toEqual([
    "error: EMFILE: too many open files, open 'a.js'",
    'Too many files are open: raise the limit by `ulimit -n 1024`.',
  ]);
});
