import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type Axis, type Body, coalesce, offset, Shader, stored, vectorizable } from './fused.ts';
import { foldGrid, LINEAR_GROUP, lanesOf } from './grid.ts';

/** Workgroups that keep a software adapter's cores busy; more only cost their start. */
const SOFTWARE_GROUPS = 16;

/**
 * A fused chain of elementwise operations. A workgroup's lanes run along the last axis, each on one element
 * or four neighbors, and loop over rows of the axis before it; what is the same in all rows is computed
 * once. Bindings: the buffer leaves in order, except those that a result replaces, then the results, dense
 * over the space. Result `r` overwrites leaf `inPlace[r]`, which must traverse the space as it does.
 */
export function pointwise(
  body: Body,
  traits: AdapterTraits,
  inPlace: readonly (number | undefined)[] = [],
): Kernel {
  const size = body.space.reduce((a, b) => a * b, 1);
  const axes = withRows(coalesce(body), body.leaves.length);
  const inFours = body.results.every(({ elements = size }) => elements === 1 || elements % 4 === 0);
  const vector = vectorizable(body, axes) && size % 4 === 0 && inFours;
  const [rowAxis, lastAxis] = [axes.length - 2, axes.length - 1];
  const columns = axes[lastAxis]!.size / (vector ? 4 : 1);
  const rows = axes[rowAxis]!.size;
  const outer = axes.slice(0, rowAxis).map((a, number) => ({ number, size: a.size }));
  const outerSize = outer.reduce((n, a) => n * a.size, 1);

  const software = traits.kind === 'software';
  const lanes = Math.min(lanesOf(traits), Math.max(4, 2 ** Math.ceil(Math.log2(columns))));
  const across = Math.ceil(columns / lanes);
  const perThread = software
    ? Math.min(rows, Math.max(1, Math.floor((rows * outerSize * across) / SOFTWARE_GROUPS)))
    : 1;
  const tiles = Math.ceil(rows / perThread);
  // A grid with a side for each of these finds a group's place without a division.
  const sides = [across, tiles, outerSize] as const;
  const direct = sides.every((side) => side <= traits.maxWorkgroupsPerDimension);

  const shader = new Shader(body, axes, vector);
  const { uniforms, bound } = shader;
  const fields = {
    columns: uniforms.add('columns', columns),
    rows: uniforms.add('rows', rows),
    perThread: uniforms.add('perThread', perThread),
  };
  const place = direct ? ['let place = wg;'] : foldedPlace(sides, shader);

  const replaced = new Map(inPlace.flatMap((leaf, r) => (leaf === undefined ? [] : [[leaf, r] as const])));
  const kept = bound.filter((j) => !replaced.has(j));
  const { text, access } = shader.declareLeaves(traits, kept);
  const bases: string[] = [];
  const rowSteps: string[] = [];
  body.leaves.forEach((_, j) => {
    const fixed = [
      ...shader.origin(j),
      ...outer.map(({ number }) => shader.term(j, number, `c${number}`)),
      shader.term(j, lastAxis, 'column'),
    ];
    bases.push(`let base${j} = ${offset(fixed)};`);
    rowSteps.push(offset([{ coordinate: `base${j}`, stride: '1u' }, shader.term(j, rowAxis, 'row')]));
  });
  const load = (j: number) => {
    const r = replaced.get(j);
    return shader.load(j, rowSteps[j]!, r === undefined ? undefined : `result${r}`);
  };
  const stores = body.results.map(({ expression, dtype, elements = size }, r) => {
    const value = stored(expression, dtype);
    if (elements === size) return `result${r}[o] = ${value};`;
    const end = elements === 1 ? '1u' : uniforms.add(`end${r}`, elements / (vector ? 4 : 1));
    return `if (o < ${end}) { result${r}[o] = (${value})${vector && elements === 1 ? '.x' : ''}; }`;
  });
  const { before, inside } = shader.hoist((j) => axes[rowAxis]!.strides[j] !== 0 || replaced.has(j), load);
  const outerLines = shader.split('outer', outer);
  // If the last row is not full, columns past its end have one row less.
  const full = axes.reduce((n, a) => n * a.size, 1) === size;
  const rowsHere = full
    ? fields.rows
    : `(${uniforms.add('size', vector ? size / 4 : size)} - column + ${columns - 1}u) / ${columns}u`;

  const wgsl = `
${shader.aliases}
${text}
${shader.declareResults(
  kept.length,
  body.results.map(({ dtype, elements }) => ({ dtype, wide: vector && elements !== 1 })),
)}
${uniforms.declaration(kept.length + body.results.length)}
${body.helpers.join('\n')}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${place.join('\n  ')}
  let column = place.x * ${lanes}u + lane;
  if (column >= ${fields.columns}) { return; }
  let outer = place.z;
  ${[...outerLines, ...bases, ...before].join('\n  ')}
  let first = place.y * ${fields.perThread};
  let end = min(first + ${fields.perThread}, ${rowsHere});
  for (var row = first; row < end; row++) {
    ${inside.join('\n    ')}
    let o = (outer * ${fields.rows} + row) * ${fields.columns} + column;
    ${stores.join('\n    ')}
  }
}`;
  return {
    name: 'pointwise',
    wgsl,
    bindings: [...access, ...body.results.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: direct ? sides : foldGrid(outerSize * tiles * across, traits),
    flops: size * body.cost,
    bytes: 4 * (size * body.results.length + shader.elementsRead),
  };
}

/** A group's place along three sides if the grid had to be folded. */
function foldedPlace(
  [across, tiles, outer]: readonly [number, number, number],
  { uniforms }: Shader,
): string[] {
  const [x, y] = [uniforms.add('across', across), uniforms.add('tiles', tiles)];
  return [
    `let group = ${LINEAR_GROUP};`,
    `if (group >= ${uniforms.add('groups', across * tiles * outer)}) { return; }`,
    `let place = vec3u(group % ${x}, (group / ${x}) % ${y}, group / (${x} * ${y}));`,
  ];
}

/** Length of the rows that a long one is cut into if it has no better divisor. */
const ROW = 256;

/** At least two axes: a single long row is cut into equal rows if possible, else with a shorter last one. */
function withRows(axes: readonly Axis[], leaves: number): Axis[] {
  const unit = { size: 1, reduced: false, strides: new Array<number>(leaves).fill(0) };
  if (!axes.length) return [unit, unit];
  const [only] = axes as [Axis];
  if (axes.length > 1) return [...axes];
  if (only.size <= ROW) return [unit, only];
  const width = [ROW, 128, 64, 32, 16].find((w) => only.size % w === 0) ?? ROW;
  return [
    { ...only, size: Math.ceil(only.size / width), strides: only.strides.map((s) => s * width) },
    { ...only, size: width },
  ];
}
