import { CollimateError } from '../errors.ts';
import type { Gpu } from './device.ts';
import { Recorder } from './runnable.ts';

/** GPU time of some labeled work. */
export interface Timing {
  readonly label: string;
  /** In nanoseconds, on the GPU's own clock and from its own zero. */
  readonly begin: number;
  readonly nanoseconds: number;
}

/** Two timestamps per pass; a query set holds 4096. */
export const maxPasses = 2048;

/** @throws CollimateError if the adapter has no timestamps */
export function requireTimestamps(gpu: Gpu): void {
  if (gpu.device.features.has('timestamp-query')) return;
  throw new CollimateError(
    `${gpu.info.name} cannot time its work: it lacks the feature timestamp-query`,
    'Choose another adapter, or measure wall-clock time around Gpu.idle().',
  );
}

/**
 * Submits what `encode` records. Returns the GPU time of each labeled part, passes with their copies.
 * @throws CollimateError if the adapter has no timestamps, or for more than 2048 passes
 */
export async function profile(
  gpu: Gpu,
  encode: (timed: (label: string, body: (recorder: Recorder) => void) => void) => void,
): Promise<Timing[]> {
  const { device } = gpu;
  requireTimestamps(gpu);
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * maxPasses });
  const bytes = 16 * maxPasses;
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = gpu.createBuffer(bytes, { usage, label: 'timestamps' });
  try {
    const encoder = device.createCommandEncoder();
    const parts: { label: string; first: number; last: number }[] = [];
    let passes = 0;
    encode((label, body) => {
      const first = passes;
      const recorder = new Recorder(encoder, () => {
        if (passes === maxPasses)
          throw new CollimateError(`cannot time more than ${maxPasses} passes at once`);
        const index = 2 * passes++;
        return {
          label,
          timestampWrites: { querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 },
        };
      });
      body(recorder);
      recorder.end();
      parts.push({ label, first, last: passes - 1 });
    });
    if (passes === 0) return [];
    encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const times = new BigUint64Array(await gpu.read(resolved, 0, 16 * passes));
    return parts.map(({ label, first, last }) => {
      const [begin, end] = [times[2 * first]!, times[2 * last + 1]!];
      return { label, begin: Number(begin), nanoseconds: Number(end - begin) };
    });
  } finally {
    gpu.destroyBuffer(resolved);
    querySet.destroy();
  }
}
