import type { AdapterTraits } from '../gpu/kernel.ts';

/** Values that a lane reads from workgroup memory between two barriers. */
const RADIX = 8;

/**
 * WGSL for the lanes that solve one problem together, a whole workgroup of a power of two lanes. It has to stand first in the shader:
 * directives, `const LANES`, and the reductions `teamSum(vec4f) -> vec4f` and `teamMax(vec4f) -> vec4f`, which give every lane the same
 * bits. The shader must set the private variable `lane` to the local index first, and call them in uniform control flow. A team that
 * is one subgroup, `alone`, can shuffle and needs no barrier. Inside a subgroup it reduces by shuffles: on software adapters those are single
 * instructions, where `subgroupAdd` is a loop over the lanes and a barrier costs hundreds. Subgroups (or, without
 * subgroup operations, all lanes) meet in workgroup memory.
 *
 * Relies on consecutive local indices filling a subgroup, as on every adapter known, and on no more than its
 * smallest size.
 */
export function team(lanes: number, traits: AdapterTraits) {
  const subgroup = Math.min(Math.max(traits.subgroupSize, 1), lanes);
  const reduce = (name: string, combine: (x: string, y: string) => string) => {
    const steps = [];
    for (let mask = 1; mask < subgroup; mask *= 2)
      steps.push(`x = ${combine('x', `subgroupShuffleXor(x, ${mask}u)`)};`);
    for (let stride = subgroup; stride < lanes; stride *= RADIX) {
      const radix = Math.min(RADIX, lanes / stride);
      const all = Array.from({ length: radix }, (_, i) => `mailbox[base + ${i * stride}]`);
      steps.push(`{
    mailbox[lane] = x;
    workgroupBarrier();
    let base = lane & ${(~(stride * (radix - 1)) & (lanes - 1)) >>> 0}u;
    x = ${all.reduce(combine)};
    workgroupBarrier();
  }`);
    }
    return `fn ${name}(value: vec4f) -> vec4f {\n  var x = value;\n  ${steps.join('\n  ')}\n  return x;\n}`;
  };
  return {
    lanes,
    alone: subgroup === lanes,
    wgsl: `${subgroup > 1 ? 'enable subgroups;\n' : ''}const LANES = ${lanes}u;
var<private> lane: u32;
${subgroup < lanes ? 'var<workgroup> mailbox: array<vec4f, LANES>;' : ''}
${reduce('teamSum', (x, y) => `${x} + ${y}`)}
${reduce('teamMax', (x, y) => `max(${x}, ${y})`)}
// Powers of two that bring magnitudes x to [1, 4); zero stays zero under them.
fn nearOne(x: vec4f) -> vec4f {
  return bitcast<vec4f>(max(vec4u(254 << 23) - (bitcast<vec4u>(x) & vec4u(255 << 23)), vec4u(1 << 23)));
}
`,
  };
}
