import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import type { Scalar } from './fused.ts';
import { foldGrid, LINEAR_GROUP, lanesOf, type Sizes } from './grid.ts';

/** Running sums down each column, one per thread. Bindings: x [outer, rows, width], y of the same shape. */
export function cumsum(
  {
    outer,
    rows,
    width,
    reverse,
    dtype,
  }: Sizes<'outer' | 'rows' | 'width'> & {
    readonly reverse: boolean;
    readonly dtype: Exclude<Scalar, 'bool'>;
  },
  traits: AdapterTraits,
): Kernel {
  const lanes = lanesOf(traits);
  const columns = outer * width;
  return {
    name: 'cumsum',
    wgsl: `
struct Params { columns: u32, rows: u32, width: u32 }
@group(0) @binding(0) var<storage, read> x: array<${dtype}>;
@group(0) @binding(1) var<storage, read_write> y: array<${dtype}>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = (${LINEAR_GROUP}) * ${lanes}u + lane;
  if (column >= params.columns) { return; }
  let start = column / params.width * params.rows * params.width + column % params.width;
  var sum = ${dtype}();
  for (var row = 0u; row < params.rows; row++) {
    let i = start + ${reverse ? '(params.rows - 1u - row)' : 'row'} * params.width;
    sum += x[i];
    y[i] = sum;
  }
}`,
    bindings: ['read', 'read_write'],
    uniforms: Uint32Array.of(columns, rows, width),
    grid: foldGrid(Math.ceil(columns / lanes), traits),
    flops: columns * rows,
    bytes: 8 * columns * rows,
  };
}
