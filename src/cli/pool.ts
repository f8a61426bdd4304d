import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Interrupt, Interrupted } from '../experiments/interrupt.ts';
import type { Failure } from '../experiments/sweep-record.ts';
import { NO_MORE, OPTIONS, type Order, type WorkerMessage, type WorkerOptions } from './worker-protocol.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** A driver may crash, or a device be lost: a run whose process ended so often is given up. */
const ATTEMPTS = 2;

export type Ending = 'done' | 'elsewhere' | Failure;

export interface PoolEvents {
  readonly onProgress: (order: Order, share: number) => void;
  readonly onEnd: (order: Order, ending: Ending) => void;
}

/**
 * Makes runs in processes of their own, as many as `workers`, each taking the first that is not begun.
 * @throws Interrupted after a request to stop, when all processes have saved what they did
 */
export async function runAll(
  orders: readonly Order[],
  workers: readonly WorkerOptions[],
  events: PoolEvents,
): Promise<void> {
  const queue = [...orders];
  const children = new Set<ChildProcess>();
  let stopping = false;
  let failure: { readonly error: unknown } | undefined;
  const stop = () => {
    stopping = true;
    for (const child of children) child.kill('SIGTERM'); // A second one, after a terminal's Ctrl-C, is taken for the same.
  };

  /** What an event leads to; where that fails, as on a full disk, all processes stop before the failure is thrown. */
  const guarded =
    <A extends unknown[]>(react: (...args: A) => void) =>
    (...args: A): void => {
      try {
        react(...args);
      } catch (error) {
        failure ??= { error };
        stop();
      }
    };

  async function work(options: WorkerOptions): Promise<void> {
    let current = queue.shift();
    let attempts = 0;
    const finish = guarded((ending: Ending) => {
      const ended = current!;
      current = stopping ? undefined : queue.shift();
      attempts = 0;
      events.onEnd(ended, ending);
    });
    while (current && !stopping) {
      attempts++;
      const ended = await serve(options, () => current, {
        progress: (share) => events.onProgress(current!, share),
        finish,
      });
      if (current && !stopping && attempts === ATTEMPTS) {
        finish({ reason: `its process ended ${ended}, ${ATTEMPTS} times`, final: false });
      }
    }
  }

  /** One process, until it ends; resolves to how it did. */
  function serve(
    options: WorkerOptions,
    current: () => Order | undefined,
    heard: { progress: (share: number) => void; finish: (ending: Ending) => void },
  ): Promise<string> {
    return new Promise((resolve) => {
      const child = fork(WORKER, [], {
        env: { ...process.env, [OPTIONS]: JSON.stringify(options) },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      children.add(child);
      const order = () => child.connected && child.send(current() ?? NO_MORE, () => {});
      child.on(
        'message',
        guarded((message: WorkerMessage) => {
          if (message.kind === 'progress') return heard.progress(message.share);
          const { kind } = message;
          heard.finish(kind === 'failed' ? { reason: message.reason, final: message.final } : kind);
          order();
        }),
      );
      child.on(
        'error',
        guarded((error) => {
          if (child.pid === undefined) resolve(`before it began: ${error.message}`); // No `close` follows.
        }),
      );
      child.on('close', (code, signal) => {
        children.delete(child);
        resolve(signal ? `by ${signal}` : `with status ${code}`);
      });
      order();
    });
  }

  using interrupt = new Interrupt(() => {}, stop);
  await interrupt.heeded(() => Promise.all(workers.slice(0, orders.length).map(work)));
  if (failure) throw failure.error;
  if (stopping) throw new Interrupted('stopped; every run that was begun has its checkpoint');
}
