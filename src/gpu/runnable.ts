import type { Kernel } from './kernel.ts';
import type { DeviceMemory } from './memory.ts';
import { copyToTexels } from './texels.ts';

/** Dispatches that are queued together, such as a program with its arrays. */
export interface Runnable {
  /** Name for profiles. */
  readonly label: string;
  /** Throws unless everything that it binds is there, in the memory of the device that it is to run on. */
  check(memory: DeviceMemory): void;
  /** Encodes all dispatches, and the copies before them. */
  encode(recorder: Recorder): void;
  /** The same one by one, each with the copies that it needs, to be timed. */
  readonly dispatches: readonly { readonly kernel: Kernel; encode(recorder: Recorder): void }[];
}

/** Where programs are queued in place of the device itself, to see what it is given to do: a tracer. */
export interface Queue {
  submit(programs: readonly Runnable[]): void;
}

/** A kernel with what it binds. */
export interface Call {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: Kernel['grid'];
}

/** Encodes dispatches, in as few passes as copies between them allow. */
export class Recorder {
  #pass: GPUComputePassEncoder | undefined;
  /** What is set in the pass. */
  #pipeline: GPUComputePipeline | undefined;

  /** `describe` is asked for each pass, where they are timed: then one, if empty, begins before the first copy. */
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

  /** In Node each call of the pass, and each argument, costs more than all else here: docs/gpu.md. */
  dispatch({ pipeline, group, grid: [x, y, z] }: Call): void {
    const { pass } = this;
    if (pipeline !== this.#pipeline) pass.setPipeline(pipeline);
    this.#pipeline = pipeline;
    pass.setBindGroup(0, group);
    if (y === 1 && z === 1) pass.dispatchWorkgroups(x);
    else pass.dispatchWorkgroups(x, y, z);
  }

  /** Copies the first `bytes` bytes of what is bound into a texture for dispatches to read. */
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
