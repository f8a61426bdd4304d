import type { Gpu } from '../src/gpu/device.ts';
import type { Kernel } from '../src/gpu/kernel.ts';
import { type Encode, timePass } from './timing.ts';

/** The ceilings of an adapter, measured with small kernels made for it. */
export interface Roofline {
  /** GFLOPS in fp32; a multiply-add counts as two. */
  readonly gflops: number;
  /** GB/s read and written, in a copy too large for caches. */
  readonly gbps: number;
  /** The fastest candidates. */
  readonly arithmetic: string;
  readonly copy: string;
  readonly clock: 'gpu' | 'wall';
}

/** Minimum milliseconds for some operations and bytes, by the ceilings. */
export const minimumTime = ({ gflops, gbps }: Roofline, flops: number, bytes: number): number =>
  Math.max(flops / gflops, bytes / gbps) / 1e6;

/** Share of the roofline at work of this intensity; null where nothing is counted. */
export function shareOf(roofline: Roofline, flops: number, bytes: number, milliseconds: number) {
  return flops || bytes ? minimumTime(roofline, flops, bytes) / milliseconds : null;
}

/** Bytes of each side of the copy: far beyond caches, within any adapter's binding limit. */
const COPY_BYTES = 64 * 2 ** 20;
/** Long and unrolled, to hide the dispatch's start and the loop. */
const ITERATIONS = 2048;
const UNROLL = 64;

interface Candidate {
  readonly name: string;
  readonly kernel: Pick<Kernel, 'name' | 'wgsl' | 'grid' | 'flops' | 'bytes'>;
}

/** Each kind's ceiling: its best candidate's best repetition. The device should use all cores. */
export async function measureRoofline(gpu: Gpu, time: number): Promise<Roofline> {
  const { subgroupSize, kind } = gpu.traits;
  const lanes = kind === 'software' ? Math.max(subgroupSize, 4) : 256;
  const chains = [2, 3, 4, 8].map((count) => arithmetic(count, lanes, kind === 'software' ? 512 : 8192));
  const bytes = Math.min(COPY_BYTES, gpu.traits.maxBindingBytes);
  const copies = (kind === 'software' ? [8, 64, 256] : [1, 4, 16]).map((each) => copy(each, lanes, bytes));
  const [from, to] = [gpu.createBuffer(bytes), gpu.createBuffer(bytes)];
  try {
    const best = async (candidates: Candidate[], of: 'flops' | 'bytes') => {
      const pipelines = await Promise.all(candidates.map(({ kernel }) => gpu.pipeline(kernel)));
      const found = [];
      for (const [i, { name, kernel }] of candidates.entries()) {
        const group = gpu.bindGroup(pipelines[i]!, [from, to]);
        const encode: Encode = ({ pass }) => {
          pass.setPipeline(pipelines[i]!);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(...kernel.grid);
        };
        const { milliseconds, clock } = await timePass(gpu, encode, { time });
        found.push({ name, clock, rate: kernel[of] / milliseconds.min / 1e6 });
      }
      return found.reduce((a, b) => (b.rate > a.rate ? b : a));
    };
    const flops = await best(chains, 'flops');
    const copied = await best(copies, 'bytes');
    return {
      gflops: flops.rate,
      gbps: copied.rate,
      arithmetic: flops.name,
      copy: copied.name,
      clock: flops.clock,
    };
  } finally {
    gpu.destroyBuffer(from);
    gpu.destroyBuffer(to);
  }
}

/** Independent chains x ← x·a + b of `vec4f` in registers; operands come from memory, so nothing folds. */
function arithmetic(chains: number, lanes: number, groups: number): Candidate {
  const each = (f: (i: number) => string) => Array.from({ length: chains }, (_, i) => f(i)).join('\n  ');
  const round = each((i) => `x${i} = x${i} * a + b;`);
  return {
    name: `${chains} chains`,
    kernel: {
      name: 'roofline_arithmetic',
      wgsl: `@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = source[0].x;
  let b = source[0].y;
  ${each((i) => `var x${i} = source[id.x + ${i}u];`)}
  for (var i = 0u; i < ${ITERATIONS / UNROLL}u; i++) {
  ${Array.from({ length: UNROLL }, () => round).join('\n  ')}
  }
  result[id.x] = ${Array.from({ length: chains }, (_, i) => `x${i}`).join(' + ')};
}`,
      grid: [groups, 1, 1],
      flops: 2 * 4 * chains * ITERATIONS * lanes * groups,
      bytes: 0,
    },
  };
}

/** Copies `each` vectors a thread; a workgroup's threads stand side by side. */
function copy(each: number, lanes: number, bytes: number): Candidate {
  const groups = Math.floor(bytes / 16 / lanes / each);
  const width = Math.min(groups, 32_768);
  const rows = Math.floor(groups / width);
  return {
    name: `${each} vec4 a thread`,
    kernel: {
      name: 'roofline_copy',
      wgsl: `@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = (group.y * ${width}u + group.x) * ${lanes * each}u + lane;
  for (var i = 0u; i < ${each}u; i++) { result[at + i * ${lanes}u] = source[at + i * ${lanes}u]; }
}`,
      grid: [width, rows, 1],
      flops: 0,
      bytes: 2 * 16 * width * rows * lanes * each,
    },
  };
}
