import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { lanesOf } from './grid.ts';

/** Rows copied per workgroup. */
const ROWS = 16;

/** The next multiple of four. */
export const roundUp = (size: number): number => 4 * Math.ceil(size / 4);

/**
 * Copies a dense matrix into one with sides padded with zeros to multiples of four, to be read in fours.
 * Bindings: `[rows, cols]` read, `[roundUp(rows), roundUp(cols)]` written.
 */
export function pad(rows: number, cols: number, traits: AdapterTraits): Kernel {
  const lanes = lanesOf(traits);
  const [height, vectors] = [roundUp(rows), roundUp(cols) / 4];
  return {
    name: 'pad',
    wgsl: `struct Sizes { rows: u32, cols: u32, height: u32, vectors: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> s: Sizes;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let vector = wg.x * ${lanes}u + lane;
  if (vector >= s.vectors) { return; }
  let columns = 4u * vector + vec4u(0u, 1u, 2u, 3u);
  let inside = columns < vec4u(s.cols);
  let source = min(columns, vec4u(s.cols - 1u));
  let first = wg.y * ${ROWS}u;
  for (var row = first; row < min(first + ${ROWS}u, s.height); row++) {
    let at = min(row, s.rows - 1u) * s.cols + source;
    let value = vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
    y[row * s.vectors + vector] = select(vec4f(), value, inside & vec4<bool>(row < s.rows));
  }
}`,
    bindings: ['read', 'read_write'],
    uniforms: Uint32Array.of(rows, cols, height, vectors),
    grid: [Math.ceil(vectors / lanes), Math.ceil(height / ROWS), 1],
    flops: 0,
    bytes: 4 * rows * cols + 16 * height * vectors,
  };
}
