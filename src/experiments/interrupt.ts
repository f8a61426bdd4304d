import { CollimateError } from '../errors.ts';

/** A run that its user stopped, after everything was saved. */
export class Interrupted extends CollimateError {
  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

/** A terminal sends Ctrl-C to all processes in it, and npm then passes its own on: within so long they are one. */
const ECHO_MS = 500;

/**
 * Turns Ctrl-C into a request that the training loop meets at its next chunk of steps. So is SIGTERM, which
 * batch systems send before they take a machine back. Where nothing needs to be saved first, and at a second Ctrl-C, the
 * process ends at once, with status 130; all files are whole at any moment.
 */
export class Interrupt implements Disposable {
  #requested: number | undefined;
  #saving = 0;
  #leaving = false;
  readonly #leave: () => void | Promise<void>;

  /** `leave` may print a last word, and bring something to its end while the work goes on; another Ctrl-C cuts that short. */
  constructor(leave: () => void | Promise<void> = () => {}) {
    this.#leave = leave;
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  get requested(): boolean {
    return this.#requested !== undefined;
  }

  /** Runs something that looks at {@link requested} and saves its state by itself. */
  async heeded<T>(body: () => Promise<T>): Promise<T> {
    this.#saving++;
    try {
      return await body();
    } finally {
      this.#saving--;
    }
  }

  readonly #onSignal = (): void => {
    const now = performance.now();
    if (this.#requested !== undefined && now - this.#requested < ECHO_MS) return;
    const first = this.#requested === undefined;
    this.#requested ??= now;
    if (first && this.#saving > 0) return;
    if (this.#leaving) process.exit(130);
    this.#leaving = true;
    (async () => this.#leave())().finally(() => process.exit(130));
  };

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }
}
