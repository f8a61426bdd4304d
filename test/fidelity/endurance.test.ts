import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Of 10,000 steps, those after which caches and pools have their size. */
const WARM_UP = 1100;
const STEPS = 10_000;
/** Half a KiB a step: one command buffer, bind group or promise kept each time would exceed it. */
const BOUND_MIB = 4;

test('10,000 steps leave memory where it was after the first', async () => {
  const child = join(import.meta.dirname, 'endurance-child.ts');
  const args = ['--import', 'tsx', child, `${WARM_UP}`, `${STEPS}`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { before, after, worstLoss } = JSON.parse(stdout);
  expect(worstLoss).toBeGreaterThan(0);
  expect(worstLoss).toBeLessThan(100);
  expect(after.buffers).toBe(before.buffers);
  expect(after.memoryMiB - before.memoryMiB).toBeLessThan(BOUND_MIB);
});
