/**
 * Quiet waiting, in one place for the whole engine.
 *
 * While a Dawn promise is pending, the Node binding polls it on every turn of the event loop and so burns a whole core:
 * on a software adapter one of those that draw. Therefore the main thread naps once per turn while anything is
 * pending, from 20 to 250 µs, the longer the longer it has waited. docs/adapters.md has what that gains and costs.
 *
 * Signals and timers run between naps. Browsers poll on a thread of their own, so there this does nothing.
 */
const longestNap = 0.25;

/** There, only there, is polling done on the JavaScript thread, and that thread allowed to block. */
export const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;

const slept = inNode ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
let pending = 0;
let since = 0;
let turning = false;
/** What every wait goes on to once the process is ending: nothing. */
let never: Promise<never> | undefined;

function turn(): void {
  if (pending === 0) {
    turning = false;
    return;
  }
  const nap = Math.min(longestNap, 0.02 + (performance.now() - since) / 8);
  Atomics.wait(slept!, 0, 0, nap);
  setImmediate(turn);
}

/** The same promise, awaited without burning a core. Every promise of a device goes through here. */
export function quietly<T>(promise: Promise<T>): Promise<T> {
  if (!inNode) return promise;
  pending++;
  since = performance.now();
  if (!turning) {
    turning = true;
    setImmediate(turn);
  }
  return promise.finally(() => {
    pending--;
    return never;
  });
}

/**
 * Lets nothing that waits for a device go on, and resolves when nothing is under way there, or at last after ten seconds: Dawn
 * crashes where a process ends while a pipeline compiles.
 */
export async function standStill(): Promise<void> {
  never ??= new Promise(() => {});
  const deadline = performance.now() + 10_000;
  while (pending > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
}
