import { DeviceArray } from '../autograd/array.ts';
import { add, iota, mul, rem } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { formatBytes } from '../gpu/failures.ts';
import type { DeviceExamples } from './examples.ts';

/** Maximum batches in a ring, and the bytes that it aims to stay below. */
const RING_BATCHES = 16;
const RING_BYTES = 64 * 2 ** 20;

/**
 * Where steps find their images. They gather directly from a set in GPU memory. From one on the host, the
 * next steps' batches are written in their order into a ring: each write is queued before the steps that
 * read it and after those that read what it replaces, so nothing waits.
 */
export class Loader {
  /** u8 [rows, features] that steps gather from. */
  readonly table: DeviceArray;
  /** Batches in the ring; 0 where there is none. */
  readonly #slots: number = 0;
  readonly #slotRows: number = 0;
  readonly #images: Uint8Array = new Uint8Array(0);

  /** `order` gives the example at a position in a step's batch. */
  constructor(
    gpu: Gpu,
    { images, labels }: DeviceExamples,
    private readonly batch: number,
    private readonly order: (step: number, position: number) => number,
  ) {
    if (images instanceof DeviceArray) {
      this.table = images;
      return;
    }
    const features = images.length / labels.size;
    this.#images = images;
    this.#slotRows = 4 * Math.ceil(batch / 4); // Writes are of whole words.
    const each = this.#slotRows * features;
    const limit = gpu.traits.maxBindingBytes;
    if (each > limit) {
      throw new CollimateError(
        `${batch} images take ${formatBytes(each)}, more than the ${formatBytes(limit)} that ${gpu.info.name} binds at once`,
        'Use a smaller batch or smaller images.',
      );
    }
    this.#slots = Math.max(1, Math.min(RING_BATCHES, Math.floor(Math.min(limit, RING_BYTES) / each)));
    this.table = DeviceArray.zeros(gpu, [this.#slots * this.#slotRows, features], 'u8', 'next batches');
  }

  /** Rows of the table that hold a step's batch, given the numbers of its examples, u32 [batch]. */
  rows(step: Tensor, numbers: Tensor): Tensor {
    if (this.#slots === 0) return numbers;
    return add(mul(rem(step, this.#slots), this.#slotRows), iota([this.batch]));
  }

  /** Queues steps from number `first` on with `submit`, after writing what they read. */
  queue(first: number, count: number, submit: (steps: number) => void): void {
    if (this.#slots === 0) submit(count);
    for (let step = first; this.#slots > 0 && step < first + count; ) {
      const slot = step % this.#slots;
      const steps = Math.min(first + count - step, this.#slots - slot);
      this.#write(slot, step, steps);
      submit(steps);
      step += steps;
    }
  }

  #write(slot: number, first: number, steps: number): void {
    const features = this.table.shape[1]!;
    const rows = new Uint8Array(steps * this.#slotRows * features);
    for (let s = 0; s < steps; s++) {
      for (let i = 0; i < this.batch; i++) {
        const from = this.order(first + s, i) * features;
        rows.set(this.#images.subarray(from, from + features), (s * this.#slotRows + i) * features);
      }
    }
    this.table.gpu.write(this.table.buffer, slot * this.#slotRows * features, rows);
  }

  dispose(): void {
    if (this.#slots > 0) this.table.dispose();
  }
}
