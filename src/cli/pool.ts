import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Interrupt, Interrupted } from '../experiments/interrupt.ts';
import type { PlannedRun } from '../experiments/sweep.ts';
import type { Failure } from '../experiments/sweep-record.ts';
import type { TuneMode } from '../tuner/tuner.ts';

/** What a worker makes: a run, or the optimization of the Unconstrained Jacobians Model. */
export type Order = RunOrder | TheoryOrder;

interface AnyOrder {
  readonly id: string;
  readonly folder: string;
  /** In floating-point operations, about. */
  readonly cost: number;
}

/** Experiments go by name. */
export interface RunOrder extends AnyOrder, Omit<PlannedRun, 'experiment' | 'cell'> {
  readonly kind: 'run';
  readonly experiment: string;
  readonly command: string;
}

interface TheoryOrder extends AnyOrder {
  readonly kind: 'theory';
  readonly preset: string;
}

/** Options for all orders of a worker, passed in its environment. */
export interface WorkerOptions {
  readonly adapter?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly tune: TuneMode;
  readonly checkpointSeconds: number;
}

/** How an order ended: `elsewhere` if another process has the run's folder. */
export type Ending = 'done' | 'elsewhere' | Failure;
/** From a worker: the finished share of an order, or how it ended. */
export type WorkerMessage = { readonly progress: number } | { readonly ending: Ending };

/** The environment variable with a worker's {@link WorkerOptions}. */
export const OPTIONS = 'COLLIMATE_WORKER';
/** Sent in place of an order when there are no more. */
export const NO_MORE = 'no more';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
/** A driver may crash, or a device be lost: after this many ended processes an order is given up. */
const ATTEMPTS = 2;

/** Carries out orders in processes, each taking the next. @throws Interrupted once all have saved */
export async function runAll(
  orders: readonly Order[],
  workers: readonly WorkerOptions[],
  on: { progress(order: Order, share: number): void; end(order: Order, ending: Ending): void },
): Promise<void> {
  const queue = [...orders];
  const children = new Set<ChildProcess>();
  let stopping = false;
  let failure: { readonly error: unknown } | undefined;
  const stop = () => {
    stopping = true;
    for (const child of children) child.kill('SIGTERM'); // A second one, after a terminal's Ctrl-C, is taken for the same.
  };

  /** Reacts to an event; if that fails, as on a full disk, stops all processes, then throws the failure. */
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
      on.end(ended, ending);
    });
    while (current && !stopping) {
      attempts++;
      const ended = await serve(options, () => current, finish);
      if (current && !stopping && attempts === ATTEMPTS) {
        finish({ reason: `its process ended ${ended}, ${ATTEMPTS} times`, final: false });
      }
    }
  }

  /** One process, until it ends; resolves to how it did. */
  function serve(
    options: WorkerOptions,
    current: () => Order | undefined,
    finish: (ending: Ending) => void,
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
          if ('progress' in message) return on.progress(current()!, message.progress);
          finish(message.ending);
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
  await interrupt.graceful(() => Promise.all(workers.slice(0, orders.length).map(work)));
  if (failure) throw failure.error;
  if (stopping) throw new Interrupted('stopped; every run that was started has its checkpoint');
}
