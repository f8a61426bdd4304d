import type { Kernel } from './kernel.ts';
import type { DeviceMemory } from './memory.ts';
import { copyToTexels } from './texels.ts';

/** Dispatches queued together, such as a program with its arrays. */
export interface Runnable {
  /** Name for profiles. */
  readonly label: string;
  /** Throws unless everything it binds is alive and in the memory of this device. */
  check(memory: DeviceMemory): void;
  /** Encodes all dispatches, and the copies before them. */
  encode(recorder: Recorder): void;
  /** The same dispatches one by one, each with the copies it needs, for timing. */
  readonly dispatches: readonly { readonly kernel: Kernel; encode(recorder: Recorder): void }[];
}

/** Receives programs in place of the device, to observe them: a tracer. */
export interface Queue {
  submit(programs: readonly Runnable[]): void;
}

/** A kernel with its bindings. */
export interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: Kernel['grid'];
}

/** Encodes dispatches, in as few passes as copies between them allow. */
export class Recorder {
  #pass: GPUComputePassEncoder | undefined;
  /** Currently set in the pass. */
  #pipeline: GPUComputePipeline | undefined;

  /** `describe` is called for each pass to be timed; the first, perhaps empty, then precedes any copy. */
  constructor(
    private readonly encoder: GPUCommandEncoder,
    private readonly describe?: () => GPUComputePassDescriptor,
  ) {
    if (describe) this.#pass = encoder.beginComputePass(describe());
  }

  get pass(): GPUComputePassEncoder {
    this.#pass ??= this.encoder.beginComputePass(this.describe?.());
    return this.#pass;
  }

  /** In Node each call on the pass, and each argument, costs more than everything else here: docs/gpu.md. */
  dispatch({ pipeline, group, grid: [x, y, z] }: Call): void {
    const { pass } = this;
    if (pipeline !== this.#pipeline) pass.setPipeline(pipeline);
    this.#pipeline = pipeline;
    pass.setBindGroup(0, group);
    if (y === 1 && z === 1) pass.dispatchWorkgroups(x);
    else pass.dispatchWorkgroups(x, y, z);
  }

  /** Copies the first `bytes` bytes of a binding into a texture for dispatches to read. */
  copyToTexels(from: GPUBufferBinding, bytes: number, texture: GPUTexture): void {
    this.end();
    copyToTexels(this.encoder, from, bytes, texture);
  }

  end(): void {
    this.#pass?.end();
    this.#pass = this.#pipeline = undefined;
  }
}

export function record(device: GPUDevice, body: (recorder: Recorder) => void): void {
  const encoder = device.createCommandEncoder();
  const recorder = new Recorder(encoder);
  body(recorder);
  recorder.end();
  device.queue.submit([encoder.finish()]);
}

/** Queues programs in order, in one submit. */
export function submitAll(device: GPUDevice, programs: Iterable<Runnable>): void {
  record(device, (recorder) => {
    for (const program of programs) program.encode(recorder);
  });
}
