import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { quietly } from '../../src/gpu/wait.ts';
import { withGpu } from './harness.ts';
import { submitSlow } from './slow.ts';

/** Milliseconds of CPU that the main thread has used. */
function mainThread(): number {
  const fields = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

describe('quiet waiting', () => {
  it.runIf(process.platform === 'linux')('leaves the core to others, and lets timers run', () =>
    withGpu(async (gpu) => {
      await submitSlow(gpu, 0);
      let [ticks, waits] = [0, 0];
      const cpu = mainThread();
      const start = performance.now();
      for (; waits < 100 && performance.now() - start < 500; waits++) {
        const timer = setTimeout(() => ticks++, 1);
        await submitSlow(gpu, 1);
        await gpu.idle();
        clearTimeout(timer);
      }
      const wall = performance.now() - start;
      expect((mainThread() - cpu) / wall).toBeLessThan(0.3);
      // Each wait takes longer than a millisecond, so each lets its timer run, however late.
      expect(ticks).toBe(waits);
    }),
  );

  it('passes on values and errors', async () => {
    await expect(quietly(Promise.resolve(1))).resolves.toBe(1);
    await expect(quietly(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});
