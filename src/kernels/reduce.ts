import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type Accumulator, accumulator, momentsWgsl, type ReduceKind, totalOf } from './accumulate.ts';
import {
  type Body,
  bitsOf,
  coalesce,
  denseStrides,
  type Leaf,
  type Scalar,
  Shader,
  vectorizable,
} from './fused.ts';
import { foldGrid, LINEAR_GROUP, lanesOf } from './grid.ts';
import { productName } from './matmul-problem.ts';
import { type TiledShape, tiledName, tiledThreads } from './matmul-tiled.ts';
import { type NumberedAxis, Passes, partners, type Rounds, type Sharing } from './reduce-passes.ts';
import { stripesOf, stripesSource } from './stripes.ts';

export type { ReduceKind } from './accumulate.ts';

export interface ReduceSpec {
  /** What is reduced: one result of the body per reduction, or four. */
  body: Body;
  /** How each result is reduced. */
  kinds: readonly ReduceKind[];
  /** Which axes of the space are reduced. */
  reduced: readonly boolean[];
  /** Reduces this many stretches separately, on a new leading axis. Not for `mean` and `variance`. */
  splits?: number;
  rounds?: Rounds;
}

/** Bytes of workgroup memory per thread that takes part in reductions. */
export const bytesToReduce = (kinds: readonly ReduceKind[]): number =>
  kinds.reduce((bytes, kind) => bytes + (kind === 'variance' ? 16 : 4), 0);

/** The name of reduction `i`'s total. */
export const totalName = (i: number): string => `total${i}`;

/** The leaf of that total. */
export const totalLeaf = (i: number, dtype: Scalar, axes: number): Leaf => ({
  ...{ dtype, source: 'value', name: totalName(i) },
  strides: new Array<number>(axes).fill(0),
});

/** On GPUs: most threads of a workgroup, workgroups to aim for, and elements that a thread loads at once. */
const THREADS = 256;
const GROUPS = 64;
const AHEAD = 4;

const product = (list: readonly NumberedAxis[]) => list.reduce((n, { size }) => n * size, 1);
const power = (x: number) => 2 ** Math.floor(Math.log2(Math.max(x, 1)));

/**
 * Reduces a fused expression along axes of its space. Bindings: the buffer leaves, then the results, dense
 * over the remaining axes. A thread reduces one result, or four neighbors. On GPUs several share one:
 * neighboring threads read neighboring elements, along whichever axes, and join their totals (`joinLanes`).
 */
export function reduce(spec: ReduceSpec, traits: AdapterTraits): Kernel {
  const { kinds, reduced, splits = 1, rounds } = spec;
  // A leaf for each element's place, so that axes are merged only if results allow it.
  const dense = rounds
    ? [{ dtype: 'f32', source: 'place', strides: denseStrides(spec.body.space) } as const]
    : [];
  const body = { ...spec.body, leaves: [...spec.body.leaves, ...dense] };
  const axes = coalesce(body, reduced);
  const vector = vectorizable(body, axes) && !rounds?.product;
  const keptVector = vector && !axes.at(-1)!.reduced;
  const shader = new Shader(body, axes, vector);
  const running = accumulators(spec);
  const stripe = rounds?.product && stripesOf(rounds.product, bytesToReduce(kinds), traits)!;
  const sharing = shareOut(spec, shader, running, stripe, traits);
  const { stay, fold, lanes, rows, across, along, subgroup } = sharing;
  const around = fold.slice(0, -1);
  const outputs = product(stay);

  const { uniforms, bound } = shader;
  const field = {
    outputs: uniforms.add('outputs', outputs),
    groups: uniforms.add('results', outputs * splits),
    around: uniforms.add('around', product(around)),
    aroundPart: uniforms.add('aroundPart', sharing.aroundPart),
    length: uniforms.add('length', fold.at(-1)?.size ?? 1),
    lengthPart: uniforms.add('lengthPart', sharing.lengthPart),
    total: uniforms.add('total', product(fold) * (across ? 4 : 1)),
  };
  if (kinds.includes('max')) uniforms.add('lowest', bitsOf(-Infinity));
  const { m = 0, n = 0, k = 0 } = rounds?.product ?? {};
  if (stripe) for (const [name, size] of Object.entries({ m, n, k })) uniforms.add(name, size);
  const operands = stripe ? 2 : 0;
  const { text, access } = shader.declareLeaves(traits, bound, operands);

  const passes = new Passes(shader, running, kinds, sharing, field);
  const made = running.flatMap(({ dtype }, i) => {
    const values = rounds ? (rounds.stored[i] ? [passes.one(`total${i}`)] : []) : passes.totals(i);
    return values.map((value) => ({ value, dtype }));
  });
  const declared = [
    ...made.map(({ dtype }) => ({ dtype, wide: keptVector })),
    ...(rounds?.each ?? []).map((every, r) => ({
      dtype: body.results[kinds.length + r]!.dtype,
      wide: every ? vector : keptVector,
    })),
  ];
  const lines = rounds
    ? passes.inRounds(rounds, made.length)
    : [...passes.all(), 'if (valid && local.y == 0u) {'];

  const moments = running.some(({ type }) => type === 'Moments');
  const [from, to] = partners(sharing);
  const shuffles = from < Math.min(to, subgroup);
  const mailboxes = to > subgroup && rows > 1 ? running.map((a) => totalOf(a, across)) : [];
  const memory = `
${shader.aliases}
${text}
${shader.declareResults(operands + bound.length, declared)}
${uniforms.declaration(operands + bound.length + declared.length)}
${moments ? momentsWgsl(across, shuffles) : ''}
${mailboxes.map(({ mailbox, type }) => `var<workgroup> ${mailbox}: array<${type}, ${rows * lanes}>;`).join('\n')}
${body.helpers.join('\n')}`;
  const work = `let result = (${LINEAR_GROUP}) * ${lanes}u + local.x;
  let valid = result < ${field.groups};
  let output = select(0u, result${splits > 1 ? ` % ${field.outputs}` : ''}, valid);
  let part = ${splits > 1 ? `select(0u, result / ${field.outputs}, valid)` : '0u'};
  let begin = ${around.length ? '0u' : `part * ${field.lengthPart}`};
  let end = min(begin + ${field.lengthPart}, ${field.length});
  let beginAround = ${around.length ? `part * ${field.aroundPart}` : '0u'};
  let endAround = min(beginAround + ${field.aroundPart}, ${field.around});
  ${[...passes.opening, ...lines].join('\n  ')}
    ${made.map(({ value }, r) => `result${r}[result] = ${value};`).join('\n    ')}
  }`;
  const main = stripe
    ? stripesSource(rounds!.product!, stripe, memory, work, traits)
    : `${memory}
@compute @workgroup_size(${lanes * rows})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let local = vec2u(${along ? `lane / ${rows}u, lane % ${rows}u` : `lane % ${lanes}u, lane / ${lanes}u`});
  ${work}
}`;
  const wgsl = shuffles ? `enable subgroups;\n${main}` : main;
  const stayed = outputs * splits * (keptVector ? 4 : 1);
  const elements = body.space.reduce((a, b) => a * b, 1);
  const whole = rounds?.each.filter((every) => every).length ?? 0;
  return {
    name: `${stripe ? `${productName(rounds!.product!)}+` : ''}reduce_${kinds.join('_')}${rounds ? '+pointwise' : ''}`,
    ...(stripe && { variant: `${tiledName(stripe)} ${stripe.rows}x${stripe.cols}` }),
    wgsl,
    bindings: [
      ...new Array<'read'>(operands).fill('read'),
      ...access,
      ...declared.map(() => 'read_write' as const),
    ],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil((outputs * splits) / lanes), traits),
    flops: elements * (body.cost + kinds.length + 2 * k),
    bytes: 4 * (k * (m + n) + stayed * (declared.length - whole) + elements * whole + shader.elementsRead),
  };
}

/** How each reduction proceeds on results of the body, `y0` and so on: one each, or four for `merged`. */
function accumulators({ kinds, body }: ReduceSpec): Accumulator[] {
  let taken = 0;
  return kinds.map((kind, i) => {
    const own = Array.from({ length: kind === 'merged' ? 4 : 1 }, () => `y${taken++}`);
    return accumulator(kind, body.results[taken - 1]!.dtype, i, own);
  });
}

/** How a workgroup's threads share its work: on software adapters, a result each. */
function shareOut(
  { splits = 1 }: ReduceSpec,
  { axes, vector }: Shader,
  running: readonly Accumulator[],
  stripe: TiledShape | undefined,
  traits: AdapterTraits,
): Sharing {
  const last = axes.length - 1;
  const numbered = axes.map(({ size }, number) => ({
    number,
    size: vector && number === last ? size / 4 : size,
  }));
  const stay = numbered.filter(({ number }) => !axes[number]!.reduced);
  const fold = numbered.filter(({ number }) => axes[number]!.reduced);
  const around = fold.slice(0, -1);
  const lengthPart = Math.ceil((fold.at(-1)?.size ?? 1) / (around.length ? 1 : splits));
  const aroundPart = around.length ? Math.ceil(product(around) / splits) : 1;
  const along = axes[last]?.reduced ?? false;
  const subgroup = traits.subgroupSize;
  const parts = {
    stay,
    fold,
    along,
    across: vector && along,
    lengthPart,
    aroundPart,
    subgroup,
    ahead: AHEAD,
  };
  const others = { ...parts, along: false, ahead: 1 };
  if (stripe) return { ...others, lanes: stripe.cols, rows: tiledThreads(stripe) / stripe.cols };
  if (traits.kind !== 'hardware') return { ...others, lanes: lanesOf(traits), rows: 1 };

  const bytes = running.reduce((n, a) => n + (a.type === 'Moments' ? 4 : 1), 0) * (vector && !along ? 16 : 4);
  const { maxWorkgroupInvocations, maxWorkgroupStorageBytes } = traits;
  const most = power(Math.min(THREADS, maxWorkgroupInvocations, maxWorkgroupStorageBytes / bytes));
  const results = product(stay) * splits;
  const share = power(results / GROUPS);
  const enough = Math.max(1, 2 ** Math.ceil(Math.log2(lengthPart / AHEAD)));
  if (along) {
    // A subgroup is enough if there are results for all.
    const rows = Math.min(enough, most, Math.max(32, power((GROUPS * THREADS) / results)));
    return { ...parts, rows, lanes: Math.min(most / rows, Math.max(share, lanesOf(traits) / rows)) };
  }
  const lanes = Math.min(Math.max(share, vector ? 2 : 8), 32, most);
  return { ...parts, lanes, rows: Math.min(enough, most / lanes) };
}
