import { create, globals } from 'webgpu';
import type { Kernel } from './kernel.ts';
import type { AdapterTraits } from './traits.ts';

/** Dawn crashes when the object that create() returned is collected while anything is pending. */
const instances: GPU[] = [];

/** First cut, to be replaced: just enough to run kernels while the gpu floor is being written. */
export class Gpu implements Disposable {
  readonly device: GPUDevice;
  readonly traits: AdapterTraits;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #buffers = new Set<GPUBuffer>();

  private constructor(device: GPUDevice, traits: AdapterTraits) {
    this.device = device;
    this.traits = traits;
  }

  static async open(_options: { adapter?: string } = {}): Promise<Gpu> {
    Object.assign(globalThis, globals);
    const gpu = create([]);
    instances.push(gpu);
    const adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error('no adapter');
    const device = await adapter.requestDevice({
      requiredFeatures: [...adapter.features].filter((f) => f === 'subgroups' || f === 'timestamp-query') as GPUFeatureName[],
      requiredLimits: {
        maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
        maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
        maxBufferSize: adapter.limits.maxBufferSize,
      },
    });
    device.addEventListener('uncapturederror', (e) => {
      throw (e as GPUUncapturedErrorEvent).error;
    });
    return new Gpu(device, {
      kind: 'software',
      subgroupSize: adapter.info.subgroupMinSize,
      maxStorageBuffersPerStage: adapter.limits.maxStorageBuffersPerShaderStage,
      maxBindingBytes: adapter.limits.maxStorageBufferBindingSize,
      maxWorkgroupsPerDimension: adapter.limits.maxComputeWorkgroupsPerDimension,
      maxWorkgroupInvocations: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupStorageBytes: adapter.limits.maxComputeWorkgroupStorageSize,
      storageOffsetAlignment: adapter.limits.minStorageBufferOffsetAlignment,
    });
  }

  /** A zero-filled buffer, counted until it is destroyed with {@link destroyBuffer}. */
  createBuffer(bytes: number, options: { label?: string; usage?: number } = {}): GPUBuffer {
    const size = Math.max(Math.ceil(bytes / 16) * 16, 16);
    const usage = options.usage ?? 0x80 | 0x4 | 0x8; // STORAGE | COPY_SRC | COPY_DST
    const buffer = this.device.createBuffer({ size, usage, ...(options.label ? { label: options.label } : {}) });
    this.#buffers.add(buffer);
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (this.#buffers.delete(buffer)) buffer.destroy();
  }

  get liveBuffers(): number {
    return this.#buffers.size;
  }

  /** The compiled pipeline of a kernel; kernels with the same source share one. Layout `auto`, group 0. */
  pipeline(kernel: Kernel): Promise<GPUComputePipeline> {
    let p = this.#pipelines.get(kernel.wgsl);
    if (!p) {
      const module = this.device.createShaderModule({ code: kernel.wgsl, label: kernel.name });
      p = this.device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' }, label: kernel.name });
      this.#pipelines.set(kernel.wgsl, p);
    }
    return p;
  }

  /** Copies host data into a buffer, in order with submitted work. */
  write(buffer: GPUBuffer, byteOffset: number, data: ArrayBufferView): void {
    this.device.queue.writeBuffer(buffer, byteOffset, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }

  /** Reads bytes back once everything submitted so far has run. */
  async read(buffer: GPUBuffer, byteOffset: number, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.createBuffer(size, { usage: 0x1 | 0x8, label: 'readback' });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    const copy = staging.getMappedRange(0, size).slice(0, bytes);
    staging.unmap();
    this.destroyBuffer(staging);
    return copy;
  }

  /** Resolves when all submitted work has run; throws if any of it failed. */
  async idle(): Promise<void> {
    await this.device.queue.onSubmittedWorkDone();
  }

  dispose(): void {
    for (const b of this.#buffers) b.destroy();
    this.#buffers.clear();
    this.device.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
