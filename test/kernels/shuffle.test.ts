import { describe, expect, it } from 'vitest';
import { shuffleIndex, shuffleWgsl } from '../../src/kernels/shuffle.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

const order = (n: number, key: number) => Array.from({ length: n }, (_, i) => shuffleIndex(i, key, n));

describe('shuffle', () => {
  it('is a permutation, for every n and key', () => {
    for (const n of [...Array(300).keys()].map((i) => i + 1).concat(1023, 1024, 1025, 60_000)) {
      for (const key of [0, 1, 0xffffffff]) {
        expect(new Set(order(n, key)).size, `n = ${n}`).toBe(n);
        expect(Math.max(...order(n, key))).toBe(n - 1);
      }
    }
  });

  it('is the same on the GPU as on the host', () =>
    withGpu(async (gpu) => {
      for (const n of [1, 2, 3, 64, 65, 1000, 60_000]) {
        const kernel = {
          name: 'shuffle',
          wgsl: `@group(0) @binding(0) var<storage, read_write> order: array<u32>;
${shuffleWgsl(n)}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${n}u) { order[id.x] = shuffle${n}(id.x, 0x89abcdefu); }
}`,
          bindings: ['read_write'] as const,
          grid: [Math.ceil(n / 64), 1, 1] as const,
          flops: 0,
          bytes: 0,
        };
        const [got] = await runKernel(gpu, kernel, [n]);
        expect([...new Uint32Array(got!.buffer)]).toEqual(order(n, 0x89abcdef));
      }
    }));

  it('goes to other places for other keys, and scatters neighbours', () => {
    const n = 10_000;
    const [a, b] = [order(n, 1), order(n, 2)];
    // Two random permutations agree in one place on average, and neighbours stay neighbours in two.
    expect(a.filter((x, i) => x === b[i]).length).toBeLessThan(10);
    expect(a.filter((x, i) => x === i).length).toBeLessThan(10);
    expect(a.filter((x, i) => i > 0 && Math.abs(x - a[i - 1]!) === 1).length).toBeLessThan(15);
    // The first tenth comes from everywhere: its mean is that of all, within four standard errors.
    const mean = a.slice(0, n / 10).reduce((s, x) => s + x, 0) / (n / 10);
    expect(Math.abs(mean - n / 2)).toBeLessThan((4 * (n / Math.sqrt(12))) / Math.sqrt(n / 10));
  });
});
