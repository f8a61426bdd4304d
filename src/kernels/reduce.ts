import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type Body, bitsOf, coalesce, offset, Shader, vectorizable } from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { extreme } from './special.ts';

/**
 * `moments` gives of each stretch what {@link MOMENTS_WGSL} keeps, in four results; `merged` is the variance of what such
 * stretches, four results of the body, are together.
 */
export type ReduceKind = 'sum' | 'mean' | 'max' | 'prod' | 'variance' | 'moments' | 'merged';

export interface ReduceSpec {
  /** What is reduced; for each reduction one result of the body, or four. */
  body: Body;
  /** How each result is reduced. */
  kinds: readonly ReduceKind[];
  /** Which axes of the space are reduced. */
  reduced: readonly boolean[];
  /** Reduce this many stretches separately: the results get a leading axis of that size. Not for `mean` and `variance`. */
  splits?: number;
}

/**
 * Terms summed before they join a sum of such sums, which joins another after as many, and so on: the error grows with the
 * logarithm of their number.
 */
const BLOCK = 32;
/** Elements of a block whose moments are taken: the fewer, the less an outlier that the others are compared with costs. */
const MOMENTS_BLOCK = 16;
const MAX_ROWS = 16;
/** Types of floats and of their bits, by themselves. */
const SCALARS = ['f32', 'u32'] as const;

/**
 * Numbers of elements, means and sums of squared deviations from the means, of several stretches, and their union (Chan,
 * Golub & LeVeque, 1979). A mean is kept as one of the elements and the difference to it, which is no larger than the
 * spread of them all: so nothing cancels, whatever the order of the elements and however far they are from zero.
 */
const MOMENTS_WGSL = `
struct Moments { shift: F, mean: F, squares: F, count: f32 }
fn united(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  let share = b.count / max(count, 1.0);
  let shift = select(a.shift, b.shift, a.count == 0.0);
  let d = (b.shift - shift) + (b.mean - a.mean);
  return Moments(shift, a.mean + d * share, a.squares + b.squares + d * d * (a.count * share), count);
}`;

/** The union of the four stretches, of one length, that the parts of vectors make. */
const ACROSS_WGSL = `
struct Total { shift: f32, mean: f32, squares: f32, count: f32 }
fn across(m: Moments) -> Total {
  let means = (m.shift - m.shift.x) + m.mean;
  let mean = dot(means, F(0.25));
  let d = means - mean;
  return Total(m.shift.x, mean, dot(m.squares, F(1.0)) + m.count * dot(d, d), 4.0 * m.count);
}`;

/** How one reduction goes on: a running value of each level of blocks, and variables of the innermost. */
interface Accumulator {
  name: string;
  type: 'F' | 'Moments';
  start: string;
  join: (a: string, b: string, types?: readonly [string, string]) => string;
  /** In a block of elements: variables, each with its start and how an element changes it, and the block's value. */
  variables: readonly (readonly [name: string, start: string, next: string])[];
  block: string;
}

/** Reduction `i`, whose element is `y`, or four of them. */
function accumulator(kind: ReduceKind, i: number, [y, ...more]: readonly string[]): Accumulator {
  const name = `s${i}`;
  const plain = (start: string, join: Accumulator['join']): Accumulator => {
    const block = `b${i}`;
    return { name, type: 'F', start, join, variables: [[block, start, join(block, y!)]], block };
  };
  if (kind === 'sum' || kind === 'mean') return plain('F(0.0)', (a, b) => `${a} + ${b}`);
  if (kind === 'prod') return plain('F(1.0)', (a, b) => `${a} * ${b}`);
  if (kind === 'max') {
    return plain('F(bitcast<f32>(params.lowest))', (a, b, types) => extreme('max', a, b, types));
  }
  const moments = {
    name,
    type: 'Moments',
    start: 'Moments()',
    join: (a: string, b: string) => `united(${a}, ${b})`,
  } as const;
  if (kind === 'merged') {
    const next = `united(b${i}, Moments(${[y, ...more].join(', ')}))`;
    return { ...moments, variables: [[`b${i}`, 'Moments()', next]], block: `b${i}` };
  }
  // Sums of x − x₀ and its square, x₀ being the block's first element: Σ(x − x₀)² is at most so many times as large as the
  // sum of squared deviations as there are elements in the block.
  const d = `(${y} - shift${i})`;
  return {
    ...moments,
    variables: [
      [`sum${i}`, 'F(0.0)', `sum${i} + ${d}`],
      [`squares${i}`, 'F(0.0)', `squares${i} + ${d} * ${d}`],
    ],
    block: `Moments(shift${i}, sum${i} * share, squares${i} - sum${i} * (sum${i} * share), count)`,
  };
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
  let taken = 0;
  const running = kinds.map((kind, i) => {
    const own = Array.from({ length: kind === 'merged' ? 4 : 1 }, () => `y${taken++}`);
    return accumulator(kind, i, own);
  });
  const moments = running.some(({ type }) => type === 'Moments');
  const lanes = traits.kind === 'hardware' ? 32 : Math.max(traits.subgroupSize, 4);
  const memory = running.reduce((n, { type }) => n + (type === 'F' ? 1 : 4), 0) * lanes * (vector ? 16 : 4);
  const { maxWorkgroupInvocations: most, maxWorkgroupStorageBytes: storage } = traits;
  const room = Math.min(shareable / 4, MAX_ROWS, most / lanes, storage / memory);
  const rows = traits.kind === 'hardware' ? 2 ** Math.floor(Math.log2(Math.max(room, 1))) : 1;

  const aroundPart = around.length ? Math.ceil(product(around) / splits) : 1;

  const shader = new Shader(body, axes, vector);
  const { uniforms, bound } = shader;
  const field = {
    outputs: uniforms.add('outputs', outputs),
    groups: uniforms.add('results', outputs * splits),
    around: uniforms.add('around', product(around)),
    aroundPart: uniforms.add('aroundPart', aroundPart),
    length: uniforms.add('length', length),
    lengthPart: uniforms.add('lengthPart', shareable),
    total: uniforms.add('total', product(fold) * (vector && !keptVector ? 4 : 1)),
  };
  if (kinds.includes('max')) uniforms.add('lowest', bitsOf(-Infinity));
  const { text, access } = shader.declareLeaves(traits);

  const at = (j: number, list: readonly { number: number }[]) =>
    list.map(({ number }) => shader.term(j, number, `c${number}`));
  const bases = body.leaves.map((_, j) => `let base${j} = ${offset([...shader.origin(j), ...at(j, stay)])};`);
  const steps = body.leaves.map((_, j) =>
    offset([
      { coordinate: `base${j}`, stride: '1u' },
      ...at(j, around),
      ...(inner ? [shader.term(j, inner.number, 'r')] : []),
    ]),
  );
  const varies = (j: number) => fold.some(({ number }) => axes[number]!.strides[j] !== 0);
  const { before, inside } = shader.hoist(varies, (j) => shader.load(j, steps[j]!));
  const element = [...inside, ...body.results.map(({ expression }, i) => `let y${i} = ${expression};`)];
  const outputLines = shader.split('output', stay);

  const aroundLines = shader.split('q', around);
  const loops = [
    ...(around.length ? blocks('q', 'beginAround', 'endAround', 1, aroundPart, BLOCK, 1) : []),
    ...blocks('r', 'begin', 'end', rows, shareable / rows, moments ? MOMENTS_BLOCK : BLOCK, 2),
  ];
  const shifted = running.flatMap(({ variables }, i) => (variables.length > 1 ? [i] : []));

  /** The loops from one on; its values are called by its number. */
  const nest = (i: number): string[] => {
    const { variable, from, to, step } = loops[i]!;
    const first = `${from}${rows > 1 && variable === 'r' ? ' + local.y' : ''}`;
    const loop = `for (var ${variable} = ${first}; ${variable} < ${to}; ${variable} += ${step}u) {`;
    const value = ({ name }: Accumulator, level: number) => `${name}_${level}`;
    if (i < loops.length - 1) {
      return [
        ...running.map((a) => `var ${value(a, i)} = ${a.start};`),
        loop,
        ...(variable === 'q' ? aroundLines : []),
        ...nest(i + 1),
        ...running.map((a) => `${value(a, i)} = ${a.join(value(a, i), value(a, i + 1))};`),
        '}',
      ];
    }
    const variables = running.flatMap((a) => a.variables);
    const counted = [
      `let first = ${first};`,
      `let count = f32((max(${to}, first) - first + ${rows - 1}u) / ${rows}u);`,
      'let share = 1.0 / max(count, 1.0);',
      ...shifted.map((j) => `var shift${j} = F(0.0);`),
      `{ let r = min(first, end - 1u); ${[...element, ...shifted.map((j) => `shift${j} = y${j};`)].join(' ')} }`,
    ];
    return [
      ...(shifted.length ? counted : []),
      ...variables.map(([name, start]) => `var ${name} = ${start};`),
      loop,
      ...element,
      ...variables.map(([name, , next]) => `${name} = ${next};`),
      '}',
      ...running.map((a) => `let ${value(a, i)} = ${a.block};`),
    ];
  };

  const across = vector && !keptVector;
  const finish = running.flatMap(({ name, join, type }, i): string[] => {
    const total = `${name}_0`;
    if (type === 'Moments') {
      const parts = ['shift', 'mean', 'squares', 'count'].map((part) =>
        across ? `across(${total}).${part}` : `F(${total}.${part})`,
      );
      return kinds[i] === 'moments' ? parts : [`${parts[2]} / ${parts[3]}`];
    }
    const pair = (a: string, b: string) => `(${join(`${total}.${a}`, `${total}.${b}`, SCALARS)})`;
    const value = across ? join(pair('x', 'y'), pair('z', 'w'), SCALARS) : total;
    return [kinds[i] === 'mean' ? `(${value}) / f32(${field.total})` : value];
  });

  const wgsl = `
${shader.aliases}
${text}
${shader.declareResults(bound.length, keptVector, new Array(finish.length).fill('f32'))}
${uniforms.declaration(bound.length + finish.length)}
${moments ? MOMENTS_WGSL : ''}${moments && across ? ACROSS_WGSL : ''}
${rows > 1 ? running.map(({ name, type }) => `var<workgroup> all_${name}: array<${type}, ${rows * lanes}>;`).join('\n') : ''}
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
  ${[...outputLines, ...bases, ...before, ...nest(0)].join('\n  ')}
  ${rows > 1 ? combineRows(running, rows, lanes) : ''}
  if (valid && local.y == 0u) {
    ${finish.map((value, r) => `result${r}[result] = ${value};`).join('\n    ')}
  }
}`;
  return {
    name: `reduce_${kinds.join('_')}`,
    wgsl,
    bindings: [...access, ...finish.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil((outputs * splits) / lanes), traits),
    flops: body.space.reduce((a, b) => a * b, 1) * (body.cost + kinds.length),
    bytes: 4 * (outputs * splits * (keptVector ? 4 : 1) * finish.length + shader.elementsRead),
  };
}

/** Loops, outermost first, over `count` elements in steps of `unit`, in blocks of `first`, in blocks of those, and so on. */
function blocks(
  variable: string,
  from: string,
  to: string,
  unit: number,
  count: number,
  first: number,
  least: number,
): { variable: string; from: string; to: string; step: number }[] {
  const loops: ReturnType<typeof blocks> = [];
  let depth = least;
  while (first * BLOCK ** (depth - 1) < count) depth++;
  for (let level = depth - 1; level >= 0; level--) {
    const outer = loops.at(-1);
    loops.push({
      variable: level ? `${variable}${level}` : variable,
      from: outer?.variable ?? from,
      to: outer ? `min(${outer.variable} + ${outer.step}u, ${to})` : to,
      step: level ? unit * first * BLOCK ** (level - 1) : unit,
    });
  }
  return loops;
}

/** Adds up the rows of a workgroup pairwise; the first row ends with the totals. */
function combineRows(running: readonly Accumulator[], rows: number, lanes: number): string {
  const each = (text: (a: Accumulator) => string) => running.map(text).join('\n      ');
  return `let slot = local.y * ${lanes}u + local.x;
  ${each(({ name }) => `all_${name}[slot] = ${name}_0;`)}
  for (var half = ${rows / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      ${each(({ name, join }) => `all_${name}[slot] = ${join(`all_${name}[slot]`, `all_${name}[slot + half * ${lanes}u]`)};`)}
    }
  }
  ${each(({ name }) => `${name}_0 = all_${name}[slot];`)}`;
}
