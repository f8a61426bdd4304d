import { command } from '../command.ts';
import { CollimateError, checkWhole } from '../errors.ts';
import { type AdapterInfo, deviceDescriptor, type FoundAdapter, infoOf, traitsOf } from './adapter.ts';
import { DeviceLostError, uncaptured } from './failures.ts';
import { Fate } from './fate.ts';
import type { AdapterTraits, Kernel, Work } from './kernel.ts';
import { DeviceMemory } from './memory.ts';
import { Pipelines, type Shader } from './pipelines.ts';
import { type Queue, type Runnable, submitAll } from './runnable.ts';
import { inNode, quietly } from './wait.ts';

/** Chooses among kernels that compute the same: each kernel itself, or another of its `choice`. */
export interface KernelChooser {
  /** One kernel per piece of work, in order. */
  choose(gpu: Gpu, work: readonly Work[]): Promise<Kernel[]>;
}

/** Options of a device beyond its adapter. */
export interface DeviceOptions {
  /** Chooses among kernels that compute the same; default: each kernel's default variant. */
  readonly chooser?: KernelChooser | undefined;
  /** Checks kernels against known answers before a program first uses them. */
  readonly examine?: ((gpu: Gpu, kernels: readonly Kernel[]) => Promise<void>) | undefined;
  /** Whether the device multiplies matrices of f16 right; asked once, before a program may use that. */
  readonly confirm?: ((gpu: Gpu) => Promise<boolean>) | undefined;
  /** Opens the device for {@link Gpu.wide}. */
  readonly openWide?: (() => Promise<Gpu>) | undefined;
}

/**
 * An open device: buffers, compiled pipelines, transfers, and the one place where GPU errors surface.
 *
 * A failure is final. The first is remembered and rejects every pending wait; each later {@link pipeline},
 * {@link read}, {@link idle} and {@link check} throws it, and so does {@link dispose} if nothing has yet.
 */
export class Gpu implements Disposable {
  readonly traits: AdapterTraits;
  readonly info: AdapterInfo;
  /** Sees everything that {@link submit} queues, and times some of it. */
  tracer: Queue | undefined;
  /** Buffers and textures for temporaries. */
  readonly memory: DeviceMemory;
  readonly #fate = new Fate();
  readonly #pipelines: Pipelines;
  /** Buffers being mapped. Dawn's Node binding crashes if one is destroyed after its device was lost. */
  readonly #mapping = new Set<GPUBuffer>();
  #wide: Promise<Gpu> | undefined;
  #confirmed: Promise<boolean> | undefined;
  #disposed = false;

  private constructor(
    found: FoundAdapter,
    readonly device: GPUDevice,
    private readonly options: DeviceOptions,
  ) {
    this.info = infoOf(found);
    this.traits = traitsOf(found, this.info.kind);
    const maximum = found.memory ?? Number.POSITIVE_INFINITY;
    this.memory = new DeviceMemory(device, this.#fate, { name: this.info.name, maximum });
    // GPU drivers and SwiftShader compile when a pipeline is made, lavapipe when it is first used.
    this.#pipelines = new Pipelines(device, this.#fate, this.info.source === 'system');
    device.addEventListener('uncapturederror', this.#onError);
    device.lost.then(({ reason, message }) => {
      if (!this.#disposed) this.#fate.fail(new DeviceLostError(message || reason));
    });
  }

  readonly #onError = (event: Event): void => {
    event.preventDefault();
    this.#fate.fail(uncaptured((event as GPUUncapturedErrorEvent).error));
  };

  /**
   * An adapter's device, with all its limits and the features that the engine uses.
   * @throws CollimateError if the adapter gives none
   */
  static async create(found: FoundAdapter, options: DeviceOptions = {}): Promise<Gpu> {
    try {
      const device = await quietly(found.adapter.requestDevice(deviceDescriptor(found.adapter)));
      return new Gpu(found, device, options);
    } catch (cause) {
      throw new CollimateError(
        `the adapter ${infoOf(found).name} gives no device: ${(cause as Error).message}`,
        inNode
          ? `Run \`${command('doctor')}\`, or choose another adapter with --adapter.`
          : 'Close other pages that use the GPU, then reload this one; if that does not help, restart the browser.',
        { cause },
      );
    }
  }

  /**
   * A device of the same adapter for a few large dispatches. On lavapipe this one uses a single core, which
   * suits small dispatches, and the wide one uses all; elsewhere, and while a timeline (which covers one
   * device) is traced, it is this device. It lives as long as this one.
   */
  wide(): Promise<Gpu> {
    const { openWide } = this.options;
    if (!openWide || this.tracer) return Promise.resolve(this);
    this.#wide ??= openWide();
    return this.#wide;
  }

  /**
   * A zero-filled buffer of at least `bytes` bytes (a multiple of 16), counted until {@link destroyBuffer}.
   * Default `usage`: storage that can be bound as uniforms and copied from and to.
   * @throws CollimateError if it is larger than the adapter's limit or than the memory left
   */
  createBuffer(bytes: number, options?: { label?: string; usage?: number }): GPUBuffer {
    return this.memory.createBuffer(bytes, options);
  }

  /** Frees a buffer of {@link createBuffer}; work already submitted still runs. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.memory.destroyBuffer(buffer);
  }

  /** Buffers and textures in use. */
  get liveBuffers(): number {
    return this.memory.live;
  }

  /**
   * The compiled pipeline of a kernel, which binds group 0. Each source compiles once, off the main thread.
   * @throws CollimateError with the compiler's messages and the lines they are about
   */
  async pipeline(kernel: Shader): Promise<GPUComputePipeline> {
    this.check();
    return this.#pipelines.get(kernel);
  }

  /** The kernels to compile for some work: the device's chooser decides where there is a choice. */
  async choose(work: readonly Work[]): Promise<readonly Kernel[]> {
    return this.options.chooser?.choose(this, work) ?? work.map(({ kernel }) => kernel);
  }

  /** Checks, before a program first uses them, that kernels compute what they should. */
  async examine(kernels: readonly Kernel[]): Promise<void> {
    await this.options.examine?.(this, kernels);
  }

  /** Whether programs may use the adapter's units for matrices of f16: only if they are right. */
  confirmMatrices(): Promise<boolean> {
    this.#confirmed ??= (this.traits.halfMatrices && this.options.confirm?.(this)) ?? Promise.resolve(false);
    return this.#confirmed;
  }

  /** A bind group for group 0: buffers, parts of buffers and textures, in the shader's binding order. */
  bindGroup(pipeline: GPUComputePipeline, bound: readonly (GPUBuffer | GPUBufferBinding | GPUTexture)[]) {
    const resource = (b: (typeof bound)[number]): GPUBindingResource =>
      'createView' in b ? b.createView() : 'buffer' in b ? b : { buffer: b };
    return this.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: bound.map((b, binding) => ({ binding, resource: resource(b) })),
    });
  }

  /**
   * Queues programs in order, `times` over, and returns at once.
   * @throws CollimateError if the device has failed, or what a program binds was disposed of
   */
  submit(programs: readonly Runnable[], times = 1): void {
    this.check();
    checkWhole('the number of times to run', times, 0);
    if (!Array.isArray(programs) || !programs.every((program) => 'encode' in Object(program))) {
      throw new CollimateError(
        'submit: what was given is no list of bound programs',
        'Give a list of what `program.bind` returns.',
      );
    }
    for (const program of programs) program.check(this.memory);
    const all = Array.from({ length: times }, () => programs).flat();
    if (this.tracer) this.tracer.submit(all);
    else submitAll(this.device, all);
  }

  /** Copies host data into a buffer, in order with submitted work; zeros fill up a partial last word. */
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void {
    this.#expectHeld(buffer);
    const { buffer: bytes, byteOffset: from, byteLength } = data;
    const whole = byteLength - (byteLength % 4);
    this.device.queue.writeBuffer(buffer, byteOffset, bytes as ArrayBuffer, from, whole);
    if (whole === byteLength) return;
    const last = new Uint8Array(4);
    last.set(new Uint8Array(bytes, from + whole, byteLength - whole));
    this.device.queue.writeBuffer(buffer, byteOffset + whole, last);
  }

  /** Reads bytes back once everything submitted so far has run; `byteOffset` is a multiple of 4. */
  async read(buffer: GPUBuffer, byteOffset: number, bytes: number): Promise<ArrayBuffer> {
    this.#expectHeld(buffer);
    const size = Math.ceil(bytes / 4) * 4;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.createBuffer(size, { usage, label: 'readback' });
    const free = () => {
      this.#mapping.delete(staging);
      this.destroyBuffer(staging);
    };
    let mapping: Promise<undefined> | undefined;
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      mapping = staging.mapAsync(GPUMapMode.READ);
      this.#mapping.add(staging);
      await this.#fate.settled(mapping);
      return staging.getMappedRange(0, size).slice(0, bytes);
    } finally {
      if (mapping) mapping.then(free, free);
      else free();
    }
  }

  #expectHeld(buffer: GPUBuffer): void {
    this.check();
    if (this.memory.holds(buffer)) return;
    throw new CollimateError(
      `${buffer.label || 'a buffer'} was disposed of, or lies on another device`,
      'Read and write arrays while they are alive.',
    );
  }

  /** Resolves when all submitted work has run; throws if any of it failed. */
  async idle(): Promise<void> {
    this.check();
    await this.#fate.settled(this.device.queue.onSubmittedWorkDone());
  }

  /** Throws the device's failure, or that it was disposed of. */
  check(): void {
    this.#fate.check();
  }

  /** Destroys all buffers and textures, and the device. Throws a failure that nothing has thrown yet. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.memory.clear(this.#mapping);
    this.#pipelines.clear();
    this.#wide?.then((gpu) => gpu.dispose()).catch(() => {}); // Whoever waited for it got the error.
    // Dawn keeps listeners, and through them the device with its thread, alive.
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.device.destroy();
    try {
      this.#fate.checkAtLast();
    } finally {
      this.#fate.fail(
        new CollimateError(
          `the device ${this.info.name} was disposed of`,
          'Open another with openGpu, and make arrays and programs anew.',
        ),
      );
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
