import { describe, expect, it } from 'vitest';
import { gather } from '../../src/kernels/gather.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

// More than one workgroup takes, and no whole number of them.
const index = Uint32Array.from(Array(11).fill([4, 0, 0, 5, 2, 9, 4_000_000_000]).flat());

const rows = 6;

/** A table with what is taken from it. */
function tableOf(source: 'u8' | 'f32', width: number) {
  const bytes = Uint8Array.from({ length: Math.ceil((rows * width) / 16) * 16 }, (_, i) => (i * 89) % 256);
  const data = source === 'u8' ? new Uint32Array(bytes.buffer) : Float32Array.from(bytes, (x) => x / 2);
  const want = [...index].flatMap((row) => {
    if (row >= rows) return new Array<number>(width).fill(Number.NaN);
    const at = row * width;
    return [...bytes.subarray(at, at + width)].map((x) => (source === 'u8' ? x : x / 2) * 0.5 - 3);
  });
  return { table: { source, rows, width, scale: 0.5, shift: -3 }, data, want };
}

describe('gather', () => {
  it.each([
    [['u8', 7]],
    [['u8', 8]],
    [['u8', 1]],
    [['f32', 7]],
    [['f32', 12]],
    [
      ['u8', 300],
      ['u8', 1],
      ['f32', 12],
      ['f32', 7],
    ],
  ] as const)('takes rows of %j, by width; beyond a table there is NaN', (...given) =>
    withGpu(async (gpu) => {
      const all = given.map(([source, width]) => tableOf(source, width));
      for (const maxWorkgroupsPerDimension of [65535, 1]) {
        const spec = { tables: all.map(({ table }) => table), count: index.length };
        const kernel = gather(spec, { ...gpu.traits, maxWorkgroupsPerDimension });
        const data = [...all.map((one) => one.data), index, ...all.map(({ want }) => want.length)];
        const got = await runKernel(gpu, kernel, data);
        expect(got.slice(all.length + 1).map((result) => [...result!])).toEqual(all.map(({ want }) => want));
      }
    }),
  );
});
