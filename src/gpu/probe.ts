import { CollimateError } from '../errors.ts';
import type { AdapterInfo } from './adapter.ts';
import { Gpu } from './device.ts';
import type { AdapterTraits } from './traits.ts';

/** What trying an adapter showed. Plain data: it crosses from a child process. */
export type Probe =
  | {
      readonly ok: true;
      readonly info: AdapterInfo;
      readonly traits: AdapterTraits;
      readonly features: readonly string[];
      readonly maxBufferBytes: number;
      /** Time of the first small kernel, its compilation included. */
      readonly milliseconds: number;
    }
  | { readonly ok: false; readonly reason: string; readonly remedy?: string | undefined };

const elements = 1000;

const kernel = {
  name: 'probe',
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${elements}u) { x[id.x] = 0.5 * f32(id.x) + 1.0; }
}`,
};

/** Opens an adapter, runs a small kernel on it and checks every number. Never throws. */
export async function probe(adapter: string): Promise<Probe> {
  try {
    using gpu = await Gpu.open({ adapter });
    const start = performance.now();
    const wrong = await wrongNumbers(gpu);
    const milliseconds = performance.now() - start;
    if (wrong > 0) {
      return {
        ok: false,
        reason: `${gpu.info.name} computes ${wrong} of ${elements} numbers wrong`,
        remedy: 'update its driver',
      };
    }
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

async function wrongNumbers(gpu: Gpu): Promise<number> {
  const pipeline = await gpu.pipeline(kernel);
  const buffer = gpu.createBuffer(4 * elements);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpu.bindGroup(pipeline, [buffer]));
  pass.dispatchWorkgroups(Math.ceil(elements / 64));
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const x = new Float32Array(await gpu.read(buffer, 0, 4 * elements));
  return x.filter((value, i) => value !== 0.5 * i + 1).length;
}
