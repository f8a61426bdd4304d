import { CollimateError } from '../errors.ts';
import type { Gpu } from './device.ts';

/** A device that accepts work and gives back something else than its result. */
export class WrongAnswers extends CollimateError {
  constructor(adapter: string, wrong: number, of: number, what: string, example: string) {
    super(
      `${adapter} computes ${wrong} of ${of} numbers${what} wrong: ${example}`,
      'update its driver, or choose another adapter with --adapter: `npm run doctor` tells which there are',
    );
  }
}

/** Whether devices are taken without a check, as for measurements of what the host costs on one that does nothing. */
export const isUnchecked = (): boolean => Boolean(globalThis.process?.env?.COLLIMATE_UNCHECKED);

/** @throws WrongAnswers if one of the numbers is further from its known answer than `tolerance` in units of 1 + its size */
export function compareAnswers(
  adapter: string,
  what: string,
  got: ArrayLike<number>,
  known: ArrayLike<number>,
  tolerance: number,
): void {
  const off = (x: number, i: number) => !(Math.abs(got[i]! - x) <= tolerance * (1 + Math.abs(x)));
  const all = Array.from(known);
  const wrong = all.filter(off).length;
  if (wrong === 0) return;
  const first = all.findIndex(off);
  const example = `number ${first} is ${got[first]} instead of ${all[first]}`;
  throw new WrongAnswers(adapter, wrong, all.length, what, example);
}

const COUNT = 1024;

/** Reads what was uploaded, passes it between lanes through workgroup memory, and writes exact numbers. */
const kernel = {
  name: 'known answers',
  wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32, ${COUNT}>;
var<workgroup> passed: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  passed[lane] = x[id.x];
  workgroupBarrier();
  x[id.x] = 1.5 * passed[63 - lane] - f32(id.x ^ 21);
}`,
};

/**
 * Lets a device compute what is known, some milliseconds' work.
 * @throws WrongAnswers if it does not
 */
export async function checkDevice(gpu: Gpu): Promise<void> {
  const pipeline = await gpu.pipeline(kernel);
  const given = Float32Array.from({ length: COUNT }, (_, i) => 0.5 * i + 1);
  const buffer = gpu.createBuffer(given.byteLength);
  try {
    gpu.write(buffer, 0, given);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    const layout = pipeline.getBindGroupLayout(0);
    pass.setBindGroup(
      0,
      gpu.device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }),
    );
    pass.dispatchWorkgroups(COUNT / 64);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    const got = new Float32Array(await gpu.read(buffer, 0, given.byteLength));
    const known = given.map((_, i) => 1.5 * given[(i & ~63) + 63 - (i & 63)]! - (i ^ 21));
    compareAnswers(gpu.info.name, '', got, known, 0);
  } finally {
    gpu.destroyBuffer(buffer);
  }
}
