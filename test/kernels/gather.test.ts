import { describe, expect, it } from 'vitest';
import { gather } from '../../src/kernels/gather.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

// More than one workgroup takes, and no whole number of them.
const index = Uint32Array.from(Array(11).fill([4, 0, 0, 5, 2, 9, 4_000_000_000]).flat());

describe('gather', () => {
  it.each([
    ['u8', 7],
    ['u8', 8],
    ['u8', 1],
    ['f32', 7],
    ['f32', 12],
  ] as const)('takes rows of %s, %i wide; beyond the table there is NaN', (source, width) =>
    withGpu(async (gpu) => {
      const rows = 6;
      const table = Uint8Array.from(
        { length: Math.ceil((rows * width) / 16) * 16 },
        (_, i) => (i * 89) % 256,
      );
      const words = source === 'u8' ? new Uint32Array(table.buffer) : Float32Array.from(table, (x) => x / 2);
      const spec = { source, rows, width, count: index.length, scale: 0.5, shift: -3 };
      const want = [...index].flatMap((row) => {
        if (row >= rows) return new Array<number>(width).fill(Number.NaN);
        const at = row * width;
        return [...table.subarray(at, at + width)].map((x) => (source === 'u8' ? x : x / 2) * 0.5 - 3);
      });
      for (const maxWorkgroupsPerDimension of [65535, 1]) {
        const kernel = gather(spec, { ...gpu.traits, maxWorkgroupsPerDimension });
        const [, , got] = await runKernel(gpu, kernel, [words, index, want.length]);
        expect([...got!]).toEqual(want);
      }
    }),
  );
});
