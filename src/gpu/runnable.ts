import type { Kernel } from './kernel.ts';

/** Dispatches that are queued together, such as a program with its arrays. */
export interface Runnable {
  /** Name for profiles. */
  readonly label: string;
  /** Adds all dispatches to a pass. */
  encode(pass: GPUComputePassEncoder): void;
  /** The same dispatches one by one, to be timed. */
  readonly dispatches: readonly { readonly kernel: Kernel; encode(pass: GPUComputePassEncoder): void }[];
}

/** Queues programs in order, in one pass of one submit. */
export function submitAll(device: GPUDevice, programs: Iterable<Runnable>): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const program of programs) program.encode(pass);
  pass.end();
  device.queue.submit([encoder.finish()]);
}
