import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { record } from '../gpu/runnable.ts';
import { inNode } from '../gpu/wait.ts';
import { range } from '../lists.ts';

/** A device that accepts work and returns something other than its result. */
export class WrongAnswers extends CollimateError {
  constructor(adapter: string, wrong: number, of: number, what: string, example: string) {
    super(
      `${adapter} computes ${wrong} of ${of} numbers${what} wrong: ${example}`,
      inNode
        ? `update its driver, or choose another adapter with --adapter: \`${command('doctor')}\` tells which there are`
        : 'update the browser and the graphics driver',
    );
  }
}

/** Whether devices go unchecked, say to measure the host's costs on one that computes nothing. */
export const isUnchecked = (): boolean => Boolean(globalThis.process?.env?.COLLIMATE_UNCHECKED);

/** @throws WrongAnswers if a number is off its known answer by more than `tolerance` · (1 + its size) */
export function compareAnswers(
  { info }: Gpu,
  what: string,
  got: ArrayLike<number>,
  known: readonly number[],
  tolerance: number,
): void {
  const off = (x: number, i: number) => !(Math.abs(got[i]! - x) <= tolerance * (1 + Math.abs(x)));
  const wrong = known.filter(off).length;
  if (wrong === 0) return;
  const first = known.findIndex(off);
  const example = known.every((_, i) => got[i] === 0)
    ? 'all are 0'
    : `number ${first} is ${got[first]} instead of ${known[first]}`;
  throw new WrongAnswers(info.name, wrong, known.length, what, example);
}

const COUNT = 1024;

/** Reads uploads, passes them between lanes through workgroup memory, and writes exact numbers. */
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

/** Has a device compute known answers, some milliseconds' work. @throws WrongAnswers */
export async function checkDevice(gpu: Gpu): Promise<void> {
  if (!isUnchecked()) await askDevice(gpu);
}

export async function askDevice(gpu: Gpu): Promise<void> {
  const pipeline = await gpu.pipeline(kernel);
  const given = range(COUNT).map((i) => 0.5 * i + 1);
  const buffer = gpu.createBuffer(4 * COUNT);
  try {
    gpu.write(buffer, 0, Float32Array.from(given));
    const group = gpu.bindGroup(pipeline, [buffer]);
    record(gpu.device, (recorder) => recorder.dispatch({ pipeline, group, grid: [COUNT / 64, 1, 1] }));
    const got = new Float32Array(await gpu.read(buffer, 0, 4 * COUNT));
    const known = range(COUNT).map((i) => 1.5 * given[(i & ~63) + 63 - (i & 63)]! - (i ^ 21));
    compareAnswers(gpu, '', got, known, 0);
  } finally {
    gpu.destroyBuffer(buffer);
  }
}
