import type { Gpu } from '../gpu/device.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { profile } from '../gpu/profile.ts';
import { type Call, type Recorder, record } from '../gpu/runnable.ts';

/** A kernel's times, in microseconds. */
export interface Times {
  readonly median: number;
  readonly minimum: number;
}

/**
 * Times kernels bound to buffers of these sizes; null for one that does not compile. Undefined if it would
 * take much longer than `milliseconds`; a compilation that a driver has begun cannot be interrupted.
 */
export type Measure = (
  gpu: Gpu,
  kernels: readonly Kernel[],
  bytes: readonly number[],
  milliseconds: number,
) => Promise<(Times | null)[] | undefined>;

/** Rounds that time every kernel once; as many as the time allows. */
const ROUNDS = { minimum: 5, maximum: 20 };
/** Minimum time of a batch of dispatches: it hides the clock's steps and a pass's own cost. */
const PASS_MICROSECONDS = 500;
const MOST_DISPATCHES = 64;
/** Limit for the buffers of a measurement: a large problem might not leave room for them. */
const MOST_BYTES = 2 ** 29;

/** One kernel, ready to run repeatedly. */
interface Runner {
  readonly call: Call;
  dispatches: number;
  readonly times: number[];
}

/**
 * Measures on the adapter itself, by the GPU's clock if it has one, else the host's. Each round times every
 * kernel once, so that other load hits all alike. The buffers hold zeros.
 */
export const measureKernels: Measure = async (gpu, kernels, bytes, milliseconds) => {
  const deadline = performance.now() + milliseconds;
  if (bytes.reduce((a, b) => a + b, 0) > MOST_BYTES) return undefined;
  const compiling = Promise.all(kernels.map((kernel) => gpu.pipeline(kernel).catch(() => null)));
  const pipelines = await within(milliseconds, compiling);
  gpu.check();
  if (!pipelines) return undefined;

  const buffers: GPUBuffer[] = [];
  const make = (size: number, usage?: number) => {
    const buffer = gpu.createBuffer(size, { label: 'kernels to choose from', ...(usage && { usage }) });
    buffers.push(buffer);
    return buffer;
  };
  const textures = new Map<GPUBuffer, GPUTexture>();
  const texels = (buffer: GPUBuffer) => {
    const texture = textures.get(buffer) ?? gpu.memory.borrowTexels(buffer.size, 'kernels to choose from');
    textures.set(buffer, texture);
    return texture;
  };
  try {
    const storage = bytes.map((size) => make(size));
    const runners = kernels.map((kernel, i): Runner | null => {
      const pipeline = pipelines[i];
      if (!pipeline) return null;
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      const uniforms = kernel.uniforms ? [make(kernel.uniforms.byteLength, usage)] : [];
      if (kernel.uniforms) gpu.write(uniforms[0]!, 0, kernel.uniforms);
      const bound = storage.map((buffer, b) => {
        // A uniform binding may be part of a larger buffer, bound to other values in turn.
        if (kernel.bindings[b] === 'uniform')
          return { buffer, size: Math.min(buffer.size, gpu.traits.maxUniformBytes) };
        return kernel.bindings[b] === 'texels' ? texels(buffer) : buffer;
      });
      const group = gpu.bindGroup(pipeline, [...bound, ...uniforms]);
      return { call: { pipeline, group, grid: kernel.grid }, dispatches: 1, times: [] };
    });
    const running = runners.filter((runner) => runner !== null);
    // The first dispatch may be slow; the second sets how many to time at once.
    await timeRound(gpu, running.slice(0, 1));
    const [microseconds] = (await timeRound(gpu, running.slice(0, 1))) as [number];
    if ((microseconds / 1000) * running.length * ROUNDS.minimum > milliseconds) return undefined;
    const dispatches = Math.min(Math.max(Math.ceil(PASS_MICROSECONDS / microseconds), 1), MOST_DISPATCHES);
    await timeRound(gpu, running.slice(1));
    for (const runner of running) runner.dispatches = dispatches;
    for (let round = 0; round < ROUNDS.maximum; round++) {
      if (round >= ROUNDS.minimum && performance.now() > deadline) break;
      const times = await timeRound(gpu, running);
      running.forEach((runner, i) => {
        runner.times.push(times[i]!);
      });
    }
    return runners.map((runner) => runner && summary(runner.times));
  } finally {
    for (const buffer of buffers) gpu.destroyBuffer(buffer);
    for (const texture of textures.values()) gpu.memory.releaseTexels(texture);
  }
};

/** Microseconds per dispatch of each kernel. */
async function timeRound(gpu: Gpu, runners: readonly Runner[]): Promise<number[]> {
  const repeat = ({ call, dispatches }: Runner, recorder: Recorder) => {
    for (let i = 0; i < dispatches; i++) recorder.dispatch(call);
  };
  if (gpu.device.features.has('timestamp-query')) {
    const timings = await profile(gpu, (timed) => {
      for (const runner of runners) timed('candidate', (recorder) => repeat(runner, recorder));
    });
    return timings.map(({ nanoseconds }, i) => nanoseconds / 1000 / runners[i]!.dispatches);
  }
  const times: number[] = [];
  for (const runner of runners) {
    await gpu.idle();
    const begin = performance.now();
    record(gpu.device, (recorder) => repeat(runner, recorder));
    await gpu.idle();
    times.push((1000 * (performance.now() - begin)) / runner.dispatches);
  }
  return times;
}

function summary(times: readonly number[]): Times {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)]!, minimum: sorted[0]! };
}

/** What a promise resolves to, or undefined on timeout. */
async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
