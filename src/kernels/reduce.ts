import type { Kernel } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import {
  aliases,
  type Body,
  coalesce,
  declareLeaves,
  declareResult,
  loadLeaf,
  offset,
  splitIndex,
  strideOf,
  Uniforms,
  vectorizable,
} from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { footprint } from './pointwise.ts';

export type ReduceKind = 'sum' | 'max' | 'variance';

export interface ReduceSpec {
  /** What is reduced; one result of the body for each reduction. */
  body: Body;
  /** How each result is reduced. */
  kinds: readonly ReduceKind[];
  /** Which axes of the space are reduced. */
  reduced: readonly boolean[];
  /** Reduce this many stretches separately: the results get a leading axis of that size. Not for `variance`. */
  splits?: number;
}

/** Terms summed before they join the total: short sums of short sums lose fewer digits than one long sum. */
const BLOCK = 32;

/** How one reduction accumulates; `x` is the element, `s` and its companions are per-thread variables. */
const ACCUMULATE: Record<
  ReduceKind,
  { start: (i: number) => string[]; step: (i: number) => string[]; variables: (i: number) => string[] }
> = {
  sum: { variables: (i) => [`s${i}`], start: () => ['F(0.0)'], step: (i) => [`y${i}`] },
  max: { variables: (i) => [`m${i}`], start: () => ['F(-3.4028234e38)'], step: (i) => [`y${i}`] },
  // Sums of x − x₀ and its square, with the first element x₀ as an estimate of the mean: one pass, no cancellation.
  variance: {
    variables: (i) => [`s${i}`, `q${i}`],
    start: () => ['F(0.0)', 'F(0.0)'],
    step: (i) => [`(y${i} - shift${i})`, `(y${i} - shift${i}) * (y${i} - shift${i})`],
  },
};

/**
 * Reduces a fused expression along some axes of its space. Bindings: the buffer leaves, then the results, dense over
 * the axes that stay. A thread reduces one result, or four neighbours; on hardware the rows of a workgroup share
 * the work and combine through workgroup memory, on software rasterizers (where that is slow) one thread does it all.
 */
export function reduce({ body, kinds, reduced, splits = 1 }: ReduceSpec, traits: AdapterTraits): Kernel {
  const axes = coalesce(body, reduced);
  const vector = vectorizable(body, axes);
  const last = axes.length - 1;
  const keptVector = vector && !axes[last]!.reduced;
  const sizeAlong = (k: number) => (vector && k === last ? axes[k]!.size / 4 : axes[k]!.size);
  const numbered = axes.map((a, axis) => ({ axis, size: sizeAlong(axis), reduced: a.reduced }));
  const stay = numbered.filter((a) => !a.reduced);
  const fold = numbered.filter((a) => a.reduced);
  const outputs = stay.reduce((n, a) => n * a.size, 1);
  const length = fold.reduce((n, a) => n * a.size, 1);
  const stretch = Math.ceil(length / splits);

  const rows =
    traits.kind === 'hardware' ? Math.min(16, 2 ** Math.floor(Math.log2(Math.max(stretch / 4, 1)))) : 1;
  const lanes = traits.kind === 'hardware' ? 32 : Math.max(traits.subgroupSize, 4);

  const uniforms = new Uniforms();
  const outputCount = uniforms.add('outputs', outputs);
  const foldLength = uniforms.add('length', length);
  const foldStretch = uniforms.add('stretch', stretch);
  const { bound, text } = declareLeaves(body, axes, vector);

  const terms = body.leaves.map((leaf, j) => {
    const lastStride = axes.at(-1)?.strides[j] ?? 0;
    const wide = vector && leaf.source === 'buffer' && lastStride === 1;
    const term = (k: number, prefix: string) => {
      const unit = vector && k === last ? (wide ? 1 : 4) : 1;
      const stride = (axes[k]!.strides[j]! * unit) / (wide && k < last ? 4 : 1);
      return { coordinate: `${prefix}${k}`, stride: strideOf(uniforms, j, k, stride) };
    };
    return {
      base: offset(stay.map(({ axis }) => term(axis, 'c'))),
      step: offset(fold.map(({ axis }) => term(axis, 'r'))),
      lastStride,
    };
  });
  const loads = body.leaves.map(
    (leaf, j) =>
      `let x${j} = ${loadLeaf(leaf, j, `base${j} + ${terms[j]!.step}`, vector, terms[j]!.lastStride)};`,
  );
  const element = (index: string) => [
    ...(fold.length ? splitIndex(index, 'r', fold, uniforms) : []),
    ...loads,
    ...body.lines,
    ...body.results.map(({ expression }, i) => `let y${i} = ${expression};`),
  ];
  // The uniform fields that splitting an index needs are the same each time: declare them once.
  const elementLines = element('r');
  const outputLines = stay.length ? splitIndex('output', 'c', stay, uniforms) : [];
  const variables = kinds.flatMap((kind, i) => ACCUMULATE[kind].variables(i));
  const starts = kinds.flatMap((kind, i) => ACCUMULATE[kind].start(i));
  const steps = kinds.flatMap((kind, i) => ACCUMULATE[kind].step(i));
  const join = (v: string, a: string, b: string) => (v.startsWith('m') ? `max(${a}, ${b})` : `${a} + ${b}`);
  const shifted = kinds.flatMap((kind, i) => (kind === 'variance' ? [i] : []));

  const horizontal = (v: string) =>
    vector && !keptVector
      ? v.startsWith('m')
        ? `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))`
        : `(${v}.x + ${v}.y) + (${v}.z + ${v}.w)`
      : v;
  const total = length * (vector && !keptVector ? 4 : 1);
  const divisor = uniforms.add('total', total);
  const finish = kinds.map((kind, i) => {
    if (kind === 'max') return horizontal(`m${i}`);
    if (kind === 'sum') return horizontal(`s${i}`);
    const n = `f32(${divisor})`;
    const [s, q] = [horizontal(`s${i}`), horizontal(`q${i}`)];
    const zero = keptVector ? 'F(0.0)' : '0.0';
    return `max((${q} - (${s}) * (${s}) / ${n}) / ${n}, ${zero})`;
  });
  // All four parts of a vector along a reduced axis need the same shift to be combined afterwards.
  const shiftOf = (i: number) => (vector && !keptVector ? `F(y${i}.x)` : `y${i}`);
  const shifts = shifted.length
    ? [
        ...shifted.map((i) => `var shift${i} = F(0.0);`),
        `{ let r = 0u; ${elementLines.join(' ')} ${shifted.map((i) => `shift${i} = ${shiftOf(i)};`).join(' ')} }`,
      ]
    : [];

  const shared = rows > 1;
  const wgsl = `
${aliases(vector)}
${text}
${kinds.map((_, r) => declareResult(r, bound.length + r, 'f32', keptVector)).join('\n')}
${uniforms.declaration(bound.length + kinds.length)}
${shared ? variables.map((v) => `var<workgroup> all_${v}: array<F, ${rows * lanes}>;`).join('\n') : ''}
${body.helpers.join('\n')}
@compute @workgroup_size(${lanes}, ${rows})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let o = (${LINEAR_GROUP}) * ${lanes}u + local.x;
  let valid = o < ${outputCount} * ${splits}u;
  let output = select(0u, o % ${outputCount}, valid);
  let begin = select(0u, o / ${outputCount}, valid) * ${foldStretch};
  let end = min(begin + ${foldStretch}, ${foldLength});
  ${outputLines.join('\n  ')}
  ${terms.map(({ base }, j) => `let base${j} = ${base};`).join('\n  ')}
  ${shifts.join('\n  ')}
  ${variables.map((v, k) => `var ${v} = ${starts[k]};`).join('\n  ')}
  for (var block = begin; block < end; block += ${BLOCK * rows}u) {
    ${variables.map((v, k) => `var part_${v} = ${starts[k]};`).join('\n    ')}
    for (var r = block + local.y; r < min(block + ${BLOCK * rows}u, end); r += ${rows}u) {
      ${elementLines.join('\n      ')}
      ${variables.map((v, k) => `part_${v} = ${join(v, `part_${v}`, steps[k]!)};`).join('\n      ')}
    }
    ${variables.map((v) => `${v} = ${join(v, v, `part_${v}`)};`).join('\n    ')}
  }
  ${
    shared
      ? `let slot = local.y * ${lanes}u + local.x;
  ${variables.map((v) => `all_${v}[slot] = ${v};`).join('\n  ')}
  for (var half = ${rows / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      ${variables.map((v) => `all_${v}[slot] = ${join(v, `all_${v}[slot]`, `all_${v}[slot + half * ${lanes}u]`)};`).join('\n      ')}
    }
  }
  ${variables.map((v) => `${v} = all_${v}[slot];`).join('\n  ')}`
      : ''
  }
  if (valid && local.y == 0u) {
    ${finish.map((value, r) => `result${r}[o] = ${value};`).join('\n    ')}
  }
}`;
  const width = keptVector ? 4 : 1;
  return {
    name: `reduce_${kinds.join('_')}`,
    wgsl,
    bindings: [...bound.map(() => 'read' as const), ...kinds.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil((outputs * splits) / lanes), traits),
    flops: body.space.reduce((a, b) => a * b, 1) * (body.cost + kinds.length),
    bytes: 4 * (outputs * splits * width * kinds.length + bound.reduce((s, j) => s + footprint(axes, j), 0)),
  };
}
