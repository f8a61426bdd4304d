import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import {
  ACROSS_WGSL,
  type Accumulator,
  accumulator,
  BLOCK,
  blocks,
  combineRows,
  MOMENTS_BLOCK,
  MOMENTS_WGSL,
  type ReduceKind,
  SCALARS,
} from './accumulate.ts';
import { type Body, bitsOf, coalesce, offset, Shader, vectorizable } from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';

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
}

const MAX_ROWS = 16;

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
