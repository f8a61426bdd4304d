import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Ending } from './schedule.ts';

/** What to run, and where its output goes. */
export interface Child {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
}

/** Seconds in which what was killed should end. */
const BURIAL = 1;
/** Share of a process's time to end by itself after SIGTERM, and the maximum in seconds. */
const GRACE = { share: 1 / 4, maximum: 5 };

/**
 * Runs a process and its children for at most `seconds`: SIGTERM comes a little earlier, so that it can
 * write what it has, and SIGKILL at the end. What a busy system does not end then is not waited for. An
 * abort ends it the same way at once.
 */
export function runWithin(child: Child, seconds: number, stop: AbortSignal): Promise<Ending> {
  const log = openSync(child.log, 'w');
  const grace = Math.min(GRACE.share * seconds, GRACE.maximum);
  return new Promise((resolve) => {
    const stdio = ['ignore', log, log] as const;
    // A group of its own takes the signals: workers and peers must not outlive it.
    const group = spawn(child.command, child.args, {
      cwd: child.cwd,
      env: child.env,
      stdio: [...stdio],
      detached: true,
    });
    let [timedOut, ended] = [false, false];
    let killing: NodeJS.Timeout | undefined;
    const signal = (name: NodeJS.Signals) => {
      try {
        if (group.pid !== undefined) process.kill(-group.pid, name);
      } catch {} // All of it has ended.
    };
    const end = () => {
      signal('SIGTERM');
      killing ??= setTimeout(() => {
        signal('SIGKILL');
        killing = setTimeout(finish, 1000 * BURIAL, null);
      }, 1000 * grace);
    };
    const limit = setTimeout(
      () => {
        timedOut = true;
        end();
      },
      1000 * (seconds - grace),
    );
    stop.addEventListener('abort', end);
    if (stop.aborted) end();
    const finish = (status: number | null, problem?: string) => {
      if (ended) return;
      ended = true;
      clearTimeout(limit);
      clearTimeout(killing);
      stop.removeEventListener('abort', end);
      signal('SIGKILL'); // What it has left behind.
      closeSync(log);
      group.unref();
      resolve({ status, timedOut, ...(problem === undefined ? {} : { problem }) });
    };
    group.on('error', (error) => finish(null, error.message));
    group.on('exit', (status) => finish(status));
  });
}
