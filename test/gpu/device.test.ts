import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { DeviceLostError, formatBytes } from '../../src/gpu/failures.ts';
import { Fate } from '../../src/gpu/fate.ts';
import { openGpu } from '../../src/host/open.ts';
import { openForTest, runKernel, withGpu } from './harness.ts';
import { submitSlow } from './slow.ts';

const double = {
  name: 'double',
  wgsl: `@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<uniform> n: vec4u;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < n.x) { b[id.x] = 2.0 * a[id.x]; }
}`,
  bindings: ['read', 'read_write'],
  uniforms: new Uint32Array([3, 0, 0, 0]),
  grid: [1, 1, 1],
  flops: 3,
  bytes: 24,
} as const;

describe('Gpu', () => {
  it('runs a kernel, and shows which elements it did not write', () =>
    withGpu(async (gpu) => {
      const [, b] = await runKernel(gpu, double, [new Float32Array([1, 2, 3, 4]), 4]);
      expect([...b!]).toEqual([2, 4, 6, Number.NaN]);
    }));

  it('has a device for large dispatches on all cores, once, which goes with it', async () => {
    const gpu = await openForTest();
    const wide = await gpu.wide();
    expect(await gpu.wide()).toBe(wide);
    expect(await wide.wide()).toBe(wide);
    expect({ ...wide.info, threads: 0 }).toEqual({ ...gpu.info, threads: 0 });
    if (gpu.info.threads === 0 && availableParallelism() > 1) {
      expect(wide.info.threads).toBe(availableParallelism());
    } else expect(wide).toBe(gpu);
    gpu.dispose();
    await expect(wide.device.lost).resolves.toMatchObject({ reason: 'destroyed' });
  });

  it('makes zero-filled buffers, in steps of 16 bytes, and counts them', () =>
    withGpu(async (gpu) => {
      const live = gpu.liveBuffers;
      const buffer = gpu.createBuffer(20);
      expect(buffer.size).toBe(32);
      expect(gpu.liveBuffers).toBe(live + 1);
      expect(new Uint8Array(await gpu.read(buffer, 0, 32))).toEqual(new Uint8Array(32));
      gpu.destroyBuffer(buffer);
      gpu.destroyBuffer(buffer);
      expect(gpu.liveBuffers).toBe(live);
    }));

  it('writes and reads any number of bytes, from views too', () =>
    withGpu(async (gpu) => {
      const buffer = gpu.createBuffer(16);
      gpu.write(buffer, 4, new Uint8Array([9, 9, 1, 2, 3, 4, 5]).subarray(2));
      expect([...new Uint8Array(await gpu.read(buffer, 4, 6))]).toEqual([1, 2, 3, 4, 5, 0]);
      gpu.destroyBuffer(buffer);
    }));

  it('compiles each source once', () =>
    withGpu(async (gpu) => {
      const first = await gpu.pipeline(double);
      expect(await gpu.pipeline({ ...double, name: 'the same' })).toBe(first);
    }));

  it('gives kernels with bindings of the same kinds one layout, whatever their sizes', () =>
    withGpu(async (gpu) => {
      const reading = (vectors: number) => ({
        name: `reads ${vectors}`,
        wgsl: `@group(0) @binding(0) var<uniform> a: array<vec4f, ${vectors}>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4f>;
@compute @workgroup_size(1)
fn main() { b[0] += a[${vectors - 1}]; }`,
        bindings: ['uniform', 'read_write'] as const,
      });
      const [small, large] = await Promise.all([1, 1024].map((vectors) => gpu.pipeline(reading(vectors))));
      const [a, b] = [gpu.createBuffer(16 * 1024), gpu.createBuffer(16)];
      gpu.write(a, 16 * 1023, new Float32Array([1, 2, 3, 4]));
      const group = gpu.bindGroup(small!, [a, b]);
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(large!);
      pass.setBindGroup(0, group); // Were it another layout's, this would be an error.
      pass.dispatchWorkgroups(1);
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
      expect([...new Float32Array(await gpu.read(b, 0, 16))]).toEqual([1, 2, 3, 4]);
      for (const buffer of [a, b]) gpu.destroyBuffer(buffer);
    }));

  it('shows the line of a shader that does not compile, and goes on', () =>
    withGpu(async (gpu) => {
      const wgsl = '@compute @workgroup_size(1)\nfn main() {\n  let x: u32 = 1.5;\n}';
      await expect(gpu.pipeline({ name: 'broken', wgsl })).rejects.toThrow(
        /kernel broken does not compile\nbroken:3:16: cannot convert[\s\S]*3 \| {3}let x: u32 = 1\.5;\n +\| +\^\^\^\n +4 \| }/,
      );
      await gpu.idle();
    }));

  it('says what is wrong with a kernel that compiles but exceeds a limit', () =>
    withGpu(async (gpu) => {
      const wgsl = '@compute @workgroup_size(100000)\nfn main() {}';
      await expect(gpu.pipeline({ name: 'huge', wgsl })).rejects.toThrow(/huge[\s\S]*100000/);
    }));

  it('refuses a buffer above the limit, naming its size, the limit and a remedy', () =>
    withGpu((gpu) => {
      const limit = gpu.device.limits.maxBufferSize;
      expect(() => gpu.createBuffer(16 * limit, { label: 'the arena' })).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(
            `cannot allocate the arena of ${formatBytes(16 * limit)}: .* allows ${formatBytes(limit)}`,
          ),
          remedy: expect.stringContaining('smaller'),
        }),
      );
    }));

  it('refuses more memory than a software adapter can have, before the system kills the process', async () => {
    using gpu = await openForTest();
    if (gpu.traits.kind === 'hardware') return;
    const take = () => {
      for (let i = 0; i < 100_000; i++) gpu.createBuffer(gpu.device.limits.maxBufferSize - 16);
    };
    expect(take).toThrow(/cannot allocate .* of memory are taken/);
  });
});

describe('devices that are gone', () => {
  /** Dawn's and the drivers' threads in this process, after garbage collections, until they are few. */
  async function threads(few = 0): Promise<number> {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const count = () => readdirSync('/proc/self/task').length;
    for (let i = 0; i < (few ? 500 : 3) && !(i >= 3 && count() <= few); i++) {
      collect();
      // Finalizers run behind it, and threads end when they get a core.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return count();
  }

  it.runIf(process.platform === 'linux')('leave no thread behind', async () => {
    const open = async (i: number) => {
      using gpu = await openForTest();
      await gpu.pipeline({ name: 'one', wgsl: `@compute @workgroup_size(${i + 1})\nfn main() {}` });
    };
    await open(0);
    const before = await threads();
    for (let i = 0; i < 10; i++) await open(i);
    expect(await threads(before + 1)).toBeLessThanOrEqual(before + 1);
  });
});

describe('a failure of the device', () => {
  it('is thrown by all that comes after a refused operation', async () => {
    const gpu = await openForTest();
    gpu.device.createBuffer({ size: 1e14, usage: GPUBufferUsage.STORAGE });
    await expect(gpu.idle()).rejects.toThrow(/refused an operation \(GPUValidationError\): Buffer size/);
    await expect(gpu.pipeline(double)).rejects.toThrow('refused');
    await expect(gpu.read({} as GPUBuffer, 0, 4)).rejects.toThrow('refused');
    expect(() => gpu.check()).toThrow('refused');
    gpu.dispose();
  });

  it('ends a wait at hand', async () => {
    using gpu = await openForTest();
    await submitSlow(gpu, 1);
    const waiting = gpu.idle();
    gpu.device.createBuffer({ size: 1e14, usage: GPUBufferUsage.STORAGE });
    await expect(waiting).rejects.toThrow('refused');
  });

  it('is thrown by dispose if by nothing else', async () => {
    const gpu = await openForTest();
    gpu.device.createBuffer({ size: 1e14, usage: GPUBufferUsage.STORAGE });
    expect(() => gpu.dispose()).toThrow('refused');
    expect(() => gpu.dispose()).not.toThrow();
  });

  it('is a DeviceLostError when the device is lost', async () => {
    using gpu = await openForTest();
    const waiting = submitSlow(gpu, 1).then(() => gpu.idle());
    gpu.device.destroy();
    await expect(waiting).rejects.toThrow(DeviceLostError);
    await expect(gpu.idle()).rejects.toMatchObject({ remedy: expect.stringContaining('--resume') });
  });

  it('is a DeviceLostError even where a mapping is broken off first', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const broken = Promise.reject(Object.assign(new Error('Buffer was unmapped'), { name: 'AbortError' }));
    const lost = new Fate();
    setTimeout(() => lost.fail(new DeviceLostError('')), 900);
    const waits = [lost, new Fate()].map((fate) => expect(fate.settled(broken)).rejects);
    const told = [
      waits[0]!.toThrow(DeviceLostError),
      waits[1]!.toThrow('the GPU device was lost: it aborted a read'),
    ];
    await vi.advanceTimersByTimeAsync(1000).finally(() => vi.useRealTimers());
    await Promise.all(told);
  });

  it('is told when navigator.gpu has no adapter', async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    await expect(openGpu({ gpu })).rejects.toThrow('this browser has no WebGPU adapter');
  });
});
