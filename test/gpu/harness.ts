import { expect } from 'vitest';
import { CollimateError } from '../../src/errors.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { record } from '../../src/gpu/runnable.ts';
import { openGpu } from '../../src/host/open.ts';
import { roundUp } from '../../src/kernels/pad.ts';

let shared: Promise<Gpu> | undefined;

/**
 * The Gpu that all tests of this process share, on the adapter in `COLLIMATE_ADAPTER` (default: the best).
 * Never dispose it. Having no adapter is a failure, told with its remedy; tests are not skipped.
 */
export function testGpu(): Promise<Gpu> {
  shared ??= openForTest();
  return shared;
}

/** A Gpu of a test's own, for tests that break or dispose it. */
export async function openForTest(adapter?: string): Promise<Gpu> {
  try {
    return await openGpu({ adapter });
  } catch (error) {
    if (error instanceof CollimateError) error.message += `\n${error.remedy}`;
    throw error;
  }
}

/** Runs `body` with the shared Gpu, and asserts that it leaves no buffer behind. */
export async function withGpu<T>(body: (gpu: Gpu) => T | Promise<T>): Promise<T> {
  const gpu = await testGpu();
  return expectNoLeak(gpu, () => body(gpu));
}

/** Asserts that as many buffers live after `body` as before it. */
export async function expectNoLeak<T>(gpu: Gpu, body: () => T | Promise<T>): Promise<T> {
  const before = gpu.liveBuffers;
  const result = await body();
  await gpu.idle();
  expect(gpu.liveBuffers, 'live buffers after, as before').toBe(before);
  return result;
}

/** A matrix with its sides rounded up to multiples of four. */
function padded(matrix: ArrayLike<number>, rows: number, cols: number): Float32Array {
  const width = roundUp(cols);
  return Float32Array.from({ length: roundUp(rows) * width }, (_, i) => {
    const [row, col] = [Math.floor(i / width), i % width];
    return row < rows && col < cols ? matrix[row * cols + col]! : 0;
  });
}

/** What an output buffer holds before a kernel runs: a NaN, so that an element nobody wrote is seen. */
const poison = 0x7fc0dead;

/**
 * Runs one kernel by itself. `buffers` are the storage buffers in binding order: initial contents, or the
 * number of 32-bit words of an output, which starts poisoned. Returns them all as they are afterwards.
 */
export async function runKernel(
  gpu: Gpu,
  kernel: Kernel,
  buffers: readonly (number | Float32Array | Uint32Array | Int32Array)[],
): Promise<Float32Array[]> {
  const made: GPUBuffer[] = [];
  const textures: GPUTexture[] = [];
  const make = (data: ArrayBufferView, usage?: number) => {
    const buffer = gpu.createBuffer(data.byteLength, usage ? { usage } : {});
    made.push(buffer);
    gpu.write(buffer, 0, data);
    return { buffer, size: Math.max(data.byteLength, 4) };
  };
  try {
    const pipeline = await gpu.pipeline(kernel);
    const bound = buffers.map((b, i) => {
      if (typeof b === 'number') return make(new Uint32Array(b).fill(poison));
      const sides = kernel.padded?.[i];
      return make(sides ? padded(b, ...sides) : b);
    });
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const uniforms = kernel.uniforms ? [make(kernel.uniforms, usage).buffer] : [];
    record(gpu.device, (recorder) => {
      const resources = bound.map((from, i) => {
        if (kernel.bindings[i] !== 'texels') return from;
        const texture = gpu.memory.borrowTexels(from.size, 'operand');
        textures.push(texture);
        recorder.copyToTexels(from, from.size, texture);
        return texture;
      });
      const { pass } = recorder;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, gpu.bindGroup(pipeline, [...resources, ...uniforms]));
      pass.dispatchWorkgroups(...kernel.grid);
    });
    return await Promise.all(
      bound.map(async ({ buffer, size }) => new Float32Array(await gpu.read(buffer, 0, size))),
    );
  } finally {
    for (const buffer of made) gpu.destroyBuffer(buffer);
    for (const texture of textures) gpu.memory.releaseTexels(texture);
  }
}
