import { type ChildProcess, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { differences } from '../../scripts/run-differences.ts';
import { reportError } from '../../src/cli/main.ts';
import { decodeCheckpoint } from '../../src/experiments/checkpoint.ts';

import { start } from '../start.ts';
import { type Ended, program, run, runCommand } from './child.ts';

/** A run of one network in 300 steps. */
const TINY =
  'mnist-fc --preset smoke --depth 2 --width 16 --images 1200 --batch 16 --epochs 4 --samples 2 --no-control --tune off'.split(
    ' ',
  );
/** A checkpoint after every few steps. */
const OFTEN = ['--checkpoint-every', '0'];

let root: string;
let env: Record<string, string>;
let whole: string;
beforeAll(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-exits-'));
  env = { COLLIMATE_CACHE: join(root, 'cache') };
  whole = join(root, 'whole');
  expect((await runCommand('reproduce', [...TINY, '--out', whole], undefined, env)).status).toBe(0);
});
afterAll(() => fs.rmSync(root, { recursive: true }));

/** A command with its output redirected by a shell, which does something `before`. */
async function inShell(
  command: 'reproduce' | 'doctor' | 'data',
  args: readonly string[],
  redirection: string,
  before = '',
): Promise<Ended> {
  const node = [process.execPath, ...(await program(command)), ...args];
  return run(['bash', '-c', `${before} exec "$@" ${redirection}`, 'bash', ...node], undefined, env);
}

const weights = (folder: string) =>
  fs.readFileSync(join(folder, 'checkpoint.safetensors')).toString('base64');

/** The printed command continues from the checkpoint to an undisturbed run's bits; `to`: how far to go. */
async function goesOn(folder: string, stderr: string, to: 'the end' | 'the analysis'): Promise<void> {
  expect(stderr).toContain(`To continue: npm run reproduce -- mnist-fc --resume ${folder}`);
  expect(stderr).not.toMatch(/^ +at /m);
  expect(fs.existsSync(join(folder, 'checkpoint.safetensors'))).toBe(true);
  expect(fs.existsSync(join(folder, 'report.html'))).toBe(false);
  const onOutput = (stdout: string, child: ChildProcess) => {
    if (to === 'the analysis' && stdout.includes('"stage":"analyze"')) child.kill('SIGKILL');
  };
  const { status, signal } = await runCommand(
    'reproduce',
    ['mnist-fc', '--json', '--resume', folder],
    onOutput,
    env,
  );
  expect({ status, signal }).toEqual(
    to === 'the end' ? { status: 0, signal: null } : { status: null, signal: 'SIGKILL' },
  );
  expect(weights(folder)).toBe(weights(whole));
}

/** A shell that is root in its own namespaces, where it may mount. */
const inOwnWorld = (script: string, ...args: string[]) =>
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'bash', '-ec', script, 'bash', ...args], {
    encoding: 'utf8',
    env: { ...process.env, OUT: root },
  });
const mayMount = inOwnWorld('mount -t tmpfs none /tmp').status === 0;

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
    await goesOn(join(root, 'reader'), stderr, 'the end');
  });

  test('when its terminal closes', async () => {
    const { status, stderr } = await stopsAt('terminal', (child) => child.kill('SIGHUP'));
    expect(status).toBe(129);
    await goesOn(join(root, 'terminal'), stderr, 'the analysis');
  });

  test.runIf(fs.existsSync('/dev/full'))('when what it prints finds no room', async () => {
    const folder = join(root, 'full');
    const args = [...TINY, ...OFTEN, '--json', '--out', folder];
    const { status, stderr } = await inShell('reproduce', args, '> /dev/full');
    expect(status).toBe(1);
    expect(stderr).toContain('cannot write to stdout: ENOSPC');
    await goesOn(folder, stderr, 'the analysis');
  });

  test.runIf(mayMount)(
    'a full disk ends a run, leaves its checkpoint whole, and once there is room it ends in the same bits',
    async () => {
      const { size } = fs.statSync(join(whole, 'checkpoint.safetensors'));
      const disk = join(root, 'disk');
      fs.mkdirSync(disk);
      // Room for one checkpoint and half of the next, beside the small files.
      const script = `
      mount -t tmpfs -o size=${Math.round(1.5 * size) + 16_384} none "$OUT/disk"
      again=("$@")
      begin=(${TINY.join(' ')} --out "$OUT/disk/run")
      status=0; node "\${again[@]}" "\${begin[@]}" ${OFTEN.join(' ')} || status=$?
      cp -r "$OUT/disk/run" "$OUT/kept"
      mount -o remount,size=64m "$OUT/disk"
      node "\${again[@]}" mnist-fc --resume "$OUT/disk/run" >&2
      cp -r "$OUT/disk/run" "$OUT/roomy"
      exit "$status"`;
      const { status, stderr } = inOwnWorld(script, ...(await program('reproduce')));
      expect(stderr).toContain(`cannot write ${join(disk, 'run', 'checkpoint.safetensors')}: ENOSPC`);
      expect(stderr).toContain('The disk is full: make room, then continue with `--resume`.');
      expect(stderr).toContain(`To continue: npm run reproduce -- mnist-fc --resume ${join(disk, 'run')}`);
      expect(status).toBe(1);
      const kept = fs.readFileSync(join(root, 'kept', 'checkpoint.safetensors'));
      expect(decodeCheckpoint(kept, 'kept').state.step).toBeLessThan(300);
      expect(fs.readdirSync(join(root, 'kept')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      expect(differences(whole, join(root, 'roomy'))).toEqual([]);
    },
  );

  test('what stops an analysis keeps the timeline', async () => {
    const [out, trace] = [join(root, 'stopped'), join(root, 'stopped.json')];
    const args = [...TINY, '--json', '--out', out, '--trace', trace];
    const { status, stderr } = await runCommand(
      'reproduce',
      args,
      (stdout, child) => {
        if (stdout.includes('"stage":"analyze"')) child.kill('SIGTERM');
      },
      env,
    );
    expect(status).toBe(143);
    expect(stderr).toContain(`--resume ${out}`);
    const { traceEvents } = JSON.parse(fs.readFileSync(trace, 'utf8')) as { traceEvents: { name: string }[] };
    const names = traceEvents.map(({ name }) => name);
    for (const name of ['gradient', 'train: Residual network', 'analyze: Residual network'])
      expect(names).toContain(name);
  });
});

describe('every command', () => {
  test.each(['doctor', 'data'] as const)('%s ends when its reader has gone', async (command) => {
    const gone = 'exec 3> >(exec 0<&-); wait $!;';
    const { status, signal, stderr } = await inShell(command, [], '>&3 3>&-', gone);
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
});

test('an analysis of an earlier version is made again from the checkpoint', async () => {
  const folder = join(root, 'earlier');
  fs.cpSync(whole, folder, { recursive: true });
  fs.writeFileSync(join(folder, 'analysis.json'), '{ "schema": "collimate/analysis@2" }');
  fs.rmSync(join(folder, 'report.html'));
  expect(await runCommand('reproduce', ['mnist-fc', '--resume', folder], undefined, env)).toMatchObject({
    status: 0,
  });
  expect(differences(whole, folder)).toEqual([]);
});

test('two runs differ in what they hold, not in when they were made', () => {
  const copy = join(root, 'copy');
  fs.cpSync(whole, copy, { recursive: true });
  const change = (name: string, from: string | RegExp, to: string) => {
    const path = join(copy, name);
    const text = fs.readFileSync(path, 'latin1');
    expect(text).toMatch(from);
    fs.writeFileSync(path, text.replace(from, to), 'latin1');
  };
  change('config.json', /"started": ".*"/, '"started": "today"');
  change('metrics.jsonl', /"seconds":[\d.]+/, '"seconds":7');
  expect(differences(whole, copy)).toEqual([]);
  change('config.json', '"seed": 1', '"seed": 2');
  change('metrics.jsonl', '"step":75', '"step":76');
  change('checkpoint.safetensors', /.$/s, '\x7f');
  fs.rmSync(join(copy, 'figures/training.svg'));
  fs.writeFileSync(join(copy, '.analysis.json.0123456789ab.tmp'), '');
  const changed = [
    '.analysis.json.0123456789ab.tmp',
    'checkpoint.safetensors',
    'config.json',
    'metrics.jsonl',
  ];
  expect(differences(whole, copy).sort()).toEqual([...changed, 'figures/training.svg'].sort());
});

test('a process of a sweep ends with an error in words', async () => {
  const COLLIMATE_WORKER = JSON.stringify({ adapter: 'nope', tune: 'off', checkpointSeconds: 1 });
  const words = [process.execPath, ...(await start('src/cli/worker.ts'))];
  const { status, stderr } = await run(words, undefined, { ...env, COLLIMATE_WORKER });
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
