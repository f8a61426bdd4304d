import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { foldGrid, LINEAR_GROUP, type Sizes } from './grid.ts';

const GROUP = 64;

type Rows = Sizes<'count' | 'width' | 'pitch' | 'to'> & { readonly start?: number; readonly step?: 1 | -1 };

/**
 * Copies `count` rows of `width` words, `pitch` words apart, to rows `to` apart: those from `start` on, or
 * back (`step` −1). Of two sources, the first has the even rows, the second the odd ones.
 */
export function copyRows(rows: Rows, sources: 1 | 2, traits: AdapterTraits): Kernel {
  const { count, width, pitch, to, start = 0, step = 1 } = rows;
  const total = count * to;
  const second = sources === 2 ? '@group(0) @binding(1) var<storage, read> odd: array<u32>;\n' : '';
  return {
    name: 'gather_rows',
    wgsl: `struct Sizes { total: u32, width: u32, pitch: u32, to: u32, start: u32, step: u32 }
@group(0) @binding(0) var<storage, read> x: array<u32>;
${second}@group(0) @binding(${sources}) var<storage, read_write> y: array<u32>;
@group(0) @binding(${sources + 1}) var<uniform> s: Sizes;
@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (${LINEAR_GROUP}) * ${GROUP}u + lane;
  let column = i % s.to;
  if (i >= s.total || column >= s.width) { return; }
  let row = s.start + (i / s.to) * s.step;
  ${
    sources === 1
      ? 'y[i] = x[row * s.pitch + column];'
      : 'let at = (row >> 1u) * s.pitch + column;\n  if ((row & 1u) == 1u) { y[i] = odd[at]; } else { y[i] = x[at]; }'
  }
}`,
    bindings: [...new Array<'read'>(sources).fill('read'), 'read_write'],
    uniforms: Uint32Array.of(total, width, pitch, to, start, step),
    grid: foldGrid(Math.ceil(total / GROUP), traits),
    flops: 0,
    bytes: 8 * count * width,
  };
}
