import type { Gpu } from '../src/gpu/device.ts';
import { profile } from '../src/gpu/profile.ts';
import { renderTable } from './table.ts';
import type { Training } from './training.ts';

const RUNS = 15;

/** Where a step spends its time, kernel by kernel: each dispatch by itself, the least of several runs. */
export async function stepProfile(gpu: Gpu, training: Training): Promise<string> {
  const { dispatches } = training;
  const least = new Array<number>(dispatches.length).fill(Number.POSITIVE_INFINITY);
  for (let run = 0; run < RUNS; run++) {
    const timings = await profile(gpu, (timed) => {
      for (const { kernel, encode } of dispatches) timed(kernel.name, encode);
    });
    timings.forEach(({ nanoseconds }, i) => {
      least[i] = Math.min(least[i]!, nanoseconds / 1000);
    });
  }
  const kinds = new Map<string, { count: number; microseconds: number; flops: number; bytes: number }>();
  dispatches.forEach(({ kernel }, i) => {
    const name = kernel.variant ? `${kernel.name}, ${kernel.variant}` : kernel.name;
    const kind = kinds.get(name) ?? { count: 0, microseconds: 0, flops: 0, bytes: 0 };
    kinds.set(name, {
      count: kind.count + 1,
      microseconds: kind.microseconds + least[i]!,
      flops: kind.flops + kernel.flops,
      bytes: kind.bytes + kernel.bytes,
    });
  });
  const rows = [...kinds]
    .sort(([, a], [, b]) => b.microseconds - a.microseconds)
    .map(([name, { count, microseconds, flops, bytes }]) => [
      name,
      `${count}`,
      microseconds.toFixed(0),
      (flops / microseconds / 1000).toFixed(1),
      (bytes / microseconds / 1000).toFixed(1),
    ]);
  const total = least.reduce((a, b) => a + b, 0).toFixed(0);
  return (
    `${renderTable(['kernel', 'dispatches', 'µs', 'GFLOPS', 'GB/s'], rows)}\n` +
    `${dispatches.length} dispatches, ${total} µs`
  );
}
