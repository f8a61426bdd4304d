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
  stored,
  strideOf,
  Uniforms,
  vectorizable,
} from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';

const GROUP = 64;

/**
 * A fused chain of elementwise operations: a thread makes one element of each result, or four neighbours.
 * Bindings: the buffer leaves in order, but for those that a result replaces, then the results, dense over the space.
 * `inPlace[r]` is the number of the leaf whose buffer result `r` overwrites; that leaf must run through the
 * space as the result does.
 */
export function pointwise(
  body: Body,
  traits: AdapterTraits,
  inPlace: readonly (number | undefined)[] = [],
): Kernel {
  const axes = coalesce(
    body,
    body.space.map(() => false),
  );
  const vector = vectorizable(body, axes);
  const width = vector ? 4 : 1;
  const size = body.space.reduce((a, b) => a * b, 1);
  const uniforms = new Uniforms();
  const count = uniforms.add('count', size / width);

  const { bound, text } = declareLeaves(body, axes, vector);
  const replaced = new Map(inPlace.flatMap((leaf, r) => (leaf === undefined ? [] : [[leaf, r] as const])));
  const kept = bound.filter((j) => !replaced.has(j));
  const declarations = text
    .split('\n')
    .filter((_, i) => text && !replaced.has(bound[i]!))
    .map((line, i) => line.replace(/@binding\(\d+\)/, `@binding(${i})`));

  // Dense leaves need no coordinates: they are read where the result is written.
  const dense = denseStrides(axes.map((a) => a.size));
  const isDense = (j: number) => axes.every((a, i) => a.strides[j] === dense[i]);
  const loads: string[] = [];
  let split = false;
  body.leaves.forEach((leaf, j) => {
    const last = axes.at(-1)?.strides[j] ?? 0;
    let at: string;
    if (leaf.source === 'buffer' && isDense(j)) at = 'i';
    else {
      // A vector's first element is 4·c along the last axis; a leaf read as vectors counts in fours throughout.
      const wide = vector && leaf.source === 'buffer' && last === 1;
      at = offset(
        axes.map((a, k) => {
          const unit = vector && k === axes.length - 1 ? (wide ? 1 : 4) : 1;
          const stride = (a.strides[j]! * unit) / (wide && k < axes.length - 1 ? 4 : 1);
          return { coordinate: `c${k}`, stride: strideOf(uniforms, j, k, stride) };
        }),
      );
      split ||= at !== '0u';
    }
    const load = loadLeaf(leaf, j, at, vector, last);
    const r = replaced.get(j);
    loads.push(`let x${j} = ${r === undefined ? load : load.replace(`leaf${j}[`, `result${r}[`)};`);
  });
  const coordinates = split
    ? splitIndex(
        'i',
        'c',
        axes.map((a, axis) => ({ axis, size: vector && axis === axes.length - 1 ? a.size / 4 : a.size })),
        uniforms,
      )
    : [];

  const wgsl = `
${aliases(vector)}
${declarations.join('\n')}
${body.results.map(({ dtype }, r) => declareResult(r, kept.length + r, dtype, vector)).join('\n')}
${uniforms.declaration(kept.length + body.results.length)}
${body.helpers.join('\n')}
@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (${LINEAR_GROUP}) * ${GROUP}u + lane;
  if (i >= ${count}) { return; }
  ${[...coordinates, ...loads, ...body.lines].join('\n  ')}
  ${body.results.map(({ expression, dtype }, r) => `result${r}[i] = ${stored(expression, dtype)};`).join('\n  ')}
}`;
  return {
    name: 'pointwise',
    wgsl,
    bindings: [...kept.map(() => 'read' as const), ...body.results.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil(size / width / GROUP), traits),
    flops: size * body.cost,
    bytes: 4 * (size * body.results.length + bound.reduce((sum, j) => sum + footprint(axes, j), 0)),
  };
}

function denseStrides(sizes: readonly number[]): number[] {
  const strides: number[] = [];
  sizes.reduceRight((step, size, i) => {
    strides[i] = step;
    return step * size;
  }, 1);
  return strides;
}

/** Number of different elements of leaf `j` that the space touches. */
export function footprint(axes: readonly { size: number; strides: number[] }[], j: number): number {
  return axes.reduce((n, a) => (a.strides[j] === 0 ? n : n * a.size), 1);
}
