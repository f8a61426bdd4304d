import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import {
  ACROSS_WGSL,
  type Accumulator,
  ALONE,
  accumulator,
  BLOCK,
  blocks,
  combineRows,
  MOMENTS_BLOCK,
  MOMENTS_WGSL,
  type ReduceKind,
} from './accumulate.ts';
import {
  type Body,
  bitsOf,
  coalesce,
  denseStrides,
  type Leaf,
  neededFor,
  offset,
  SCALARS,
  type Scalar,
  Shader,
  stored,
  vectorizable,
} from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { type MatmulSpec, productName } from './matmul-problem.ts';
import { tiledName, tiledThreads } from './matmul-tiled.ts';
import { stripesOf, stripesSource } from './stripes.ts';

export type { ReduceKind } from './accumulate.ts';

export interface ReduceSpec {
  /** What is reduced; for each reduction one result of the body, or four. */
  body: Body;
  /** How each result is reduced. */
  kinds: readonly ReduceKind[];
  /** Which axes of the space are reduced. */
  reduced: readonly boolean[];
  /** Reduce this many stretches separately: the results get a leading axis of that size. Not for `mean` and `variance`. */
  splits?: number;
  stages?: Stages;
}

/**
 * What one kernel goes on to compute of its reductions, whose results are leaves of the body ({@link totalLeaf}): further reductions,
 * and elements, which are the body's results behind the reduced ones. A workgroup goes through its part of the space again for each stage.
 */
export interface Stages {
  /** The stage of each reduction, from 0 on: those of later stages may need the earlier ones. */
  readonly order: readonly number[];
  /** Whether a reduction is stored, too. */
  readonly stored: readonly boolean[];
  /** Whether a result is stored for each element of the space; if not, once for all that are reduced together. */
  readonly each: readonly boolean[];
  /** The product that a leaf stands for ({@link STRIPE_VALUE}), whose rows are reduced; its operands are bound before the leaves. */
  readonly product?: MatmulSpec;
}

/** Bytes of workgroup memory for each thread that takes part in reductions. */
export const bytesToReduce = (kinds: readonly ReduceKind[]): number =>
  kinds.reduce((bytes, kind) => bytes + (kind === 'variance' ? 16 : 4), 0);

/** The leaf that stands for the total of reduction `i`. */
export const totalLeaf = (i: number, dtype: Scalar, axes: number): Leaf => ({
  ...{ dtype, source: 'value', name: `total${i}` },
  strides: new Array<number>(axes).fill(0),
});

const MAX_ROWS = 16;
/** Threads that share the elements of a few results, where these are needed again, and workgroups that there should be. */
const STAGED = { threads: 256, groups: 16 };

/**
 * Reduces a fused expression along some axes of its space. Bindings: the buffer leaves, then the results, dense over
 * the axes that stay. A thread reduces one result, or four neighbours; on hardware the rows of a workgroup share
 * the work and combine through workgroup memory, on software adapters (where that is slow) one thread does it all.
 */
export function reduce(spec: ReduceSpec, traits: AdapterTraits): Kernel {
  const { kinds, reduced, splits = 1, stages } = spec;
  // Where each element lies is one more leaf, so that axes are merged only where results allow it.
  const dense = stages
    ? [{ dtype: 'f32', source: 'place', strides: denseStrides(spec.body.space) } as const]
    : [];
  const body = { ...spec.body, leaves: [...spec.body.leaves, ...dense] };
  const axes = coalesce(body, reduced);
  const hardware = traits.kind === 'hardware';
  const vector = vectorizable(body, axes) && !(stages && hardware);
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
    return accumulator(kind, body.results[taken - 1]!.dtype, i, own);
  });
  const stripe = stages?.product && stripesOf(stages.product, bytesToReduce(kinds), traits)!;
  const power = (x: number) => 2 ** Math.floor(Math.log2(Math.max(x, 1)));
  const lanes = stripe
    ? stripe.cols
    : hardware
      ? stages
        ? Math.min(Math.max(power(outputs / STAGED.groups), 4), 32)
        : 32
      : Math.max(traits.subgroupSize, 4);
  const bytes =
    running.reduce((n, { type }) => n + (type === 'Moments' ? 4 : 1), 0) * lanes * (vector ? 16 : 4);
  const { maxWorkgroupInvocations: most, maxWorkgroupStorageBytes: storage } = traits;
  const mostRows = stages ? STAGED.threads / lanes : MAX_ROWS;
  const room = Math.min(shareable / 4, mostRows, most / lanes, storage / bytes);
  const rows = stripe ? tiledThreads(stripe) / stripe.cols : hardware ? power(room) : 1;

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
  const { m = 0, n = 0, k = 0 } = stages?.product ?? {};
  if (stripe) for (const [name, size] of Object.entries({ m, n, k })) uniforms.add(name, size);
  const operands = stripe ? 2 : 0;
  const { text, access } = shader.declareLeaves(traits, bound, operands);

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
  const load = (j: number) => shader.load(j, steps[j]!);
  const outputLines = shader.split('output', stay);
  const aroundLines = shader.split('q', around);

  /** The loops of some reductions: what comes before them, and themselves, whose results are the `running` ones' `{name}_0`. */
  const passOver = (which: readonly number[]) => {
    const own = which.map((i) => running[i]!);
    const moments = own.some(({ type }) => type === 'Moments');
    const { before, inside } = shader.hoist(varies, load, stages && neededFor(body, which));
    const values = stages ? which : body.results.map((_, i) => i);
    const element = [...inside, ...values.map((i) => `let y${i} = ${body.results[i]!.expression};`)];
    const loops = [
      ...(around.length ? blocks('q', 'beginAround', 'endAround', 1, aroundPart, BLOCK, 1) : []),
      ...blocks('r', 'begin', 'end', rows, shareable / rows, moments ? MOMENTS_BLOCK : BLOCK, 2),
    ];
    const shifted = which.filter((i) => running[i]!.variables.length > 1);

    /** The loops from one on; its values are called by its number. */
    const nest = (i: number): string[] => {
      const { variable, from, to, step } = loops[i]!;
      const first = `${from}${rows > 1 && variable === 'r' ? ' + local.y' : ''}`;
      const loop = `for (var ${variable} = ${first}; ${variable} < ${to}; ${variable} += ${step}u) {`;
      const value = ({ name }: Accumulator, level: number) => `${name}_${level}`;
      if (i < loops.length - 1) {
        return [
          ...own.map((a) => `var ${value(a, i)} = ${a.start};`),
          loop,
          ...(variable === 'q' ? aroundLines : []),
          ...nest(i + 1),
          ...own.map((a) => `${value(a, i)} = ${a.join(value(a, i), value(a, i + 1))};`),
          '}',
        ];
      }
      const variables = own.flatMap((a) => a.variables);
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
        ...own.map((a) => `let ${value(a, i)} = ${a.block};`),
      ];
    };
    return [...before, ...nest(0), ...(rows > 1 ? [combineRows(own, rows, lanes)] : [])];
  };

  const across = vector && !keptVector;
  const finish = running.map(({ name, join, type }, i): string[] => {
    const total = `${name}_0`;
    if (type === 'Moments') {
      const parts = ['shift', 'mean', 'squares', 'count'].map((part) =>
        across ? `across(${total}).${part}` : `F(${total}.${part})`,
      );
      return kinds[i] === 'moments' ? parts : [`${parts[2]} / ${parts[3]}`];
    }
    const pair = (a: string, b: string) => `(${join(`${total}.${a}`, `${total}.${b}`, ALONE)})`;
    const value = across ? join(pair('x', 'y'), pair('z', 'w'), ALONE) : total;
    return [kinds[i] === 'mean' ? `(${value}) / f32(${field.total})` : value];
  });

  const one = (value: string) => (across ? `(${value}).x` : value);
  const further = stages ? body.results.slice(kinds.length) : [];
  const made = running.flatMap(({ dtype }, i) => {
    const values = stages ? (stages.stored[i] ? [one(`total${i}`)] : []) : finish[i]!;
    return values.map((value) => ({ value, dtype }));
  });
  const declared = [
    ...made.map(({ dtype }) => ({ dtype, wide: keptVector })),
    ...further.map(({ dtype }, i) => ({ dtype, wide: stages!.each[i] ? vector : keptVector })),
  ];

  /** Stage by stage the totals, and then the elements. */
  const staged = ({ order, each }: Stages): string[] => {
    const typeOf = (i: number) => SCALARS[running[i]!.dtype].value;
    const numbers = [...new Set(order)].sort((a, b) => a - b);
    const stage = (number: number) => {
      const own = order.flatMap((of, i) => (of === number ? [i] : []));
      const rest =
        rows > 1
          ? [
              'workgroupBarrier();',
              ...own.map((i) => `${running[i]!.name}_0 = all_${running[i]!.name}[local.x];`),
            ]
          : [];
      return [
        ...own.map((i) => `var total${i}: ${typeOf(i)};`),
        '{',
        ...passOver(own),
        ...rest,
        ...own.map((i) => `total${i} = ${typeOf(i)}(${finish[i]});`),
        '}',
      ];
    };
    const place = (r: number) => made.length + r;
    const store = (every: boolean) =>
      further.flatMap(({ expression, dtype }, r) => {
        if (each[r] !== every) return [];
        const value = stored(expression, dtype);
        return [
          every
            ? `result${place(r)}[${steps.at(-1)}] = ${value};`
            : `result${place(r)}[result] = ${one(value)};`,
        ];
      });
    const lines = (every: boolean) =>
      shader.hoist(
        varies,
        load,
        neededFor(
          body,
          further.flatMap((_, r) => (each[r] === every ? [kinds.length + r] : [])),
        ),
      );
    const [elements, once] = [lines(true), lines(false)];
    const start = rows > 1 ? 'local.y' : '0u';
    const loop = [
      ...elements.before,
      ...(around.length ? [`for (var q = 0u; q < ${field.around}; q++) {`, ...aroundLines] : []),
      `for (var r = ${start}; r < ${field.length}; r += ${rows}u) {`,
      ...elements.inside,
      ...store(true),
      '}',
      ...(around.length ? ['}'] : []),
    ];
    return [
      ...numbers.flatMap(stage),
      'if (valid) {',
      ...(each.includes(true) ? loop : []),
      '}',
      'if (valid && local.y == 0u) {',
      ...(each.includes(false) ? [...once.before, ...once.inside, ...store(false)] : []),
    ];
  };
  const moments = running.some(({ type }) => type === 'Moments');
  const all = kinds.map((_, i) => i);
  const lines = stages ? staged(stages) : [...passOver(all), 'if (valid && local.y == 0u) {'];

  const memory = `
${shader.aliases}
${text}
${shader.declareResults(operands + bound.length, declared)}
${uniforms.declaration(operands + bound.length + declared.length)}
${moments ? MOMENTS_WGSL : ''}${moments && across ? ACROSS_WGSL : ''}
${rows > 1 ? running.map(({ name, type }) => `var<workgroup> all_${name}: array<${type}, ${rows * lanes}>;`).join('\n') : ''}
${body.helpers.join('\n')}`;
  const work = `let result = (${LINEAR_GROUP}) * ${lanes}u + local.x;
  let valid = result < ${field.groups};
  let output = select(0u, result${splits > 1 ? ` % ${field.outputs}` : ''}, valid);
  let part = ${splits > 1 ? `select(0u, result / ${field.outputs}, valid)` : '0u'};
  let begin = ${around.length ? '0u' : `part * ${field.lengthPart}`};
  let end = min(begin + ${field.lengthPart}, ${field.length});
  let beginAround = ${around.length ? `part * ${field.aroundPart}` : '0u'};
  let endAround = min(beginAround + ${field.aroundPart}, ${field.around});
  ${[...outputLines, ...bases, ...lines].join('\n  ')}
    ${made.map(({ value }, r) => `result${r}[result] = ${value};`).join('\n    ')}
  }`;
  const wgsl = stripe
    ? stripesSource(stages!.product!, stripe, memory, work, traits)
    : `${memory}
@compute @workgroup_size(${lanes}, ${rows})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  ${work}
}`;
  const stayed = outputs * splits * (keptVector ? 4 : 1);
  const elements = body.space.reduce((a, b) => a * b, 1);
  const whole = stages?.each.filter((every) => every).length ?? 0;
  return {
    name: `${stripe ? `${productName(stages!.product!)}+` : ''}reduce_${kinds.join('_')}${stages ? '+pointwise' : ''}`,
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
