import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const REPORT = 'vitest.json';

/** How a run of test files ended. */
export interface Outcome {
  readonly passed: boolean;
  /** The test file that failed, or what else ended the run. */
  readonly by?: string;
  /** Of each file that ran, in seconds. */
  readonly seconds: ReadonlyMap<string, number>;
}

interface Report {
  readonly success: boolean;
  readonly testResults: readonly { name: string; status: string; startTime: number; endTime: number }[];
}

/** A checkout of HEAD of its own, in which files can be changed and tests run, until it is disposed, or a signal ends this process. */
export class Sandbox implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'collimate-mutants-'));

  constructor() {
    execFileSync('git', ['worktree', 'add', '--quiet', '--force', '--detach', this.folder, 'HEAD'], {
      cwd: ROOT,
    });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        for (const kill of running) kill();
        this[Symbol.dispose]();
        process.exit(128 + constants.signals[signal]);
      });
  }

  /** Runs `body` while a file has other contents. */
  async with<T>(file: string, contents: string, body: () => Promise<T>): Promise<T> {
    const path = join(this.folder, file);
    const before = readFileSync(path);
    writeFileSync(path, contents);
    try {
      return await body();
    } finally {
      writeFileSync(path, before);
    }
  }

  /** Runs test files up to the first that fails, or all of them. */
  async test(files: readonly string[], options: { bail: boolean; timeoutSeconds: number }): Promise<Outcome> {
    const report = join(this.folder, REPORT);
    rmSync(report, { force: true });
    const args = ['run', ...files, '--reporter=json', `--outputFile=${report}`, '--no-color'];
    const ended = await run(
      join(ROOT, 'node_modules/.bin/vitest'),
      options.bail ? [...args, '--bail=1'] : args,
      this.folder,
      options.timeoutSeconds,
    );
    if (ended === 'timeout') return { passed: false, by: 'timeout', seconds: new Map() };
    const { success, testResults } = readReport(report) ?? { success: false, testResults: [] };
    const name = (path: string) => path.slice(this.folder.length + 1);
    const failed = testResults.find(({ status }) => status === 'failed');
    return {
      passed: success && ended === 0,
      by: failed ? name(failed.name) : `status ${ended}`,
      seconds: new Map(testResults.map((t) => [name(t.name), (t.endTime - t.startTime) / 1000])),
    };
  }

  [Symbol.dispose](): void {
    execFileSync('git', ['worktree', 'remove', '--force', this.folder], { cwd: ROOT });
  }
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // The test process itself crashed.
  }
}

/** Each ends a command that is running. */
const running = new Set<() => void>();

/** The exit status of a command, whose whole process group is killed after the time allowed. */
function run(file: string, args: string[], cwd: string, seconds: number): Promise<number | null | 'timeout'> {
  return new Promise((done, fail) => {
    const child = spawn(file, args, { cwd, stdio: 'ignore', detached: true });
    let late = false;
    const kill = () => child.pid && process.kill(-child.pid, 'SIGKILL');
    running.add(kill);
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, 1000 * seconds);
    child.on('error', fail);
    child.on('close', (status) => {
      clearTimeout(timer);
      running.delete(kill);
      done(late ? 'timeout' : status);
    });
  });
}
