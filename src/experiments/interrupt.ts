import { CollimateError } from '../errors.ts';
import { standStill } from '../gpu/wait.ts';

/** Signals that stop a process, and its exit status after each: 128 + the signal's number, as in shells. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Exit status once the reader of our output is gone: as for a program that SIGPIPE ends. */
export const READER_GONE = 141;

/** The status of the first request to stop. */
let status = 1;

/** A run was stopped and everything is saved; the status tells by what. */
export class Interrupted extends CollimateError {
  readonly status = status;

  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

/** A terminal sends Ctrl-C to all its processes and npm passes its own on: within this time they are one. */
const ECHO_MS = 500;

/** The interrupts in force. */
const listening = new Set<Interrupt>();

/** The only place that ends this process before its work is done; device work in flight finishes first. */
export async function leave(status: number): Promise<never> {
  await standStill();
  process.exit(status);
}

/** Requests a stop as a signal does: all listeners stop at a checkpoint; without any, the process ends. */
export function requestStop(status: number): void {
  if (listening.size === 0) void leave(status);
  for (const interrupt of listening) interrupt.request(status);
}

/**
 * Turns signals into a request that the training loop honors at its next chunk of steps: Ctrl-C, SIGTERM
 * (from batch systems that reclaim a machine), SIGHUP (the terminal closed) and {@link requestStop}. With
 * nothing to save, or at a second Ctrl-C, the process ends at once; files are whole at all times.
 */
export class Interrupt implements Disposable {
  #requested: number | undefined;
  #saving = 0;
  #leaving = false;

  /**
   * `whenLeaving` may print a last message and finish something; another Ctrl-C cuts it short. `onRequest`
   * is called at each request, and `exit` when nothing is left to wait for.
   */
  constructor(
    private readonly whenLeaving: () => void | Promise<void> = () => {},
    private readonly onRequest: () => void = () => {},
    private readonly exit: (status: number) => unknown = leave,
  ) {
    listening.add(this);
    for (const signal of Object.keys(SIGNALS)) process.on(signal, this.#onSignal);
  }

  get requested(): boolean {
    return this.#requested !== undefined;
  }

  /** Exit status of a process that was requested to stop. */
  get status(): number {
    return status;
  }

  /**
   * Runs something that checks {@link requested} and saves its own state. If a stop was requested, this was
   * the last to save and `others`, which need no saving, are at work, the process ends without them.
   */
  async graceful<T>(body: () => Promise<T>, others = () => false): Promise<T> {
    this.#saving++;
    try {
      return await body();
    } finally {
      this.#saving--;
      if (this.requested && this.#saving === 0 && others()) await this.#end();
    }
  }

  readonly #onSignal = (signal: NodeJS.Signals): void =>
    this.request(SIGNALS[signal as keyof typeof SIGNALS]);

  request(reason: number): void {
    const now = performance.now();
    if (this.#requested !== undefined && now - this.#requested < ECHO_MS) return;
    const first = this.#requested === undefined;
    if (first) status = reason;
    this.#requested ??= now;
    this.onRequest();
    if (first && this.#saving > 0) return;
    if (this.#leaving) {
      // By the signal itself: whatever else a process does at its end, Dawn may crash in it.
      process.removeAllListeners('SIGINT');
      process.kill(process.pid, 'SIGINT');
    }
    void this.#end();
  }

  async #end(): Promise<void> {
    this.#leaving = true;
    try {
      await this.whenLeaving();
    } finally {
      await this.exit(status);
    }
  }

  [Symbol.dispose](): void {
    listening.delete(this);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, this.#onSignal);
  }
}
