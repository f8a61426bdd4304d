import { availableParallelism } from 'node:os';
import type { Gpu } from '../gpu/device.ts';
import { findHostAdapter } from './node-adapter.ts';
import { type OpenOptions, openFrom } from './open.ts';

/**
 * Opens a second device of a software adapter that computes on one core, to use another; undefined where one
 * device uses all cores. The two share {@link Gpu.wide}, which is disposed of with either.
 */
export async function openSecond(gpu: Gpu, options: OpenOptions): Promise<Gpu | undefined> {
  if (gpu.info.threads !== 0 || availableParallelism() < 2) return undefined;
  const apart = (name?: string) => findHostAdapter(name, 0, true);
  return openFrom(apart, { ...options, adapter: gpu.info.name, openWide: () => gpu.wide() });
}
