import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { broadcastConv, type ConvSpec, conv, tiledConvs } from '../../src/kernels/conv.ts';
import { outputSides, type Window } from '../../src/kernels/window.ts';
import { runKernel, withGpu } from '../gpu/harness.ts';

const PARTS = ['forward', 'inputGradient', 'weightGradient'] as const;

/** Deterministic values in [-1, 1]. */
const values = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i * i + 78.233 * i + seed));

/** Sizes of the operands and the result of one problem. */
function sizesOf({ part, window, images, channels, outputChannels }: ConvSpec): [number, number, number] {
  const pixels = (sides: readonly [number, number]) => images * sides[0] * sides[1];
  const x = pixels(window.image) * channels;
  const y = pixels(outputSides(window)) * outputChannels;
  const w = window.size[0] * window.size[1] * channels * outputChannels;
  return { forward: [x, w, y], inputGradient: [y, w, x], weightGradient: [y, x, w] }[part] as [
    number,
    number,
    number,
  ];
}

/** The result in float64 and Σ|a||b| of each element, summed place by place. */
function reference(spec: ConvSpec, a: Float32Array, b: Float32Array) {
  const { part, window, images, channels, outputChannels } = spec;
  const { image, size, stride, padding } = window;
  const [oh, ow] = outputSides(window);
  const [sum, scale] = [new Float64Array(sizesOf(spec)[2]), new Float64Array(sizesOf(spec)[2])];
  for (let n = 0; n < images; n++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let r = 0; r < size[0]; r++)
          for (let s = 0; s < size[1]; s++) {
            const [h, w] = [p * stride[0] + r - padding[0], q * stride[1] + s - padding[1]];
            if (h < 0 || w < 0 || h >= image[0] || w >= image[1]) continue;
            for (let c = 0; c < channels; c++)
              for (let f = 0; f < outputChannels; f++) {
                const tap = r * size[1] + s;
                const x = ((n * image[0] + h) * image[1] + w) * channels + c;
                const y = ((n * oh + p) * ow + q) * outputChannels + f;
                const outer = (f * size[0] * size[1] + tap) * channels + c;
                const swapped = (c * size[0] * size[1] + tap) * outputChannels + f;
                const [i, j, o] = {
                  forward: [x, outer, y],
                  inputGradient: [y, swapped, x],
                  weightGradient: [y, x, outer],
                }[part] as [number, number, number];
                sum[o]! += a[i]! * b[j]!;
                scale[o]! += Math.abs(a[i]! * b[j]!);
              }
          }
  return { sum, scale };
}

/** Runs a problem's kernel, repeated along its batch dimension, and checks errors relative to Σ|a||b|. */
async function check(gpu: Gpu, spec: ConvSpec, kernel: Kernel) {
  const [sizeA, sizeB, size] = sizesOf(spec);
  const [batch = { size: 1, strideA: 0, strideB: 0 }] = spec.batch;
  const a = values(sizeA + (batch.size - 1) * batch.strideA, 1);
  const b = values(sizeB + (batch.size - 1) * batch.strideB, 2);
  const [, , got] = await runKernel(gpu, kernel, [a, b, batch.size * size]);
  for (let problem = 0; problem < batch.size; problem++) {
    const want = reference(spec, a.subarray(problem * batch.strideA), b.subarray(problem * batch.strideB));
    for (let i = 0; i < size; i++) {
      const error = Math.abs(got![problem * size + i]! - want.sum[i]!);
      if (error <= 1e-6 * want.scale[i]!) continue;
      expect.fail(
        `${kernel.name}, ${kernel.variant}, ${JSON.stringify(spec)}: element ${i} of problem ${problem} is ${got![problem * size + i]}, not ${want.sum[i]}`,
      );
    }
  }
}

const window = (image: number, size: number, stride = 1, padding = 0): Window => ({
  image: [image, image + 1],
  size: [size, size],
  stride: [stride, stride],
  padding: [padding, padding],
});

/** In words: all branches of the sources, vectors or none, several tiles, strides, blocks of long sums. */
const PROBLEMS: readonly [string, Omit<ConvSpec, 'part' | 'batch'>][] = [
  ['3×3', { window: window(7, 3, 1, 1), images: 5, channels: 8, outputChannels: 12 }],
  ['3×3 of odd channels', { window: window(6, 3, 1, 1), images: 3, channels: 3, outputChannels: 5 }],
  ['3×3 in twos of eights', { window: window(7, 3, 2, 1), images: 2, channels: 8, outputChannels: 8 }],
  ['3×3 in twos', { window: window(9, 3, 2, 1), images: 2, channels: 4, outputChannels: 36 }],
  ['1×1 in twos', { window: window(5, 1, 2), images: 3, channels: 40, outputChannels: 4 }],
  ['7×7 in threes', { window: window(16, 7, 3, 3), images: 1, channels: 6, outputChannels: 7 }],
  ['a long sum', { window: window(32, 2), images: 9, channels: 4, outputChannels: 4 }],
];

describe.each(PROBLEMS)('%s', (_, sizes) => {
  test.each(PARTS)('%s, with every variant', (part) =>
    withGpu(async (gpu) => {
      const spec = { ...sizes, part, batch: [] };
      const lanes = gpu.traits.subgroupSize;
      const tiles = [
        { rows: 32, columns: 4 },
        { rows: 16, columns: 1 },
      ].filter(() => lanes >= 1 && lanes <= 16);
      await check(gpu, spec, conv(spec, gpu.traits));
      for (const tile of tiles) await check(gpu, spec, broadcastConv(spec, tile, gpu.traits));
      const tiled = tiledConvs(spec, { ...gpu.traits, kind: 'hardware' });
      expect(new Set(tiled.map(({ variant }) => variant)).size).toBe(tiled.length);
      for (const kernel of [tiled[0]!, tiled.at(-1)!]) await check(gpu, spec, kernel);
    }),
  );
});

test('of any window, batched, with operands repeated', () =>
  withGpu(async (gpu) => {
    const side = fc.record({
      size: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.integer({ min: 0, max: 3 }),
      more: fc.integer({ min: 0, max: 6 }),
    });
    const some = fc.record({
      part: fc.constantFrom(...PARTS),
      sides: fc.tuple(side, side),
      images: fc.integer({ min: 1, max: 3 }),
      channels: fc.integer({ min: 1, max: 9 }),
      outputChannels: fc.integer({ min: 1, max: 9 }),
      repeat: fc.tuple(fc.boolean(), fc.boolean()),
      hardware: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(some, async ({ sides, repeat, hardware, ...rest }) => {
        const [first, second] = sides.map((s) => ({ ...s, padding: Math.min(s.padding, s.size - 1) })) as [
          (typeof sides)[0],
          (typeof sides)[1],
        ];
        const both = (f: (s: typeof first) => number): [number, number] => [f(first), f(second)];
        const one: ConvSpec = {
          ...rest,
          window: {
            image: both((s) => s.size + s.more),
            size: both((s) => s.size),
            stride: both((s) => s.stride),
            padding: both((s) => s.padding),
          },
          batch: [],
        };
        const [a, b] = sizesOf(one);
        const spec = { ...one, batch: [{ size: 3, strideA: repeat[0] ? 0 : a, strideB: repeat[1] ? 0 : b }] };
        const traits = hardware ? { ...gpu.traits, kind: 'hardware' as const } : gpu.traits;
        await check(gpu, spec, conv(spec, traits));
      }),
      { numRuns: 60, seed: 5 },
    );
  }));

test('takes the sum over pixels in a fixed order', () =>
  withGpu(async (gpu) => {
    const spec: ConvSpec = {
      part: 'weightGradient',
      window: window(9, 3, 1, 1),
      images: 4,
      channels: 8,
      outputChannels: 8,
      batch: [],
    };
    const [a, b, size] = sizesOf(spec);
    const run = () => runKernel(gpu, conv(spec, gpu.traits), [values(a, 3), values(b, 4), size]);
    const [first, second] = [await run(), await run()];
    expect(first[2]).toEqual(second[2]);
  }));

test('impossible batches are refused by name', () =>
  withGpu(({ traits }) => {
    const dim = { size: 2, strideA: 0, strideB: 0 };
    const sizes = {
      part: 'forward',
      window: window(4, 3),
      images: 1,
      channels: 2,
      outputChannels: 2,
    } as const;
    const of =
      (...batch: ConvSpec['batch'][number][]) =>
      () =>
        conv({ ...sizes, batch }, traits);
    expect(of(dim, dim, dim)).not.toThrow();
    expect(of(dim, dim, dim, dim)).toThrow('conv: 4 batch dimensions');
    expect(of({ ...dim, size: 0 })).toThrow('conv: the size of batch dimension 0 is 0');
    expect(of(dim, { ...dim, strideB: -1 })).toThrow('conv: the stride of batch dimension 1 is -1');
  }));
