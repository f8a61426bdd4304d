/**
 * Quiet waiting for the whole engine.
 *
 * While a Dawn promise is pending, the Node binding polls it on every turn of the event loop and burns a
 * whole core, one that a software adapter computes on. So the main thread naps once per turn while anything
 * is pending, for 20 to 250 µs, growing with the wait. docs/adapters.md has the gains and costs.
 *
 * Signals and timers run between naps. Browsers poll on their own thread, so this does nothing there.
 */
const longestNap = 0.25;

/** Only in Node does polling run on the JavaScript thread, and may that thread block. */
export const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;

const slept = inNode ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
let pending = 0;
let since = 0;
let turning = false;
/** What every wait continues with once the process is ending: it never settles. */
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

/** Awaits a promise without burning a core. Every promise of a device goes through here. */
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
 * Freezes everything that waits for a device. Resolves when no work is pending, or after ten seconds: Dawn
 * crashes if a process ends while a pipeline compiles.
 */
export async function standStill(): Promise<void> {
  never ??= new Promise(() => {});
  const deadline = performance.now() + 10_000;
  while (pending > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
}
