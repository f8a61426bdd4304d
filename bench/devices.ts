import { availableParallelism } from 'node:os';
import type { Gpu } from '../src/gpu/device.ts';
import { fileChoices } from '../src/host/choices.ts';
import { openGpu } from '../src/host/open.ts';
import { type TuneMode, Tuner } from '../src/tuner/tuner.ts';
import type { Suite } from './suite.ts';

/** The adapter, opened once for each size of lavapipe's thread pool. */
export class Devices implements Disposable {
  readonly #adapter: string | undefined;
  readonly #tune: TuneMode;
  readonly #open = new Map<Suite['threads'], Gpu>();

  constructor(adapter: string | undefined, tune: TuneMode) {
    this.#adapter = adapter;
    this.#tune = tune;
  }

  async open(threads: Suite['threads']): Promise<Gpu> {
    const known = this.#open.get(threads);
    if (known) return known;
    const gpu = await openGpu({
      adapter: this.#adapter,
      chooser: new Tuner({ mode: this.#tune, store: fileChoices() }),
      threads: threads === 'all' ? availableParallelism() : undefined,
    });
    this.#open.set(threads, gpu);
    return gpu;
  }

  [Symbol.dispose](): void {
    for (const gpu of this.#open.values()) gpu.dispose();
  }
}
