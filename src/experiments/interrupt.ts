import { CollimateError } from '../errors.ts';
import { standStill } from '../gpu/wait.ts';

/** What asks a process to stop, with the status that it ends with, as shells count: 128 and the number of a signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The status of a process whose reader has gone, as that of a program that does not catch SIGPIPE. */
export const READER_GONE = 141;

/** Of the first request to stop. */
let status = 1;

/** A run was stopped and everything is saved; the status tells by what. */
export class Interrupted extends CollimateError {
  readonly status = status;

  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

/** A terminal sends Ctrl-C to all processes in it, and npm then passes its own on: within so long they are one. */
const ECHO_MS = 500;

/** Those that are in force. */
const listening = new Set<Interrupt>();

/** The one place that ends this process before its work is done. Work under way on a device finishes first. */
export async function leave(status: number): Promise<never> {
  await standStill();
  process.exit(status);
}

/** Requests a stop as a signal does: all listeners stop at a checkpoint; if there are none, the process ends. */
export function requestStop(status: number): void {
  if (listening.size === 0) void leave(status);
  for (const interrupt of listening) interrupt.request(status);
}

/**
 * Turns signals into a request that the training loop honors at its next chunk of steps: Ctrl-C, SIGTERM, which batch systems send
 * before they take a machine back, SIGHUP, when a terminal closes, and {@link requestStop}. If nothing needs saving first, the
 * process ends, and at a second Ctrl-C at once; all files are whole at all times.
 */
export class Interrupt implements Disposable {
  #requested: number | undefined;
  #saving = 0;
  #leaving = false;

  /**
   * `whenLeaving` may print a last message and finish something while the work goes on; another Ctrl-C cuts that short.
   * `onRequest` is called at each request, and `exit` when nothing is left to wait for.
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
   * Runs something that checks {@link requested} and saves its own state. Where that was the last to be saved and `others`, which
   * need no saving, are at work, the process ends without them.
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
