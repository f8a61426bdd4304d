import type { AdapterTraits } from '../gpu/kernel.ts';

/** Values that a lane reads from workgroup memory between barriers. */
const RADIX = 8;

/** A variable of every lane, and how two of its values are joined. */
export interface Shared {
  readonly name: string;
  /** Workgroup memory with a slot per lane. */
  readonly mailbox: string;
  readonly join: (a: string, b: string) => string;
  /** The statement that joins it with that of lane XOR `mask`, to the same bits in both. */
  readonly withPeer: (mask: number) => string;
  /** Whether joining is so much code that it should appear only once, in a loop over the mailbox. */
  readonly long?: boolean;
}

/**
 * Statements that join the variables of all lanes whose numbers (`lane`, in the workgroup) differ in the
 * bits from `from` up to `to`, in one order for all. Subgroups join by shuffles and meet in workgroup
 * memory; they may exceed `subgroup`, the smallest, but must hold consecutive lanes, as all known do.
 */
export function joinLanes(
  variables: readonly Shared[],
  from: number,
  to: number,
  subgroup: number,
): string[] {
  const steps: string[] = [];
  let stride = from;
  for (; stride < Math.min(subgroup, to); stride *= 2) {
    for (const { withPeer } of variables) steps.push(withPeer(stride));
  }
  for (; stride < to; stride *= RADIX) {
    const radix = Math.min(RADIX, to / stride);
    const others = Array.from({ length: radix - 1 }, (_, i) => `base + ${(i + 1) * stride}u`);
    const loop = `for (var at = ${others[0]}; at < base + ${radix * stride}u; at += ${stride}u)`;
    steps.push(
      ...variables.map(({ name, mailbox }) => `${mailbox}[lane] = ${name};`),
      'workgroupBarrier();',
      `{ let base = lane & ${~(stride * (radix - 1)) >>> 0}u;`,
      ...variables.flatMap(({ name, mailbox, join, long }) => {
        const take = (at: string) => `${name} = ${join(name, `${mailbox}[${at}]`)};`;
        return [`${name} = ${mailbox}[base];`, ...(long ? [`${loop} { ${take('at')} }`] : others.map(take))];
      }),
      '}',
      'workgroupBarrier();',
    );
  }
  return steps;
}

/**
 * WGSL for lanes that solve one problem together: a whole workgroup of a power of two lanes. It comes first
 * in the shader: directives, `const LANES`, and `teamSum` and `teamMax`, of vec4f, which give every lane the
 * same bits. The shader must first set the private variable `lane` to the local index, and call them in
 * uniform control flow. A team of one subgroup, `alone`, can shuffle and needs no barrier. A subgroup
 * reduces by shuffles, single instructions on software adapters, where `subgroupAdd` loops over the lanes
 * and a barrier costs hundreds; subgroups (or, without them, all lanes) meet in workgroup memory. `compute`
 * holds the entry's attributes: on GPUs with larger subgroups too, which it would not fill, also their size.
 */
export function team(lanes: number, traits: AdapterTraits) {
  const subgroup = Math.min(Math.max(traits.subgroupSize, 1), lanes);
  const sized = traits.kind === 'hardware' && traits.sizedSubgroups && traits.subgroupSize === lanes;
  const reduce = (name: string, join: Shared['join']) => {
    const withPeer = (mask: number) => `x = ${join('x', `subgroupShuffleXor(x, ${mask}u)`)};`;
    const steps = joinLanes([{ name: 'x', mailbox: 'mailbox', join, withPeer }], 1, lanes, subgroup);
    return `fn ${name}(value: vec4f) -> vec4f {\n  var x = value;\n  ${steps.join('\n  ')}\n  return x;\n}`;
  };
  // nearOne: powers of two that bring magnitudes x to [1, 4); zero stays zero under them.
  return {
    lanes,
    alone: subgroup === lanes,
    compute: `@compute ${sized ? `@subgroup_size(${lanes}) ` : ''}@workgroup_size(${lanes})`,
    wgsl: `${subgroup > 1 ? 'enable subgroups;\n' : ''}${sized ? 'enable subgroup_size_control;\n' : ''}const LANES = ${lanes}u;
var<private> lane: u32;
${subgroup < lanes ? 'var<workgroup> mailbox: array<vec4f, LANES>;' : ''}
${reduce('teamSum', (a, b) => `${a} + ${b}`)}
${reduce('teamMax', (a, b) => `max(${a}, ${b})`)}
fn nearOne(x: vec4f) -> vec4f {
  return bitcast<vec4f>(max(vec4u(254 << 23) - (bitcast<vec4u>(x) & vec4u(255 << 23)), vec4u(1 << 23)));
}
`,
  };
}
