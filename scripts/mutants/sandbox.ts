import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Event, Request } from './vitest.ts';
import { cpuSeconds, Watch } from './watch.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** How a run of test files ended. */
export interface Outcome {
  readonly passed: boolean;
  /** The test file that failed, or what else ended the run. */
  readonly by?: string | undefined;
  /** Of each file that ran, in seconds. */
  readonly seconds: ReadonlyMap<string, number>;
  /** Processor time in seconds. */
  readonly cpu: number;
}

/** A checkout of HEAD in which to change files and run tests, until disposed or a signal ends us. */
export class Sandbox implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'collimate-mutants-'));
  readonly #changed = new Set<string>();
  #vitest: ChildProcess | undefined;

  constructor() {
    execFileSync('git', ['worktree', 'add', '--quiet', '--force', '--detach', this.folder, 'HEAD'], {
      cwd: ROOT,
    });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        this[Symbol.dispose]();
        process.exit(128 + constants.signals[signal]);
      });
  }

  /** Runs `body` while a file has other contents. */
  async with<T>(file: string, contents: string, body: () => Promise<T>): Promise<T> {
    const path = join(this.folder, file);
    const before = readFileSync(path);
    const write = (text: string | Buffer) => {
      writeFileSync(path, text);
      this.#changed.add(file);
    };
    write(contents);
    try {
      return await body();
    } finally {
      write(before);
    }
  }

  /** Runs test files in order until one fails or hangs. `expected` gives the seconds a file may take. */
  async test(files: readonly string[], expected: (file: string) => number): Promise<Outcome> {
    this.#vitest ??= fork(join(import.meta.dirname, 'vitest.ts'), [this.folder], {
      ...{ cwd: this.folder, detached: true, stdio: 'ignore' },
    });
    const vitest = this.#vitest;
    const seconds = new Map<string, number>();
    const before = cpuSeconds(vitest.pid!);
    let failed: string | undefined;
    const watch = new Watch(vitest.pid!);
    let resolveEnd!: (outcome: Outcome) => void;
    const ended = new Promise<Outcome>((resolve) => {
      resolveEnd = resolve;
    });
    const end = (by?: string) => {
      const cpu = cpuSeconds(vitest.pid!) - before;
      resolveEnd({ passed: by === undefined, by: failed ?? by, seconds, cpu });
    };
    const hear = (event: Event) => {
      if (event.kind === 'done') return event.passed ? end() : end('an error outside of tests');
      watch.sign(expected(event.file));
      if (event.kind !== 'ended') return;
      seconds.set(event.file, event.seconds);
      if (event.failed) failed ??= event.file;
    };
    const crash = () => {
      end('a crash');
      this.#kill();
    };
    const timer = setInterval(() => {
      if (!watch.hangs()) return;
      end('timeout');
      this.#kill();
    }, 5000);
    vitest.on('message', hear).on('exit', crash);
    vitest.send({ files, changed: [...this.#changed] } satisfies Request);
    this.#changed.clear();
    const outcome = await ended;
    clearInterval(timer);
    vitest.off('message', hear).off('exit', crash);
    return outcome;
  }

  [Symbol.dispose](): void {
    this.#kill();
    execFileSync('git', ['worktree', 'remove', '--force', this.folder], { cwd: ROOT });
  }

  /** Also ends its test processes and the commands that they started. */
  #kill(): void {
    try {
      if (this.#vitest) process.kill(-this.#vitest.pid!, 'SIGKILL');
    } catch {} // They have ended by themselves.
    this.#vitest = undefined;
  }
}
