import { expect, it } from 'vitest';
import { scatter } from '../../src/kernels/scatter.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

it.each([
  ['a row to a thread', 1, 5, 3],
  ['blocks of rows, the last of them shorter', 1, 1000, 3],
  ['blocks of fours', 2, 301, 8],
] as const)('sums rows by index, and leaves 0 where there are none: %s', (_, outer, rows, width) =>
  withGpu(async (gpu) => {
    // Some twice, some beyond the result, most never.
    const index = Uint32Array.from({ length: 40 }, (_, i) => (i % 3 ? (i * 7) % 100 : rows - 1 + (i % 2)));
    const updates = Float32Array.from({ length: outer * index.length * width }, (_, i) => 1 + (i % 251));
    const want = new Float32Array(outer * rows * width);
    for (let o = 0; o < outer; o++)
      index.forEach((row, i) => {
        for (let e = 0; e < width && row < rows; e++)
          want[(o * rows + row) * width + e]! += updates[(o * index.length + i) * width + e]!;
      });
    for (const kind of ['software', 'hardware'] as const)
      for (const maxWorkgroupsPerDimension of [65535, 1]) {
        const traits = { ...gpu.traits, kind, maxWorkgroupsPerDimension };
        const kernel = scatter({ outer, rows, width, count: index.length }, traits);
        const [, , got] = await runKernel(gpu, kernel, [updates, index, want.length]);
        expect(got).toEqual(want);
      }
  }),
);
