import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { isNan } from './special.ts';
import { outputSides, type Window } from './window.ts';

/** Sizes of a max pooling: inputs x [images, h, w, channels], outputs [images, oh, ow, channels]. */
export interface PoolSpec {
  /** `value`: of x; `tangent`: the elements of t where x is largest; `cotangent`: u sent back there. */
  readonly part: 'value' | 'tangent' | 'cotangent';
  readonly window: Window;
  readonly channels: number;
  /** Images of t, u and the result; x has fewer, which repeat. */
  readonly images: number;
  readonly distinct: number;
}

const GROUP = 64;

/**
 * Max pooling and its choice as a linear map. Bindings: x and the result for `value`; else t or u, x and the
 * result. Ties go to the first element by rows; NaN counts as largest. One thread per result, no scatter.
 */
export function maxPool(spec: PoolSpec, traits: AdapterTraits): Kernel {
  const { part, window, channels, images, distinct } = spec;
  const { image, size, stride, padding } = window;
  const [oh, ow] = outputSides(window);
  const [whole, outputs] = [image[0] * image[1] * channels, oh * ow * channels];
  const elements = images * (part === 'cotangent' ? whole : outputs);
  const value = part === 'value';
  const names = value ? ['X'] : ['T', 'X'];
  const result =
    part === 'cotangent' ? 'gathered(i)' : `${names[0]}[i / ${outputs}u * ${whole}u + chosen(i)]`;
  const wgsl = `
${names.map((name, i) => `@group(0) @binding(${i}) var<storage, read> ${name}: array<f32>;`).join('\n')}
@group(0) @binding(${names.length}) var<storage, read_write> R: array<f32>;

// The largest element under position i of the window, counted from the start of its image.
fn chosen(i: u32) -> u32 {
  let channel = i % ${channels}u;
  let start = i / ${outputs}u % ${distinct}u * ${whole}u;
  let top = i32(i / ${channels * ow}u % ${oh}u) * ${stride[0]} - ${padding[0]};
  let left = i32(i / ${channels}u % ${ow}u) * ${stride[1]} - ${padding[1]};
  let bottom = u32(min(top + ${size[0]}, ${image[0]}));
  let right = u32(min(left + ${size[1]}, ${image[1]}));
  var best = (u32(max(top, 0)) * ${image[1]}u + u32(max(left, 0))) * ${channels}u + channel;
  var largest = X[start + best];
  for (var h = u32(max(top, 0)); h < bottom; h++) {
    for (var w = u32(max(left, 0)); w < right; w++) {
      let at = (h * ${image[1]}u + w) * ${channels}u + channel;
      let x = X[start + at];
      if (x > largest || (${isNan('x', 'u32')} && !${isNan('largest', 'u32')})) { best = at; largest = x; }
    }
  }
  return best;
}
${
  part === 'cotangent'
    ? `
// The sum over all positions whose choice is element i.
fn gathered(i: u32) -> f32 {
  let own = i % ${whole}u;
  let h = own / ${channels * image[1]}u + ${padding[0]}u;
  let w = own / ${channels}u % ${image[1]}u + ${padding[1]}u;
  let base = i / ${whole}u * ${outputs}u + own % ${channels}u;
  var sum = 0.0;
  for (var p = (max(h, ${size[0] - 1}u) - ${size[0] - 1}u + ${stride[0] - 1}u) / ${stride[0]}u; p <= min(h / ${stride[0]}u, ${oh - 1}u); p++) {
    for (var q = (max(w, ${size[1] - 1}u) - ${size[1] - 1}u + ${stride[1] - 1}u) / ${stride[1]}u; q <= min(w / ${stride[1]}u, ${ow - 1}u); q++) {
      let at = base + (p * ${ow}u + q) * ${channels}u;
      if (chosen(at) == own) { sum += T[at]; }
    }
  }
  return sum;
}`
    : ''
}
@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (${LINEAR_GROUP}) * ${GROUP}u + lane;
  if (i >= ${elements}u) { return; }
  R[i] = ${result};
}`;
  return {
    name: `max_pool_${part}`,
    wgsl,
    bindings: [...names.map(() => 'read' as const), 'read_write'],
    grid: foldGrid(Math.ceil(elements / GROUP), traits),
    flops: 0,
    bytes: 4 * (value ? images * (whole + outputs) : images * (whole + outputs) + distinct * whole),
  };
}
