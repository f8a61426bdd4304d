import type { Gpu } from '../src/gpu/device.ts';
import { profile } from '../src/gpu/profile.ts';
import { workOf } from './cases.ts';
import { renderTable } from './table.ts';
import type { Training } from './training.ts';

const RUNS = 15;

/** A step's time, kernel by kernel: each dispatch alone, the fastest of several runs. */
export async function stepProfile(gpu: Gpu, training: Training): Promise<string> {
  const { dispatches } = training;
  const fastest = new Array<number>(dispatches.length).fill(Number.POSITIVE_INFINITY);
  for (let run = 0; run < RUNS; run++) {
    const timings = await profile(gpu, (timed) => {
      for (const { kernel, encode } of dispatches) timed(kernel.name, encode);
    });
    timings.forEach(({ nanoseconds }, i) => {
      fastest[i] = Math.min(fastest[i]!, nanoseconds / 1000);
    });
  }
  const kinds = new Map<string, number[]>();
  for (const [i, { kernel }] of dispatches.entries()) {
    const name = kernel.variant ? `${kernel.name}, ${kernel.variant}` : kernel.name;
    kinds.set(name, [...(kinds.get(name) ?? []), i]);
  }
  const rows = [...kinds]
    .map(([name, own]) => ({
      ...{ name, count: own.length, microseconds: own.reduce((sum, i) => sum + fastest[i]!, 0) },
      ...workOf(own.map((i) => dispatches[i]!.kernel)),
    }))
    .sort((a, b) => b.microseconds - a.microseconds)
    .map(({ name, count, microseconds, flops, bytes }) => [
      ...[name, `${count}`, microseconds.toFixed(0)],
      ...[flops, bytes].map((amount) => (amount / microseconds / 1000).toFixed(1)),
    ]);
  const total = fastest.reduce((a, b) => a + b, 0).toFixed(0);
  return (
    `${renderTable(['kernel', 'dispatches', 'µs', 'GFLOPS', 'GB/s'], rows)}\n` +
    `${dispatches.length} dispatches, ${total} µs`
  );
}
