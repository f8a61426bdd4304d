import { describe, expect, it } from 'vitest';
import { PHILOX_WGSL, philox, philoxNormal, philoxUniform } from '../../src/kernels/philox.ts';
import { random } from '../../src/kernels/random.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

type Words = [number, number, number, number];
const ones = 0xffffffff;

/** Known answers of philox4x32-10, from the authors' Random123 (kat_vectors): counter, key, result. */
const answers: [Words, [number, number], Words][] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [ones, ones, ones, ones],
    [ones, ones],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

describe('philox', () => {
  it('gives the known answers on the host', () => {
    for (const [counter, key, want] of answers) expect(philox(counter, key)).toEqual(want);
  });

  it('gives the known answers on the GPU', () =>
    withGpu(async (gpu) => {
      const kernel = {
        name: 'philox',
        wgsl: `@group(0) @binding(0) var<storage, read> inputs: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> outputs: array<vec4u>;
${PHILOX_WGSL}
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) wg: vec3u) {
  outputs[wg.x] = philox(inputs[2u * wg.x], inputs[2u * wg.x + 1u].xy);
}`,
        bindings: ['read', 'read_write'] as const,
        grid: [answers.length, 1, 1] as const,
        flops: 0,
        bytes: 0,
      };
      const inputs = Uint32Array.from(answers.flatMap(([counter, key]) => [...counter, ...key, 0, 0]));
      const [, got] = await runKernel(gpu, kernel, [inputs, 4 * answers.length]);
      expect([...new Uint32Array(got!.buffer)]).toEqual(answers.flatMap(([, , want]) => want));
    }));
});

describe('random', () => {
  const key = [123456789, 4_000_000_000] as const;
  const generate = (distribution: 'uniform' | 'normal', count: number, stream = 0) =>
    withGpu(async (gpu) => {
      const kernel = random({ distribution, count, stream }, { ...gpu.traits, maxWorkgroupsPerDimension: 5 });
      const [, got] = await runKernel(gpu, kernel, [Uint32Array.from(key), count + 3]);
      expect([...got!.subarray(count)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
      return got!.subarray(0, count);
    });

  it('gives uniform numbers of the host, to the bit', async () => {
    for (const [count, stream] of [
      [1, 0],
      [6, 1],
      [5003, 4_000_000_000],
    ] as const) {
      const got = await generate('uniform', count, stream);
      expect([...got]).toEqual([...philoxUniform(count, key, stream)]);
    }
  });

  it('gives normal numbers of the host, to rounding', async () => {
    const [got, want] = [await generate('normal', 5003, 7), philoxNormal(5003, key, 7)];
    expect(Math.max(...got.map((x, i) => Math.abs(x - want[i]!)))).toBeLessThan(2e-5);
  });

  it('streams, keys and places differ', () => {
    const all = [
      [key, 0],
      [key, 1],
      [[key[0] + 1, key[1]], 0],
      [[key[0], key[1] - 1], 0],
    ] as const;
    const numbers = all.flatMap(([k, stream]) => [...philoxUniform(1000, k, stream)]);
    // A collision of 24-bit numbers among 4000 now and then is chance.
    expect(new Set(numbers).size).toBeGreaterThan(3995);
  });

  it('has the moments of the distributions', async () => {
    const n = 40_000;
    const moment = (x: ArrayLike<number>, p: number) => Array.from(x).reduce((s, v) => s + v ** p, 0) / n;
    const uniform = await generate('uniform', n);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    for (const p of [1, 2, 3]) expect(moment(uniform, p)).toBeCloseTo(1 / (p + 1), 2);
    const normal = await generate('normal', n);
    // Within four standard errors.
    for (const [p, want, spread] of [
      [1, 0, 1],
      [2, 1, 2],
      [3, 0, 15],
      [4, 3, 96],
    ] as const) {
      expect(Math.abs(moment(normal, p) - want)).toBeLessThan(4 * Math.sqrt(spread / n));
    }
    // Pairs of neighbours are independent.
    const products = normal.map((x, i) => x * normal[(i + 1) % n]!);
    expect(Math.abs(moment(products, 1))).toBeLessThan(4 / Math.sqrt(n));
  });
});
