import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { LOG_WGSL } from './exponential.ts';
import { foldGrid, LINEAR_GROUP, type Sizes } from './grid.ts';
import { PHILOX_WGSL } from './philox.ts';
import { SINE_WGSL } from './trigonometry.ts';

const GROUP = 64;

const TRANSFORM = {
  uniform: 'return u;',
  normal: `
    let radius = sqrt(-2.0 * logarithm(u.xz + ${2 ** -25}));
    let quarter = round(4.0 * u.yw);
    let angle = (4.0 * u.yw - quarter) * ${Math.PI / 2};
    let x = radius * sineOf(angle, U(quarter) + 1u);
    let y = radius * sineOf(angle, U(quarter));
    return vec4f(x.x, y.x, x.y, y.y);`,
};

/** Random numbers; streams of a key are separate. Bindings: keys u32[keys, 2], result f32[keys, count]. */
export function random(
  {
    distribution,
    count,
    stream,
    keys = 1,
  }: Sizes<'count' | 'stream'> & { keys?: number; distribution: keyof typeof TRANSFORM },
  traits: AdapterTraits,
): Kernel {
  const blocks = Math.ceil(count / 4);
  const groups = Math.ceil(blocks / GROUP);
  // With one key, the shader needs no others.
  const many = keys > 1 && {
    own: `
  let own = (${LINEAR_GROUP}) / params.groups;
  if (own >= params.keys) { return; }`,
    group: `${LINEAR_GROUP} - own * params.groups`,
  };
  return {
    name: `random_${distribution}`,
    wgsl: `
struct Params { count: u32, stream: u32${many ? ', keys: u32, groups: u32' : ''} }
@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;
${PHILOX_WGSL}
alias F = vec2f;
alias U = vec2u;
${LOG_WGSL}${SINE_WGSL}
fn draw(u: vec4f) -> vec4f {${TRANSFORM[distribution]}
}
@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {${many ? many.own : ''}
  let block = (${many ? many.group : LINEAR_GROUP}) * ${GROUP}u + lane;
  if (block * 4u >= params.count) { return; }
  let words = philox(vec4u(block, params.stream, 0u, 0u), vec2u(${many ? 'key[2u * own], key[2u * own + 1u]' : 'key[0], key[1]'}));
  let values = draw(vec4f(words >> vec4u(8u)) * ${2 ** -24});
  for (var j = 0u; j < min(4u, params.count - block * 4u); j++) { result[${many ? 'own * params.count + ' : ''}block * 4u + j] = values[j]; }
}`,
    bindings: ['read', 'read_write'],
    uniforms: many ? Uint32Array.of(count, stream, keys, groups) : Uint32Array.of(count, stream),
    grid: foldGrid(keys * groups, traits),
    flops: 0,
    bytes: 4 * count * keys,
  };
}
