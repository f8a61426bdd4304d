import { CollimateError } from '../errors.ts';
import type { AdapterInfo } from '../gpu/adapter.ts';
import type { AdapterTraits } from '../gpu/kernel.ts';
import { openGpu } from '../host/open.ts';

/** The result of trying an adapter. Plain data, as it comes from a child process. */
export type Probe =
  | {
      readonly ok: true;
      readonly info: AdapterInfo;
      readonly traits: AdapterTraits;
      readonly features: readonly string[];
      readonly maxBufferBytes: number;
      /** Time to open it, the known answers that it computes included. */
      readonly milliseconds: number;
    }
  | { readonly ok: false; readonly reason: string; readonly remedy?: string | undefined };

/** Opens an adapter, which computes its known answers meanwhile. Never throws. */
async function probe(adapter: string): Promise<Probe> {
  try {
    const start = performance.now();
    using gpu = await openGpu({ adapter });
    const milliseconds = performance.now() - start;
    return {
      ok: true,
      info: gpu.info,
      traits: gpu.traits,
      features: [...gpu.device.features],
      maxBufferBytes: gpu.device.limits.maxBufferSize,
      milliseconds,
    };
  } catch (error) {
    const { message, remedy } = error as CollimateError;
    return { ok: false, reason: message, remedy: error instanceof CollimateError ? remedy : undefined };
  }
}

/* This is a process that tries one adapter, for the one that forked it: doctor.ts. */
process.send!(await probe(process.argv[2]!), () => process.disconnect());
