import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { foldGrid, LINEAR_GROUP, lanesOf, type Sizes } from './grid.ts';

/** Threads that keep an adapter busy; each reads the whole index. */
const THREADS = { software: 16, hardware: 256 };

/**
 * Sums of rows by index. A thread owns a column (or four) of a block of the result's rows: it sets them to 0
 * and adds what belongs there as it reads the whole index. So sums follow the order of rows, without atomics
 * or barriers. Bindings: updates f32[outer, count, width], index u32[count], result f32[outer, rows, width].
 */
export function scatter(
  { outer, rows, width, count }: Sizes<'outer' | 'rows' | 'width' | 'count'>,
  traits: AdapterTraits,
): Kernel {
  const [columns, type] = width % 4 === 0 ? [width / 4, 'vec4f'] : [width, 'f32'];
  const lanes = lanesOf(traits);
  const parts = Math.ceil((THREADS[traits.kind] * lanes) / (outer * columns));
  const block = Math.ceil(rows / parts);
  const threads = outer * columns * Math.ceil(rows / block);
  return {
    name: 'scatter',
    wgsl: `
struct Params { count: u32, columns: u32, rows: u32, block: u32, across: u32 }
@group(0) @binding(0) var<storage, read> updates: array<${type}>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<${type}>;
@group(0) @binding(3) var<uniform> params: Params;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let thread = (${LINEAR_GROUP}) * ${lanes}u + lane;
  let column = thread % params.columns;
  let outer = thread % params.across / params.columns;
  let first = thread / params.across * params.block;
  if (first >= params.rows) { return; }
  let size = min(params.block, params.rows - first);
  let start = (outer * params.rows + first) * params.columns + column;
  let source = outer * params.count * params.columns + column;
  for (var row = 0u; row < size; row++) { result[start + row * params.columns] = ${type}(); }
  for (var i = 0u; i < params.count; i++) {
    let row = index[i] - first;
    if (row < size) { result[start + row * params.columns] += updates[source + i * params.columns]; }
  }
}`,
    bindings: ['read', 'read', 'read_write'],
    uniforms: Uint32Array.of(count, columns, rows, block, outer * columns),
    grid: foldGrid(Math.ceil(threads / lanes), traits),
    flops: outer * count * width,
    bytes: 4 * outer * width * (rows + 2 * count) + 4 * count,
  };
}
