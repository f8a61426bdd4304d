import { CollimateError } from '../errors.ts';
import { formatBytes, outOfMemory } from './failures.ts';
import type { Fate } from './fate.ts';
import { Spare } from './spare.ts';
import { texelTexture } from './texels.ts';
import { quietly } from './wait.ts';

/** Storage that can be bound as uniforms and copied from and to. The flags exist once there is a device. */
const storageUsage = () =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** A device's buffers and textures: counted, kept within available memory, and reused once released. */
export class DeviceMemory {
  readonly #buffers = new Set<GPUBuffer>();
  /** With each one's bytes. */
  readonly #textures = new Map<GPUTexture, number>();
  readonly #spareBuffers = new Spare<GPUBuffer>((buffer) => this.destroyBuffer(buffer));
  readonly #spareTextures = new Spare<GPUTexture>((texture) => this.#destroyTexture(texture));
  #bytes = 0;

  /** `maximum`: bytes allowed in total; `name`: the adapter's, for errors. */
  constructor(
    private readonly device: GPUDevice,
    private readonly fate: Fate,
    private readonly limit: { readonly name: string; readonly maximum: number },
  ) {}

  /** See {@link Gpu.createBuffer}. */
  createBuffer(bytes: number, options: { label?: string; usage?: number } = {}): GPUBuffer {
    this.fate.check();
    const { label = 'a buffer', usage = storageUsage() } = options;
    if (!(bytes >= 0)) throw new CollimateError(`cannot allocate ${label} of ${bytes} bytes`);
    const size = Math.max(Math.ceil(bytes / 16) * 16, 16);
    const limit = this.device.limits.maxBufferSize;
    if (size > limit)
      throw outOfMemory(label, size, `${this.limit.name} allows ${formatBytes(limit)} in one buffer`);
    const buffer = this.#allocate(size, label, () => this.device.createBuffer({ size, usage, label }));
    this.#buffers.add(buffer);
    return buffer;
  }

  holds(buffer: GPUBuffer): boolean {
    return this.#buffers.has(buffer);
  }

  destroyBuffer(buffer: GPUBuffer): void {
    if (!this.#buffers.delete(buffer)) return;
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  /** A temporary buffer with arbitrary contents, until {@link releaseBuffer}. */
  borrowBuffer(bytes: number, label: string): GPUBuffer {
    return this.#spareBuffers.take(bytes) ?? this.createBuffer(bytes, { label });
  }

  releaseBuffer(buffer: GPUBuffer): void {
    if (this.#buffers.has(buffer)) this.#spareBuffers.give(buffer, buffer.size);
  }

  /**
   * A texture for a copy of up to `bytes` bytes of a buffer (see texels.ts), until {@link releaseTexels}.
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

  get live(): number {
    const spare = this.#spareBuffers.count + this.#spareTextures.count;
    return this.#buffers.size + this.#textures.size - spare;
  }

  #allocate<T>(bytes: number, label: string, make: () => T): T {
    if (this.#bytes + bytes > this.limit.maximum) {
      this.#spareBuffers.clear();
      this.#spareTextures.clear();
    }
    if (this.#bytes + bytes > this.limit.maximum) {
      const used = `${formatBytes(this.#bytes)} of ${formatBytes(this.limit.maximum)} of memory are taken`;
      throw outOfMemory(label, bytes, used);
    }
    this.device.pushErrorScope('out-of-memory');
    const made = make();
    quietly(this.device.popErrorScope()).then(
      (error) => error && this.fate.fail(outOfMemory(label, bytes, error.message)),
      () => {}, // The device is lost, which is reported by itself.
    );
    this.#bytes += bytes;
    return made;
  }

  /** Destroys everything except buffers that are `mapping`. */
  clear(mapping: ReadonlySet<GPUBuffer>): void {
    for (const buffer of this.#buffers) if (!mapping.has(buffer)) buffer.destroy();
    this.#buffers.clear();
    for (const texture of this.#textures.keys()) texture.destroy();
    this.#textures.clear();
  }
}
