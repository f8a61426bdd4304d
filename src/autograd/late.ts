import { loadBroadcast, loadUnits } from '../kernels/matmul.ts';

/** Modules that recorded operations need and that are not loaded yet. */
const needed = new Set<Late<unknown>>();

/** A module of rarely needed kernels: recorded operations want it, and {@link loadWanted} loads it. */
export class Late<T> {
  #module: T | undefined;

  constructor(private readonly get: () => Promise<T>) {}

  want(): void {
    if (!this.#module) needed.add(this);
  }

  async load(): Promise<void> {
    this.#module = await this.get();
    needed.delete(this);
  }

  get module(): T {
    if (!this.#module) throw new Error('a module of kernels is not loaded: await loadWanted()');
    return this.#module;
  }
}

export async function loadWanted(): Promise<void> {
  await Promise.all([...needed].map((module) => module.load()));
}

export const lateKernels = {
  matmulBroadcast: new Late(loadBroadcast),
  matmulUnits: new Late(loadUnits),
  conv: new Late(() => import('../kernels/conv.ts')),
  cumsum: new Late(() => import('../kernels/cumsum.ts')),
  gather: new Late(() => import('../kernels/gather.ts')),
  pool: new Late(() => import('../kernels/pool.ts')),
  power: new Late(() => import('../kernels/power.ts')),
  qr: new Late(() => import('../kernels/qr.ts')),
  random: new Late(() => import('../kernels/random.ts')),
  scatter: new Late(() => import('../kernels/scatter.ts')),
  svd: new Late(() => import('../kernels/svd.ts')),
  trigonometry: new Late(() => import('../kernels/trigonometry.ts')),
};
