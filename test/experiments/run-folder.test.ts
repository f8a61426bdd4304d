import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EpochMetrics } from '../../src/analysis/results.ts';
import { defaultRunPath, RunFolder, readMetrics } from '../../src/experiments/run-folder.ts';
import { start } from '../start.ts';

let root: string;
let path: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'collimate-run-'));
  path = join(root, 'run');
});
afterEach(() => {
  for (const process of children.splice(0)) process.kill('SIGKILL'); // those that a failed test left
  vi.restoreAllMocks();
  fs.rmSync(root, { recursive: true });
});

/** Files in a folder, hidden ones included, at any depth. */
const files = (folder: string) =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);

async function child(...args: string[]): Promise<ChildProcess> {
  const words = [...(await start('test/experiments/run-child.ts')), ...args];
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

function diskFull(): NodeJS.ErrnoException {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}

describe('files', () => {
  test('are read as they were written, in subfolders too, and nothing else is left', () => {
    using run = RunFolder.create(path);
    run.writeJson('config.json', { seed: 1 });
    run.write('figures/spectra.svg', '<svg/>');
    run.write('checkpoint.safetensors', Uint8Array.of(1, 2));
    run.write('checkpoint.safetensors', Uint8Array.of(3));
    const control = run.sub('control');
    control.writeJson('config.json', { seed: 2 });
    control.release();
    expect(run.read('config.json', anything)).toEqual({ seed: 1 });
    expect([...run.readBytes('checkpoint.safetensors')]).toEqual([3]);
    expect(run.read('control/config.json', anything)).toEqual({ seed: 2 });
    expect(run.has('figures/spectra.svg') && !run.has('report.html')).toBe(true);
    run.release();
    expect(files(path).sort()).toEqual([
      'checkpoint.safetensors',
      'config.json',
      'config.json',
      'spectra.svg',
    ]);
  });

  test('are refused at once where no folder can be made', () => {
    expect(() => RunFolder.create('/proc/collimate/run')).toThrow('/proc/collimate');
    expect(() => RunFolder.create('/dev/null/run')).toThrow('/dev/null');
  });

  test('outside the folder are not written', () => {
    using run = RunFolder.create(path);
    expect(() => run.write('../a', '')).toThrow('../a lies outside');
  });

  test('that are missing or no JSON are named', () => {
    using run = RunFolder.create(path);
    run.write('config.json', '{"seed"');
    expect(() => run.read('config.json', anything)).toThrow(`${join(path, 'config.json')} is not JSON`);
    expect(() => run.readBytes('a')).toThrow(`cannot read ${join(path, 'a')}: ENOENT`);
  });

  test.each(['ENOSPC', 'EIO'])('survive %s as they were', (code) => {
    using run = RunFolder.create(path);
    run.write('checkpoint.safetensors', 'old');
    vi.spyOn(fs, 'writeFileSync').mockImplementationOnce((file, data) => {
      fs.appendFileSync(file as string, (data as string).slice(0, 2));
      throw Object.assign(diskFull(), { code });
    });
    const message = `cannot write ${join(path, 'checkpoint.safetensors')}: ENOSPC: no space left on device`;
    expect(() => run.write('checkpoint.safetensors', 'newer')).toThrow(message);
    expect(fs.readFileSync(join(path, 'checkpoint.safetensors'), 'utf8')).toBe('old');
    expect(files(path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    run.write('checkpoint.safetensors', 'newer');
    expect(fs.readFileSync(join(path, 'checkpoint.safetensors'), 'utf8')).toBe('newer');
  });
});

const anything = { schema: v.unknown(), remedy: '' };
const epoch = (step: number): EpochMetrics => ({
  ...{ epoch: step, step, lr: 0.1, loss: 1, trainAccuracy: 0.5, testAccuracy: null, seconds: step },
});

describe('metrics', () => {
  test('are appended, read and cut back', () => {
    using run = RunFolder.create(path);
    expect(readMetrics(path)).toEqual([]);
    for (const step of [1, 2, 3]) run.appendMetrics(epoch(step));
    run.truncateMetrics((line) => line.step < 3);
    run.appendMetrics(epoch(4));
    expect(readMetrics(path)).toEqual([1, 2, 4].map(epoch));
  });

  test('lose a torn last line and nothing else', () => {
    fs.mkdirSync(path);
    fs.writeFileSync(join(path, 'config.json'), '{}');
    const line = (step: number) => `${JSON.stringify(epoch(step))}\n`;
    fs.writeFileSync(join(path, 'metrics.jsonl'), `${line(1)}${line(2)}${line(3).slice(0, 20)}`);
    using run = RunFolder.open(path);
    expect(readMetrics(path)).toEqual([1, 2].map(epoch));
    run.appendMetrics(epoch(3));
    expect(fs.readFileSync(join(path, 'metrics.jsonl'), 'utf8')).toBe([1, 2, 3].map(line).join(''));
  });

  test('go on after the disk was full', () => {
    using run = RunFolder.create(path);
    run.appendMetrics(epoch(1));
    const append = fs.appendFileSync;
    vi.spyOn(fs, 'appendFileSync').mockImplementationOnce((file, line) => {
      append(file, (line as string).slice(0, 4));
      throw diskFull();
    });
    expect(() => run.appendMetrics(epoch(2))).toThrow(`cannot write ${join(path, 'metrics.jsonl')}: ENOSPC`);
    run.appendMetrics(epoch(3));
    expect(readMetrics(path)).toEqual([1, 3].map(epoch));
  });

  test.each([
    ['{"st', 'is not JSON'],
    ['null', ': as a whole: expected an object, got null'],
    ['[[[]]]', ': epoch is missing'],
    ['', 'is not JSON'],
    [JSON.stringify({ ...epoch(2), step: '2' }), ': step: expected a whole number of at least 1, got "2"'],
    [JSON.stringify({ ...epoch(2), seconds: -1 }), ': seconds: expected a number of at least 0, got -1'],
    ['{"loss":1e999}', ': epoch is missing'],
  ])('with the line %j are refused, last or not', (line, message) => {
    using run = RunFolder.create(path);
    for (const more of [`${JSON.stringify(epoch(3))}\n`, '']) {
      run.write('metrics.jsonl', `${JSON.stringify(epoch(1))}\n${line}\n${more}`);
      expect(() => readMetrics(path)).toThrow(`${join(path, 'metrics.jsonl')}, line 2`);
      expect(() => readMetrics(path)).toThrow(message);
    }
  });
});

describe('opening', () => {
  test('an empty folder begins a run; a used one is refused and left alone', () => {
    fs.mkdirSync(path);
    RunFolder.create(path).release();
    fs.writeFileSync(join(path, 'thesis.tex'), '');
    expect(() => RunFolder.create(path)).toThrow(`the folder ${path} is not empty: it holds thesis.tex`);
    fs.writeFileSync(join(path, 'config.json'), '{}');
    expect(() => RunFolder.create(path)).toThrow(
      expect.objectContaining({
        message: `the folder ${path} already holds a run`,
        remedy: expect.stringContaining('--resume'),
      }),
    );
    expect(files(path).sort()).toEqual(['config.json', 'thesis.tex']);
  });

  test('a file, or a path below one, is refused', () => {
    fs.writeFileSync(path, '');
    expect(() => RunFolder.create(path)).toThrow(`cannot write ${path}: EEXIST`);
    expect(() => RunFolder.create(join(path, 'a'))).toThrow(`cannot write ${join(path, 'a')}: ENOTDIR`);
  });

  test('a folder where nothing may be written is refused', () => {
    fs.mkdirSync(path);
    vi.spyOn(fs, 'writeFileSync').mockImplementation(() => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    });
    expect(() => RunFolder.create(path)).toThrow(/^cannot write .*: EACCES: permission denied$/);
  });

  test('the default folder is named by time and seed, once', () => {
    const now = new Date(2026, 0, 2, 3, 4, 5);
    const first = defaultRunPath('mnist-fc', 7, now, root);
    expect(first).toBe(join(root, 'mnist-fc', '20260102-030405-7'));
    expect(defaultRunPath('mnist-fc', 7, now, root)).toBe(`${first}-2`);
    RunFolder.create(first).release();
  });
});

describe('the lock', () => {
  /** Writes the lock of a holder, given what differs from this process. */
  function lockOf(change: object): string {
    const run = RunFolder.create(path);
    run.writeJson('config.json', {});
    const lock = join(path, fs.readdirSync(path).find((name) => name.startsWith('.lock-'))!);
    const holder = { ...JSON.parse(fs.readFileSync(lock, 'utf8')), ...change };
    run.release();
    fs.writeFileSync(lock, JSON.stringify(holder));
    return lock;
  }

  test('refuses a second opening, naming who holds it', () => {
    using run = RunFolder.create(path);
    run.writeJson('config.json', {});
    expect(() => RunFolder.open(path)).toThrow(new RegExp(`^process ${process.pid} on .* is writing`));
    run.release();
    RunFolder.open(path).release();
  });

  test('is of the runs inside, too, by whatever name they are opened', () => {
    using run = RunFolder.create(path);
    const control = run.sub('control');
    control.writeJson('config.json', {});
    expect(run.sub('control')).toBe(control);
    expect(() => RunFolder.open(control.path)).toThrow('is writing');
    run.release();
    using alone = RunFolder.open(control.path);
    alone.release();
    expect(files(path)).toEqual(['config.json']);
  });

  test('of a process that is gone, or whose number is another one’s now, is swept away at once', () => {
    lockOf({ pid: 2 ** 22 + 1, started: '1' });
    RunFolder.open(path).release();
    fs.rmSync(path, { recursive: true });
    const lock = lockOf(process.platform === 'linux' ? { started: '1' } : { pid: 2 ** 22 + 1 });
    RunFolder.open(path).release();
    expect(fs.existsSync(lock)).toBe(false);
  });

  test('of another machine is respected while it beats, and swept away when silent', () => {
    const lock = lockOf({ machine: 'elsewhere', host: 'other', pid: 2 ** 22 + 1 });
    expect(() => RunFolder.open(path)).toThrow(`process ${2 ** 22 + 1} on other is writing`);
    fs.utimesSync(lock, Date.now() / 1000 - 120, Date.now() / 1000 - 120);
    RunFolder.open(path).release();
    expect(fs.existsSync(lock)).toBe(false);
  });

  test('that was lost stops the writer', () => {
    using run = RunFolder.create(path);
    for (const name of fs.readdirSync(path)) fs.rmSync(join(path, name));
    expect(() => run.write('a', '')).toThrow(`this process no longer holds the run folder ${path}`);
    expect(() => run.appendMetrics(epoch(1))).toThrow('no longer holds');
  });

  test('goes with a process that exits', async () => {
    await once(await child('exit', path), 'exit');
    expect(files(path)).toEqual([]);
  });

  test('is never held by two processes', async () => {
    const [rounds, step] = [6, 200];
    const racers = await Promise.all([0, 1, 2].map(() => child('race', path, `${rounds}`, `${step}`)));
    const next = async ({ stdout }: ChildProcess) => JSON.parse(String((await once(stdout!, 'data'))[0]));
    await Promise.all(racers.map(next)); // They are up.
    for (const { stdin } of racers) stdin!.write(`${Date.now() + step}`);
    const won: number[][] = await Promise.all(racers.map(next));
    for (const racer of racers) racer.kill('SIGKILL');
    const all = won.flat().sort();
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThanOrEqual(rounds - 1); // all may have withdrawn, but hardly ever do
  });
});

test('a run that was killed at any moment is reopened at once and whole', async () => {
  for (const delay of [0, 13]) {
    const writer = await child('write', path);
    await once(writer.stdout!, 'data');
    await new Promise((done) => setTimeout(done, delay));
    writer.kill('SIGKILL');
    await once(writer, 'exit');

    using run = RunFolder.open(path);
    run.sub('control');
    const checkpoint = run.readBytes('checkpoint.safetensors');
    expect(checkpoint.length).toBe(100_000);
    expect(new Set(checkpoint).size).toBe(1);
    const steps = readMetrics(path).map((line) => line.step);
    expect(steps).toEqual(steps.map((_, i) => i + 1));
    expect(files(path).filter((name) => /^\./.test(name))).toHaveLength(2); // its own locks alone
    run.release();
    fs.rmSync(path, { recursive: true });
  }
});
