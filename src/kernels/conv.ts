import type { Kernel } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { placesOf, type Window } from './window.ts';

/** Sizes of a convolution: images x [n, h, w, ci], weights w [co, kh, kw, ci], responses y [n, oh, ow, co]. */
export interface ConvSpec {
  /** Which of the three results; the other two are given, in the order x, w, y for `response`, y, w for `image`, x, y for `weight`. */
  readonly part: 'response' | 'image' | 'weight';
  readonly window: Window;
  readonly images: number;
  readonly channels: number;
  readonly features: number;
  /** Further axes of problems, outermost first, and how far apart the operands' problems are along each. */
  readonly batch: readonly { readonly size: number; readonly strideA: number; readonly strideB: number }[];
}

export function conv(spec: ConvSpec, traits: AdapterTraits): Kernel {
  const { part, window, images, channels, features, batch } = spec;
  const [oh, ow] = placesOf(window);
  const taps = window.size[0] * window.size[1];
  const problems = batch.reduce((count, { size }) => count * size, 1);
  const each = {
    response: images * oh * ow * features,
    image: images * window.image[0] * window.image[1] * channels,
    weight: features * taps * channels,
  };
  const offsets = (stride: 'strideA' | 'strideB') => {
    let rest = 'problem';
    const terms: string[] = [];
    for (const axis of [...batch].reverse()) {
      terms.push(`((${rest}) % ${axis.size}u) * ${axis[stride]}u`);
      rest = `(${rest}) / ${axis.size}u`;
    }
    return terms.length ? terms.join(' + ') : '0u';
  };
  const names = { response: ['X', 'W', 'Y'], image: ['Y', 'W', 'X'], weight: ['X', 'Y', 'W'] }[part];
  const atX = '((n * IH + u32(h)) * IW + u32(w)) * CI + c';
  const atY = '((n * OH + p) * OW + q) * CO + f';
  const atW = '((f * KH + r) * KW + s) * CI + c';
  const inside = 'if (h < 0 || h >= i32(IH) || w < 0 || w >= i32(IW)) { continue; }';
  const at = { X: atX, Y: atY, W: atW } as Record<string, string>;
  const add = `sum += A[a0 + ${at[names[0]!]}] * B[b0 + ${at[names[1]!]}];`;
  const hw = `let h = i32(p * SH + r) - i32(PH); let w = i32(q * SW + s) - i32(PW); ${inside}`;
  const body = {
    response: `let f = i % CO; let q = i / CO % OW; let p = i / CO / OW % OH; let n = i / CO / OW / OH;
  for (var r = 0u; r < KH; r++) { for (var s = 0u; s < KW; s++) { ${hw}
    for (var c = 0u; c < CI; c++) { ${add} } } }`,
    image: `let c = i % CI; let w = i / CI % IW; let h = i / CI / IW % IH; let n = i / CI / IW / IH;
  for (var r = 0u; r < KH; r++) { for (var s = 0u; s < KW; s++) {
    let hp = i32(h + PH) - i32(r); let wq = i32(w + PW) - i32(s);
    if (hp < 0 || wq < 0 || hp % i32(SH) != 0 || wq % i32(SW) != 0) { continue; }
    let p = u32(hp) / SH; let q = u32(wq) / SW;
    if (p >= OH || q >= OW) { continue; }
    for (var f = 0u; f < CO; f++) { ${add} } } }`,
    weight: `let c = i % CI; let s = i / CI % KW; let r = i / CI / KW % KH; let f = i / CI / KW / KH;
  for (var n = 0u; n < ${images}u; n++) { for (var p = 0u; p < OH; p++) { for (var q = 0u; q < OW; q++) { ${hw} ${add} } } }`,
  }[part];
  const consts = {
    IH: window.image[0],
    IW: window.image[1],
    KH: window.size[0],
    KW: window.size[1],
    SH: window.stride[0],
    SW: window.stride[1],
    PH: window.padding[0],
    PW: window.padding[1],
    OH: oh,
    OW: ow,
    CI: channels,
    CO: features,
  };
  const size = each[part];
  return {
    name: `conv_${part}`,
    wgsl: `${Object.entries(consts)
      .map(([name, value]) => `const ${name} = ${value}u;`)
      .join(' ')}
@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read> B: array<f32>;
@group(0) @binding(2) var<storage, read_write> C: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let all = (${LINEAR_GROUP}) * 64u + lane;
  if (all >= ${size * problems}u) { return; }
  let problem = all / ${size}u; let i = all % ${size}u;
  let a0 = ${offsets('strideA')}; let b0 = ${offsets('strideB')};
  var sum = 0.0;
  ${body}
  C[all] = sum;
}`,
    bindings: ['read', 'read', 'read_write'],
    grid: foldGrid(Math.ceil((size * problems) / 64), traits),
    flops: 2 * problems * images * oh * ow * features * taps * channels,
    bytes: 4 * problems * (each.response + each.image + each.weight),
  };
}
