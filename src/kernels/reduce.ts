import type { Kernel } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import {
  aliases,
  type Body,
  coalesce,
  declareLeaves,
  declareResult,
  hoist,
  loadLeaf,
  offset,
  splitIndex,
  stepOf,
  strideOf,
  Uniforms,
  vectorizable,
} from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { footprint } from './pointwise.ts';

export type ReduceKind = 'sum' | 'mean' | 'max' | 'variance';

export interface ReduceSpec {
  /** What is reduced; one result of the body for each reduction. */
  body: Body;
  /** How each result is reduced. */
  kinds: readonly ReduceKind[];
  /** Which axes of the space are reduced. */
  reduced: readonly boolean[];
  /** Reduce this many stretches separately: the results get a leading axis of that size. Not for `mean` and `variance`. */
  splits?: number;
}

/** Terms summed before they join the total: short sums of short sums lose fewer digits than one long sum. */
const BLOCK = 32;
const MAX_ROWS = 16;

/** A running value of one reduction. */
interface Accumulator {
  name: string;
  start: string;
  /** What an element adds. */
  term: string;
  join: (a: string, b: string) => string;
}

const plus = (a: string, b: string) => `${a} + ${b}`;

/** The running values of reduction `i`, whose element is `y<i>`. */
function accumulators(kind: ReduceKind, i: number): Accumulator[] {
  if (kind === 'sum' || kind === 'mean')
    return [{ name: `s${i}`, start: 'F(0.0)', term: `y${i}`, join: plus }];
  if (kind === 'max') {
    return [{ name: `s${i}`, start: 'F(-3.4028234e38)', term: `y${i}`, join: (a, b) => `max(${a}, ${b})` }];
  }
  // Sums of x − x₀ and its square, with the first element x₀ as an estimate of the mean: one pass, no cancellation.
  const d = `(y${i} - shift${i})`;
  return [
    { name: `s${i}`, start: 'F(0.0)', term: d, join: plus },
    { name: `q${i}`, start: 'F(0.0)', term: `${d} * ${d}`, join: plus },
  ];
}

/**
 * Reduces a fused expression along some axes of its space. Bindings: the buffer leaves, then the results, dense over
 * the axes that stay. A thread reduces one result, or four neighbours; on hardware the rows of a workgroup share
 * the work and combine through workgroup memory, on software adapters (where that is slow) one thread does it all.
 */
export function reduce({ body, kinds, reduced, splits = 1 }: ReduceSpec, traits: AdapterTraits): Kernel {
  const axes = coalesce(body, reduced);
  const vector = vectorizable(body, axes);
  const last = axes.length - 1;
  const keptVector = vector && !axes[last]!.reduced;
  const numbered = axes.map((a, number) => ({
    number,
    size: vector && number === last ? a.size / 4 : a.size,
    reduced: a.reduced,
  }));
  const stay = numbered.filter((a) => !a.reduced);
  const fold = numbered.filter((a) => a.reduced);
  const inner = fold.at(-1);
  const around = fold.slice(0, -1);
  const product = (list: readonly { size: number }[]) => list.reduce((n, a) => n * a.size, 1);
  const outputs = product(stay);
  const length = inner?.size ?? 1;

  const shareable = Math.ceil(length / (around.length ? 1 : splits));
  const running = kinds.flatMap((kind, i) => accumulators(kind, i));
  const lanes = traits.kind === 'hardware' ? 32 : Math.max(traits.subgroupSize, 4);
  const memory = running.length * lanes * (vector ? 16 : 4);
  const room = Math.min(
    shareable / 4,
    MAX_ROWS,
    traits.maxWorkgroupInvocations / lanes,
    traits.maxWorkgroupStorageBytes / memory,
  );
  const rows = traits.kind === 'hardware' ? 2 ** Math.floor(Math.log2(Math.max(room, 1))) : 1;

  const uniforms = new Uniforms();
  const field = {
    outputs: uniforms.add('outputs', outputs),
    groups: uniforms.add('results', outputs * splits),
    around: uniforms.add('around', product(around)),
    aroundPart: uniforms.add('aroundPart', around.length ? Math.ceil(product(around) / splits) : 1),
    length: uniforms.add('length', length),
    lengthPart: uniforms.add('lengthPart', shareable),
    total: uniforms.add('total', product(fold) * (vector && !keptVector ? 4 : 1)),
  };
  const { bound, text, access } = declareLeaves(body, axes, vector, traits);

  const term = (j: number, number: number, coordinate: string) => ({
    coordinate,
    stride: strideOf(uniforms, j, number, stepOf(body, axes, j, number, vector)),
  });
  const at = (j: number, list: readonly { number: number }[]) =>
    list.map(({ number }) => term(j, number, `c${number}`));
  const bases = body.leaves.map((_, j) => `let base${j} = ${offset(at(j, stay))};`);
  const steps = body.leaves.map((_, j) =>
    offset([
      { coordinate: `base${j}`, stride: '1u' },
      ...at(j, around),
      ...(inner ? [term(j, inner.number, 'r')] : []),
    ]),
  );
  const { before, inside } = hoist(
    body,
    (j) => fold.some(({ number }) => axes[number]!.strides[j] !== 0),
    (j) => loadLeaf(body.leaves[j]!, j, steps[j]!, vector, axes.at(-1)?.strides[j] ?? 0),
  );
  const origin = [...around.map(({ number }) => `let c${number} = 0u;`), 'let r = 0u;'];
  const element = [...inside, ...body.results.map(({ expression }, i) => `let y${i} = ${expression};`)];
  const outputLines = splitIndex('output', stay, uniforms);
  const aroundLines = splitIndex('q', around, uniforms);

  const horizontal = ({ name, join }: Accumulator) =>
    vector && !keptVector
      ? join(`(${join(`${name}.x`, `${name}.y`)})`, `(${join(`${name}.z`, `${name}.w`)})`)
      : name;
  const finish = kinds.map((kind, i) => {
    const [s, q] = running.filter((a) => a.name.slice(1) === `${i}`).map((a) => `(${horizontal(a)})`);
    const n = `f32(${field.total})`;
    if (kind === 'mean') return `${s} / ${n}`;
    if (kind !== 'variance') return s!;
    return `max((${q} - ${s} * ${s} / ${n}) / ${n}, ${keptVector ? 'F(0.0)' : '0.0'})`;
  });
  const shifted = kinds.flatMap((kind, i) => (kind === 'variance' ? [i] : []));
  // The four parts of a vector along a reduced axis are combined in the end, so they share one shift.
  const shiftOf = (i: number) => (vector && !keptVector ? `F(y${i}.x)` : `y${i}`);

  const wgsl = `
${aliases(vector)}
${text}
${kinds.map((_, r) => declareResult(r, bound.length + r, 'f32', keptVector)).join('\n')}
${uniforms.declaration(bound.length + kinds.length)}
${rows > 1 ? running.map(({ name }) => `var<workgroup> all_${name}: array<F, ${rows * lanes}>;`).join('\n') : ''}
${body.helpers.join('\n')}
@compute @workgroup_size(${lanes}, ${rows})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let result = (${LINEAR_GROUP}) * ${lanes}u + local.x;
  let valid = result < ${field.groups};
  let output = select(0u, result${splits > 1 ? ` % ${field.outputs}` : ''}, valid);
  let part = ${splits > 1 ? `select(0u, result / ${field.outputs}, valid)` : '0u'};
  let begin = ${around.length ? '0u' : `part * ${field.lengthPart}`};
  let end = min(begin + ${field.lengthPart}, ${field.length});
  let beginAround = ${around.length ? `part * ${field.aroundPart}` : '0u'};
  let endAround = min(beginAround + ${field.aroundPart}, ${field.around});
  ${[...outputLines, ...bases].join('\n  ')}
  ${before.join('\n  ')}
  ${shifted.map((i) => `var shift${i} = F(0.0);`).join('\n  ')}
  ${shifted.length ? `{ ${[...origin, ...element, ...shifted.map((i) => `shift${i} = ${shiftOf(i)};`)].join('\n    ')} }` : ''}
  ${running.map(({ name, start }) => `var ${name} = ${start};`).join('\n  ')}
  for (var q = beginAround; q < endAround; q++) {
    ${aroundLines.join('\n    ')}
    for (var block = begin; block < end; block += ${BLOCK * rows}u) {
      ${running.map(({ name, start }) => `var part_${name} = ${start};`).join('\n      ')}
      for (var r = block + local.y; r < min(block + ${BLOCK * rows}u, end); r += ${rows}u) {
        ${element.join('\n        ')}
        ${running.map(({ name, term, join }) => `part_${name} = ${join(`part_${name}`, term)};`).join('\n        ')}
      }
      ${running.map(({ name, join }) => `${name} = ${join(name, `part_${name}`)};`).join('\n      ')}
    }
  }
  ${rows > 1 ? combineRows(running, rows, lanes) : ''}
  if (valid && local.y == 0u) {
    ${finish.map((value, r) => `result${r}[result] = ${value};`).join('\n    ')}
  }
}`;
  return {
    name: `reduce_${kinds.join('_')}`,
    wgsl,
    bindings: [...access, ...kinds.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil((outputs * splits) / lanes), traits),
    flops: body.space.reduce((a, b) => a * b, 1) * (body.cost + kinds.length),
    bytes:
      4 *
      (outputs * splits * (keptVector ? 4 : 1) * kinds.length +
        bound.reduce((s, j) => s + footprint(axes, j), 0)),
  };
}

/** Adds up the rows of a workgroup pairwise; the first row ends with the totals. */
function combineRows(running: readonly Accumulator[], rows: number, lanes: number): string {
  const each = (text: (a: Accumulator) => string) => running.map(text).join('\n      ');
  return `let slot = local.y * ${lanes}u + local.x;
  ${each(({ name }) => `all_${name}[slot] = ${name};`)}
  for (var half = ${rows / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      ${each(({ name, join }) => `all_${name}[slot] = ${join(`all_${name}[slot]`, `all_${name}[slot + half * ${lanes}u]`)};`)}
    }
  }
  ${each(({ name }) => `${name} = all_${name}[slot];`)}`;
}
