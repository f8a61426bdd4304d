import { CollimateError } from '../errors.ts';
import type { Gpu } from './device.ts';

/** GPU time of one labelled compute pass. */
export interface Timing {
  readonly label: string;
  /** On the GPU's clock, in nanoseconds; its zero is its own. */
  readonly begin: number;
  readonly nanoseconds: number;
}

/** Encodes one pass whose time is wanted. */
export type TimedPass = (label: string, body: (pass: GPUComputePassEncoder) => void) => void;

/** Two timestamps a pass; a query set holds 4096 of them. */
export const maxPasses = 2048;

/** @throws CollimateError if the adapter has no timestamps */
export function requireTimestamps(gpu: Gpu): void {
  if (gpu.device.features.has('timestamp-query')) return;
  throw new CollimateError(
    `${gpu.info.name} cannot time its work: it lacks the feature timestamp-query`,
    'choose another adapter, or measure wall-clock time around Gpu.idle()',
  );
}

/**
 * Runs what `encode` encodes in one submit, and returns the GPU's own time of each pass, in order. Time a single
 * dispatch by giving it a pass of its own.
 * @throws CollimateError if the adapter has no timestamps, or for more than 2048 passes
 */
export async function profile(gpu: Gpu, encode: (timed: TimedPass) => void): Promise<Timing[]> {
  const { device } = gpu;
  requireTimestamps(gpu);
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 * maxPasses });
  const bytes = 16 * maxPasses;
  const resolved = gpu.createBuffer(bytes, { usage: 0x200 | 0x4, label: 'timestamps' }); // QUERY_RESOLVE | COPY_SRC
  try {
    const encoder = device.createCommandEncoder();
    const labels: string[] = [];
    encode((label, body) => {
      const index = 2 * labels.length;
      if (index === 2 * maxPasses)
        throw new CollimateError(`cannot time more than ${maxPasses} passes at once`);
      labels.push(label);
      const pass = encoder.beginComputePass({
        label,
        timestampWrites: { querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 },
      });
      body(pass);
      pass.end();
    });
    if (labels.length === 0) return [];
    encoder.resolveQuerySet(querySet, 0, 2 * labels.length, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const times = new BigUint64Array(await gpu.read(resolved, 0, 16 * labels.length));
    return labels.map((label, i) => {
      const [begin, end] = [times[2 * i]!, times[2 * i + 1]!];
      return { label, begin: Number(begin), nanoseconds: Number(end - begin) };
    });
  } finally {
    gpu.destroyBuffer(resolved);
    querySet.destroy();
  }
}
