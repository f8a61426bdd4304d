import { expect, it } from 'vitest';
import { copyRows } from '../../src/kernels/rows.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

const list = (length: number, from = 0) => Float32Array.from({ length }, (_, i) => from + i);

it('copies rows apart and together again, and leaves what is between them', () =>
  withGpu(async (gpu) => {
    const apart = copyRows({ count: 50, width: 3, pitch: 3, to: 8 }, 1, gpu.traits);
    const [x, y] = await runKernel(gpu, apart, [list(152), 400]);
    const at = (i: number) => (i % 8 < 3 ? 3 * Math.floor(i / 8) + (i % 8) : Number.NaN);
    expect([...y!]).toEqual(Array.from({ length: 400 }, (_, i) => at(i)));
    const together = copyRows({ count: 50, width: 3, pitch: 8, to: 3 }, 1, gpu.traits);
    const [, again] = await runKernel(gpu, together, [y!, 152]);
    expect([...again!.subarray(0, 150)]).toEqual([...x!.subarray(0, 150)]);
  }));

it.each([
  [0, 1, [0, 100, 4, 104, 8]],
  [1, 1, [100, 4, 104, 8, 108]],
  [5, -1, [108, 8, 104, 4, 100]],
] as const)('takes rows of two sources in turn, from number %i on in steps of %i', (start, step, firsts) =>
  withGpu(async (gpu) => {
    const kernel = copyRows({ count: 5, width: 2, pitch: 4, to: 2, start, step }, 2, gpu.traits);
    const [, , y] = await runKernel(gpu, kernel, [list(12), list(12, 100), 12]);
    expect([...y!.subarray(0, 10)]).toEqual(firsts.flatMap((x) => [x, x + 1]));
  }),
);
