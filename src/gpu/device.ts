import { CollimateError } from '../errors.ts';
import { type AdapterInfo, deviceDescriptor, type FoundAdapter, infoOf, traitsOf } from './adapter.ts';
import { DeviceLostError, formatBytes, outOfMemory, shaderError, uncaptured } from './failures.ts';
import type { Kernel, Work } from './kernel.ts';
import { type Runnable, submitAll } from './runnable.ts';
import { Spare } from './spare.ts';
import { TEXEL_FORMAT, texelTexture } from './texels.ts';
import type { Tracer } from './trace.ts';
import type { AdapterTraits } from './traits.ts';
import { quietly } from './wait.ts';

export interface OpenOptions {
  /** `gpu`, `system`, `swiftshader` or a part of an adapter's name. Node only; `COLLIMATE_ADAPTER` is the default. */
  readonly adapter?: string | undefined;
  /**
   * Node only: over how many threads lavapipe spreads a dispatch, 0 for none beside its queue's own. More are better for few
   * large dispatches, none for many small ones, which is what counts by default where there are but two cores.
   */
  readonly threads?: number | undefined;
  /** Who decides between kernels that compute the same; by default each kernel itself is taken. */
  readonly chooser?: KernelChooser | undefined;
  /** Where to ask for an adapter; by default `navigator.gpu` in browsers, and Dawn in Node. */
  readonly gpu?: GPU | undefined;
}

/** Decides which of the kernels that compute the same is used: each one, or another of its {@link Kernel.choice}. */
export interface KernelChooser {
  choose(gpu: Gpu, work: readonly Work[]): Promise<Kernel[]>;
}

/** A kernel to be compiled; its layout is taken from the source if nothing is said of its bindings. */
type Shader = Pick<Kernel, 'name' | 'wgsl'> & Partial<Pick<Kernel, 'bindings' | 'uniforms'>>;

/** Storage that can be read as uniforms, copied from and to: 0x80 STORAGE, 0x40 UNIFORM, 0x4 COPY_SRC, 0x8 COPY_DST. */
const storageUsage = 0x80 | 0x40 | 0x4 | 0x8;

/**
 * An open device: buffers, compiled pipelines, transfers, and the one place where errors of the GPU surface.
 *
 * A failure of the device is final. The first one is remembered, rejects every wait at hand, and is thrown by each
 * later {@link pipeline}, {@link read}, {@link idle} and {@link check}, and by {@link dispose} if nothing threw it before.
 */
export class Gpu implements Disposable {
  readonly device: GPUDevice;
  readonly traits: AdapterTraits;
  readonly info: AdapterInfo;
  /** Sees everything that {@link submit} queues, and times some of it. */
  tracer: Tracer | undefined;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<string, GPUPipelineLayout>();
  readonly #buffers = new Set<GPUBuffer>();
  /** With the bytes of each. */
  readonly #textures = new Map<GPUTexture, number>();
  readonly #spareBuffers = new Spare<GPUBuffer>((buffer) => this.destroyBuffer(buffer));
  readonly #spareTextures = new Spare<GPUTexture>((texture) => this.#destroyTexture(texture));
  /**
   * Buffers whose mapping is not settled. Dawn's Node binding crashes where one is destroyed after its device was lost:
   * both reject the same promise.
   */
  readonly #mapping = new Set<GPUBuffer>();
  readonly #waits = new Set<(reason: CollimateError) => void>();
  readonly #memory: number;
  readonly #chooser: KernelChooser | undefined;
  /** Opens the device for {@link wide}. */
  readonly #openWide: (() => Promise<Gpu>) | undefined;
  #wide: Promise<Gpu> | undefined;
  #bytes = 0;
  #failure: CollimateError | undefined;
  #thrown = false;
  #disposed = false;

  private constructor(found: FoundAdapter, device: GPUDevice, options: OpenOptions) {
    this.device = device;
    this.#chooser = options.chooser;
    this.info = infoOf(found);
    this.traits = traitsOf(found, this.info.kind);
    this.#memory = found.memory ?? Number.POSITIVE_INFINITY;
    const threads = found.wideThreads;
    if (threads !== undefined) this.#openWide = () => Gpu.open({ ...options, threads });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#fail(uncaptured((event as GPUUncapturedErrorEvent).error));
    });
    device.lost.then(({ reason, message }) => {
      if (!this.#disposed) this.#fail(new DeviceLostError(message || reason));
    });
  }

  /**
   * Opens the best adapter there is, or the one asked for, with all its limits.
   * @throws CollimateError if it cannot be had, with what was found instead
   */
  static async open(options: OpenOptions = {}): Promise<Gpu> {
    const found = await findAdapter(options);
    try {
      const device = await quietly(found.adapter.requestDevice(deviceDescriptor(found.adapter)));
      return new Gpu(found, device, options);
    } catch (cause) {
      throw new CollimateError(
        `the adapter ${infoOf(found).name} gives no device: ${(cause as Error).message}`,
        'run `npm run doctor`, or choose another adapter with --adapter',
        { cause },
      );
    }
  }

  /**
   * A device of the same adapter for few large dispatches: on lavapipe, where this one computes on one core as that is better for
   * small ones, another that computes on all; elsewhere, and while a timeline is made, which is of one device, this one. It lives
   * as long as this one.
   */
  wide(): Promise<Gpu> {
    if (!this.#openWide || this.tracer) return Promise.resolve(this);
    this.#wide ??= this.#openWide();
    return this.#wide;
  }

  /**
   * A zero-filled buffer of at least `bytes` bytes (a multiple of 16), counted until {@link destroyBuffer}.
   * `usage` is storage that can be read as uniforms, copied from and to, unless given.
   * @throws CollimateError if it is larger than the adapter's limit or than the memory left
   */
  createBuffer(bytes: number, options: { label?: string; usage?: number } = {}): GPUBuffer {
    const { label = 'a buffer', usage = storageUsage } = options;
    if (!(bytes >= 0)) throw new CollimateError(`cannot allocate ${label} of ${bytes} bytes`);
    const size = Math.max(Math.ceil(bytes / 16) * 16, 16);
    const limit = this.device.limits.maxBufferSize;
    if (size > limit)
      throw outOfMemory(label, size, `${this.info.name} allows ${formatBytes(limit)} in one buffer`);
    const buffer = this.#allocate(size, label, () => this.device.createBuffer({ size, usage, label }));
    this.#buffers.add(buffer);
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  /** A buffer for temporaries, like {@link createBuffer} but with anything in it, until {@link releaseBuffer}. */
  borrowBuffer(bytes: number, label: string): GPUBuffer {
    return this.#spareBuffers.take(bytes) ?? this.createBuffer(bytes, { label });
  }

  releaseBuffer(buffer: GPUBuffer): void {
    if (this.#buffers.has(buffer)) this.#spareBuffers.give(buffer, buffer.size);
  }

  /**
   * A texture for a copy of up to `bytes` bytes of a buffer (see texels.ts), with anything in it, until {@link releaseTexels}.
   * @throws CollimateError if it takes more than the memory left
   */
  borrowTexels(bytes: number, label: string): GPUTexture {
    const spare = this.#spareTextures.take(bytes);
    if (spare) return spare;
    const descriptor = texelTexture(bytes);
    const texture = this.#allocate(descriptor.bytes, label, () =>
      this.device.createTexture({ ...descriptor, label }),
    );
    this.#textures.set(texture, descriptor.bytes);
    return texture;
  }

  releaseTexels(texture: GPUTexture): void {
    const bytes = this.#textures.get(texture);
    if (bytes !== undefined) this.#spareTextures.give(texture, bytes);
  }

  #destroyTexture(texture: GPUTexture): void {
    this.#bytes -= this.#textures.get(texture) ?? 0;
    if (this.#textures.delete(texture)) texture.destroy();
  }

  /** Buffers and textures in use. */
  get liveBuffers(): number {
    const spare = this.#spareBuffers.count + this.#spareTextures.count;
    return this.#buffers.size + this.#textures.size - spare;
  }

  #allocate<T>(bytes: number, label: string, make: () => T): T {
    if (this.#bytes + bytes > this.#memory) {
      this.#spareBuffers.clear();
      this.#spareTextures.clear();
    }
    if (this.#bytes + bytes > this.#memory) {
      const used = `${formatBytes(this.#bytes)} of ${formatBytes(this.#memory)} of memory are taken`;
      throw outOfMemory(label, bytes, used);
    }
    this.device.pushErrorScope('out-of-memory');
    const made = make();
    quietly(this.device.popErrorScope()).then(
      (error) => error && this.#fail(outOfMemory(label, bytes, error.message)),
      () => {}, // The device is lost; that is told elsewhere.
    );
    this.#bytes += bytes;
    return made;
  }

  /**
   * The compiled pipeline of a kernel, which binds group 0. Each source is compiled once, off the main thread, so
   * ask for many side by side.
   * @throws CollimateError with the compiler's messages and the lines they are about
   */
  pipeline(kernel: Shader): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(kernel.wgsl);
    if (known && !this.#failure) return known;
    const compiling = this.#compile(kernel);
    this.#pipelines.set(kernel.wgsl, compiling);
    return compiling;
  }

  /** The kernels to compile for some work: where there is a choice, what the {@link OpenOptions.chooser} says. */
  async choose(work: readonly Work[]): Promise<readonly Kernel[]> {
    return this.#chooser ? this.#chooser.choose(this, work) : work.map(({ kernel }) => kernel);
  }

  /**
   * One layout for all kernels with bindings of the same kinds. Of layouts that Dawn makes itself there would be one for
   * each size of a uniform binding, and for each it takes a pool of descriptors, every one a memory mapping on lavapipe:
   * the system's limit of them is met after some hundred layouts.
   */
  #layout({ bindings, uniforms }: Shader): GPUPipelineLayout | 'auto' {
    if (!bindings) return 'auto';
    const kinds = [...bindings, ...(uniforms ? ['uniform' as const] : [])];
    const key = kinds.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const types = { read: 'read-only-storage', read_write: 'storage', uniform: 'uniform' } as const;
      const entries = kinds.map((kind, binding) => ({
        binding,
        visibility: 0x4, // COMPUTE
        ...(kind === 'texels'
          ? { storageTexture: { access: 'read-only' as const, format: TEXEL_FORMAT as GPUTextureFormat } }
          : { buffer: { type: types[kind] } }),
      }));
      const group = this.device.createBindGroupLayout({ entries });
      layout = this.device.createPipelineLayout({ bindGroupLayouts: [group] });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  async #compile(shader: Shader): Promise<GPUComputePipeline> {
    this.check();
    const { name, wgsl } = shader;
    const layout = this.#layout(shader);
    const { device } = this;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code: wgsl, label: name });
    // What the scope catches is asked for below, in better words.
    quietly(device.popErrorScope()).catch(() => {});
    try {
      return await this.#settled(
        device.createComputePipelineAsync({
          layout,
          compute: { module, entryPoint: 'main' },
          label: name,
        }),
      );
    } catch (error) {
      this.check();
      const { messages } = await this.#settled(module.getCompilationInfo());
      throw shaderError(name, wgsl, messages, (error as Error).message);
    }
  }

  /** A bind group of group 0: buffers, or parts of them, and textures, in the order of the shader's bindings. */
  bindGroup(pipeline: GPUComputePipeline, bound: readonly (GPUBuffer | GPUBufferBinding | GPUTexture)[]) {
    const resource = (b: (typeof bound)[number]): GPUBindingResource =>
      'createView' in b ? b.createView() : 'buffer' in b ? b : { buffer: b };
    return this.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: bound.map((b, binding) => ({ binding, resource: resource(b) })),
    });
  }

  /** Queues programs in order, `times` over, and returns at once. */
  submit(programs: readonly Runnable[], times = 1): void {
    const all = Array.from({ length: times }, () => programs).flat();
    if (this.tracer) this.tracer.submit(all);
    else submitAll(this.device, all);
  }

  /** Copies host data into a buffer, in order with submitted work; a last word that is not full is filled with zeros. */
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void {
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
    this.check();
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.createBuffer(size, { usage: 0x1 | 0x8, label: 'readback' }); // MAP_READ | COPY_DST
    const free = () => {
      this.#mapping.delete(staging);
      this.destroyBuffer(staging);
    };
    let mapping: Promise<undefined> | undefined;
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, size);
      this.device.queue.submit([encoder.finish()]);
      mapping = staging.mapAsync(1);
      this.#mapping.add(staging);
      await this.#settled(mapping);
      return staging.getMappedRange(0, size).slice(0, bytes);
    } finally {
      if (mapping) mapping.then(free, free);
      else free();
    }
  }

  /** Resolves when all submitted work has run; throws if any of it failed. */
  async idle(): Promise<void> {
    this.check();
    await this.#settled(this.device.queue.onSubmittedWorkDone());
  }

  /** Throws the device's failure, if it has failed. */
  check(): void {
    if (!this.#failure) return;
    this.#thrown = true;
    throw this.#failure;
  }

  /** Destroys all buffers and textures, and the device. Throws a failure that nothing has thrown yet. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.#buffers) if (!this.#mapping.has(buffer)) buffer.destroy();
    this.#buffers.clear();
    for (const texture of this.#textures.keys()) texture.destroy();
    this.#textures.clear();
    this.#pipelines.clear();
    this.#wide?.then((gpu) => gpu.dispose()).catch(() => {}); // What failed there was thrown to whoever waited.
    this.device.destroy();
    if (!this.#thrown) this.check();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #fail(error: CollimateError): void {
    this.#failure ??= error;
    if (this.#waits.size > 0) this.#thrown = true;
    for (const reject of this.#waits) reject(this.#failure);
    this.#waits.clear();
  }

  /** Waits quietly; a failure of the device ends the wait even if the promise itself would never settle. */
  async #settled<T>(promise: Promise<T>): Promise<T> {
    let reject: (reason: CollimateError) => void = () => {};
    try {
      const value = await new Promise<T>((resolve, no) => {
        reject = no;
        this.#waits.add(no);
        quietly(promise).then(resolve, no);
      });
      this.check();
      return value;
    } catch (error) {
      this.check(); // The failure is the cause; what the wait itself says only follows from it.
      throw error;
    } finally {
      this.#waits.delete(reject);
    }
  }
}

async function findAdapter({ adapter, gpu, threads }: OpenOptions): Promise<FoundAdapter> {
  const given = gpu ?? globalThis.navigator?.gpu;
  if (!given) {
    const { findNodeAdapter } = await import('./node-adapter.ts');
    return findNodeAdapter(adapter, threads);
  }
  const found = await given.requestAdapter({ powerPreference: 'high-performance' });
  if (found) return { adapter: found, languageFeatures: given.wgslLanguageFeatures };
  throw new CollimateError(
    'this browser has no WebGPU adapter',
    'use a recent Chrome, Edge, Firefox or Safari with hardware acceleration switched on',
  );
}
