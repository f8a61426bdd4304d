import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { bitsOf, Uniforms } from './fused.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';

export interface GatherSpec {
  /** The same rows are taken from each. */
  tables: readonly Table[];
  /** Number of tables, one after the other in each buffer: the rows are taken from each. */
  outer?: number;
  /** Number of rows to take. */
  count: number;
}

interface Table {
  /** What the table holds: f32, or bytes packed four to a word, lowest first. */
  source: 'u8' | 'f32';
  rows: number;
  /** Elements per row. */
  width: number;
  /** Applied to each element: value · scale + shift. */
  scale: number;
  shift: number;
}

const GROUP = 64;
const NAN_BITS = 0x7fc00000;
const perThread = ({ width }: Table) => (width % 4 === 0 ? 4 : 1);

/**
 * Rows of tables by index; a workgroup's lanes run along a row. Bindings: tables, index u32[count], results
 * f32[count, width]. A row beyond a table is NaN.
 */
export function gather({ tables, count, outer = 1 }: GatherSpec, traits: AdapterTraits): Kernel {
  const longest = Math.max(...tables.map((table) => table.width / perThread(table)));
  const lanes = Math.min(GROUP, 2 ** Math.ceil(Math.log2(longest)));
  const uniforms = new Uniforms();
  const all = uniforms.add('count', outer * count);
  const [place, before] =
    outer === 1
      ? ['number', () => '']
      : [
          `number % ${uniforms.add('each', count)}`,
          (rows: string) => ` + number / ${uniforms.add('each', count)} * ${rows}`,
        ];
  const copies = tables.map((table, t) => {
    const { source, rows, width, scale, shift } = table;
    const quads = perThread(table) === 4;
    const own = { rows, width: width / perThread(table), scale: bitsOf(scale), shift: bitsOf(shift) };
    const field = (name: keyof typeof own) => uniforms.add(`${name}${t}`, own[name]);
    const load = {
      f32: `table${t}[row + column]`,
      u8: quads
        ? `vec4f(unpack4xU8(table${t}[row + column]))`
        : `f32((table${t}[(row + column) / 4u] >> (8u * ((row + column) % 4u))) & 255u)`,
    }[source];
    const [stored, result] = [source === 'f32' ? (quads ? 'vec4f' : 'f32') : 'u32', quads ? 'vec4f' : 'f32'];
    return {
      declarations: `
@group(0) @binding(${t}) var<storage, read> table${t}: array<${stored}>;
@group(0) @binding(${tables.length + 1 + t}) var<storage, read_write> result${t}: array<${result}>;`,
      lines: `{
    let inside = chosen < ${field('rows')};
    let row = (select(0u, chosen, inside)${before(field('rows'))}) * ${field('width')};
    let scale = bitcast<f32>(${field('scale')});
    let shift = bitcast<f32>(select(${NAN_BITS}u, ${field('shift')}, inside));
    for (var column = local.x; column < ${field('width')}; column += ${lanes}u) {
      result${t}[number * ${field('width')} + column] = ${load} * scale + shift;
    }
  }`,
    };
  });
  const bytes = tables.reduce((sum, { width, source }) => sum + width * (source === 'u8' ? 5 : 8), 0);
  return {
    name: `gather_${tables.map(({ source }) => source).join('_')}`,
    wgsl: `${copies.map(({ declarations }) => declarations).join('')}
@group(0) @binding(${tables.length}) var<storage, read> index: array<u32>;
${uniforms.declaration(2 * tables.length + 1)}
@compute @workgroup_size(${lanes}, ${GROUP / lanes})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let number = (${LINEAR_GROUP}) * ${GROUP / lanes}u + local.y;
  if (number >= ${all}) { return; }
  let chosen = index[${place}];
  ${copies.map(({ lines }) => lines).join('\n  ')}
}`,
    bindings: [...tables.map(() => 'read' as const), 'read', ...tables.map(() => 'read_write' as const)],
    uniforms: uniforms.values,
    grid: foldGrid(Math.ceil((outer * count * lanes) / GROUP), traits),
    flops: 2 * outer * count * tables.reduce((sum, { width }) => sum + width, 0),
    bytes: outer * count * bytes,
  };
}
