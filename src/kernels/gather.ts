import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { bitsOf } from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';

export interface GatherSpec {
  /** What the table holds: f32, or bytes packed four to a word, lowest first. */
  source: 'u8' | 'f32';
  rows: number;
  /** Elements per row. */
  width: number;
  /** Number of tables, one after the other: the rows are taken from each. */
  outer?: number;
  /** Number of rows to take. */
  count: number;
  /** Applied to each element: value · scale + shift. */
  scale: number;
  shift: number;
}

const GROUP = 64;
const NAN_BITS = 0x7fc00000;

/**
 * Rows of a table by index; a workgroup's lanes run along a row. Bindings: table, index u32[count],
 * result f32[count, width]. A row beyond the table is NaN.
 */
export function gather(spec: GatherSpec, traits: AdapterTraits): Kernel {
  const { source, rows, width, count, scale, shift, outer = 1 } = spec;
  const quads = width % 4 === 0;
  const perThread = quads ? 4 : 1;
  const place = outer === 1 ? 'number' : 'number % params.each';
  const chosen = `select(0u, index[${place}], inside)`;
  const at = outer === 1 ? chosen : `(${chosen} + number / params.each * params.rows)`;
  const lanes = Math.min(GROUP, 2 ** Math.ceil(Math.log2(width / perThread)));
  const table = source === 'f32' ? (quads ? 'vec4f' : 'f32') : 'u32';
  const load = {
    'f32,false': 'table[row + column]',
    'f32,true': 'table[row + column]',
    'u8,false': 'f32((table[(row + column) / 4u] >> (8u * ((row + column) % 4u))) & 255u)',
    'u8,true': 'vec4f(unpack4xU8(table[row + column]))',
  }[`${source},${quads}`]!;
  return {
    name: `gather_${source}`,
    wgsl: `
struct Params { count: u32, width: u32, rows: u32, scale: f32, shift: f32${outer === 1 ? '' : ', each: u32'} }
@group(0) @binding(0) var<storage, read> table: array<${table}>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<${quads ? 'vec4f' : 'f32'}>;
@group(0) @binding(3) var<uniform> params: Params;
@compute @workgroup_size(${lanes}, ${GROUP / lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let number = (${LINEAR_GROUP}) * ${GROUP / lanes}u + local.y;
  if (number >= params.count) { return; }
  let inside = index[${place}] < params.rows;
  let row = ${at} * params.width;
  let shift = bitcast<f32>(select(${NAN_BITS}u, bitcast<u32>(params.shift), inside));
  for (var column = local.x; column < params.width; column += ${lanes}u) {
    result[number * params.width + column] = ${load} * params.scale + shift;
  }
}`,
    bindings: ['read', 'read', 'read_write'],
    uniforms: Uint32Array.of(
      outer * count,
      width / perThread,
      rows,
      bitsOf(scale),
      bitsOf(shift),
      ...(outer === 1 ? [] : [count]),
    ),
    grid: foldGrid(Math.ceil((outer * count * lanes) / GROUP), traits),
    flops: 2 * outer * count * width,
    bytes: outer * count * width * (source === 'u8' ? 5 : 8),
  };
}
