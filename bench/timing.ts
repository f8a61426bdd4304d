import type { Gpu } from '../src/gpu/device.ts';
import { profile } from '../src/gpu/profile.ts';
import { type Recorder, record } from '../src/gpu/runnable.ts';
import { type SampleOptions, type Statistics, sample } from './statistics.ts';

/** Work timed as one: a pass, or several with copies between them. */
export type Encode = (recorder: Recorder) => void;

/** Target length of a submit: well above a wait's overhead, and short enough to repeat. */
const SUBMIT_MS = 50;

/**
 * Time of one pass: by the GPU's timestamps if it has them, else by the wall around many passes in one
 * submit, so that the host, which naps between polls (src/gpu/wait.ts), adds next to nothing.
 */
export async function timePass(
  gpu: Gpu,
  encode: Encode,
  options: SampleOptions,
): Promise<{ clock: 'gpu' | 'wall'; milliseconds: Statistics }> {
  if (!gpu.device.features.has('timestamp-query')) {
    await wall(gpu, encode, 1);
    const count = repeats(await wall(gpu, encode, 1), 10_000);
    return {
      clock: 'wall',
      milliseconds: await sample(async () => (await wall(gpu, encode, count)) / count, options),
    };
  }
  await stamped(gpu, encode, 1);
  const count = repeats(Math.min(...(await stamped(gpu, encode, 2))), 500);
  const waiting: number[] = [];
  const next = async () => {
    if (waiting.length === 0) waiting.push(...(await stamped(gpu, encode, count)));
    return waiting.pop()!;
  };
  return { clock: 'gpu', milliseconds: await sample(next, options) };
}

const repeats = (milliseconds: number, maximum: number): number =>
  Math.max(1, Math.min(maximum, Math.ceil(SUBMIT_MS / Math.max(milliseconds, 1e-6))));

/** Milliseconds of each of `count` passes, by the GPU's clock. */
async function stamped(gpu: Gpu, encode: Encode, count: number): Promise<number[]> {
  const timings = await profile(gpu, (timed) => {
    for (let i = 0; i < count; i++) timed('sample', encode);
  });
  return timings.map(({ nanoseconds }) => nanoseconds / 1e6);
}

/** Milliseconds from submitting `count` passes to their end. */
export async function wall(gpu: Gpu, encode: Encode, count: number): Promise<number> {
  await gpu.idle();
  const start = performance.now();
  submit(gpu, encode, count);
  await gpu.idle();
  return performance.now() - start;
}

/** Queues `count` passes, or more, in one submit. */
export function submit(gpu: Gpu, encode: Encode, count = 1): void {
  record(gpu.device, (recorder) => {
    for (let i = 0; i < count; i++) {
      encode(recorder);
      recorder.end();
    }
  });
}
