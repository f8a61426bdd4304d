import type { CollimateError } from '../errors.ts';
import { DeviceLostError } from './failures.ts';
import { quietly } from './wait.ts';

/** A device's first failure, which is final, and the waits it ends. */
export class Fate {
  readonly #waits = new Set<(reason: CollimateError) => void>();
  #failure: CollimateError | undefined;
  #thrown = false;

  fail(error: CollimateError): void {
    this.#failure ??= error;
    if (this.#waits.size > 0) this.#thrown = true;
    for (const reject of this.#waits) reject(this.#failure);
    this.#waits.clear();
  }

  check(): void {
    if (!this.#failure) return;
    this.#thrown = true;
    throw this.#failure;
  }

  /** Throws a failure that nothing has thrown yet. */
  checkAtLast(): void {
    if (!this.#thrown) this.check();
  }

  /** Waits quietly; a failure ends the wait even if the promise itself would never settle. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let reject: (reason: CollimateError) => void = () => {};
    try {
      const value = await new Promise<T>((resolve, no) => {
        reject = no;
        this.#waits.add(no);
        quietly(promise).then(resolve, no);
      });
      this.check();
      return value;
    } catch (error) {
      this.check(); // The failure is the cause; the wait's own error only follows from it.
      if ((Object(error) as Error).name !== 'AbortError') throw error;
      // The mapping of a buffer is aborted before the loss of the device is reported.
      await this.settled(new Promise((resolve) => setTimeout(resolve, 1000)));
      throw new DeviceLostError('it aborted a read, and has not said why');
    } finally {
      this.#waits.delete(reject);
    }
  }
}
