import { CollimateError, checkWhole } from '../errors.ts';
import type { Access } from '../gpu/kernel.ts';
import { type Epilogue, type EpilogueCode, leafSize, placeStruct } from './epilogue.ts';
import { declareOperand, type Operand } from './operand.ts';

/** What matmuls share with convolutions, which are matmuls too. */

/** One of at most three batch dimensions, outermost first. A stride of 0 repeats an operand's matrix. */
export interface BatchDim {
  readonly size: number;
  readonly strideA: number;
  readonly strideB: number;
}

export interface Tile {
  readonly rows: number;
  readonly cols: number;
}

/** How a product reads its operands, and what it does before storing. */
export interface ProductForm {
  readonly a: Operand;
  readonly b: Operand;
  readonly epilogue?: EpilogueCode;
}

const MOST_DIMS = 3;

/** @throws CollimateError if there are too many dimensions, or one is invalid */
export function checkBatch(op: string, batch: readonly BatchDim[]): void {
  batch.forEach(({ size, strideA, strideB }, i) => {
    checkWhole(`${op}: the size of batch dimension ${i}`, size, 1);
    for (const stride of [strideA, strideB])
      checkWhole(`${op}: the stride of batch dimension ${i}`, stride, 0);
  });
  if (batch.length <= MOST_DIMS) return;
  throw new CollimateError(
    `${op}: ${batch.length} batch dimensions, at most ${MOST_DIMS} are supported`,
    'Collapse or copy some.',
  );
}

export const countOf = (batch: readonly BatchDim[]): number =>
  batch.reduce((count, { size }) => count * size, 1);

/** The uniforms that {@link LOCATE_PRODUCT} reads, by name. */
export function batchSizes(batch: readonly BatchDim[]): Record<string, number> {
  const missing = new Array<BatchDim>(MOST_DIMS - batch.length).fill({ size: 1, strideA: 0, strideB: 0 });
  const dims = [...missing, ...batch];
  return Object.fromEntries([
    ...dims.slice(1).map(({ size }, i) => [`batch${i + 1}`, size]),
    ...dims.map(({ strideA }, i) => [`strideA${i}`, strideA]),
    ...dims.map(({ strideB }, i) => [`strideB${i}`, strideB]),
  ]);
}

/** WGSL of a product's batch indices `i0` … `i2` and of its operands' starts, `atA` and `atB`. */
export const LOCATE_PRODUCT = `let i2 = product % s.batch2;
  let i1 = product / s.batch2 % s.batch1;
  let i0 = product / s.batch2 / s.batch1;
  let atA = i0 * s.strideA0 + i1 * s.strideA1 + i2 * s.strideA2;
  let atB = i0 * s.strideB0 + i1 * s.strideB1 + i2 * s.strideB2;`;

/**
 * WGSL of a product's sizes `s`, all u32; of its bindings A, B and C, with elements of type `element`, and
 * its epilogue's; of `fetchA` and `fetchB` ({@link declareOperand}); and of `Place`, a matrix's offsets.
 */
export function declareProduct(
  sizes: readonly string[],
  { a, b, epilogue }: ProductForm,
  element: string,
  place: readonly string[],
): string {
  const fields = epilogue?.uniforms.fields;
  return `struct Sizes { ${sizes.map((name) => `${name}: u32`).join(', ')}${fields ? `, ${fields}` : ''} }
${declareOperand(0, 'A', a)}
${declareOperand(1, 'B', b)}
@group(0) @binding(2) var<storage, read_write> C: array<${element}>;
@group(0) @binding(${3 + (epilogue?.bound.length ?? 0)}) var<uniform> s: Sizes;
${epilogue?.declarations(3) ?? ''}
${placeStruct(place, epilogue)}`;
}

/** A product's bindings, and bytes read by its epilogue. Sizes are uniforms, so shapes share a shader. */
export function bindProduct(
  sizes: readonly number[],
  { a, b, epilogue: code }: ProductForm,
  epilogue?: Epilogue,
): { bindings: Access[]; uniforms: Uint32Array; epilogueBytes: number } {
  const bound = code?.bound ?? [];
  const bindings: Access[] = [a.access, b.access, 'read_write', ...bound.map(() => 'read' as const)];
  return {
    bindings,
    uniforms: Uint32Array.from([...sizes, ...(code?.uniforms.values ?? [])]),
    epilogueBytes: bound.reduce((sum, j) => sum + 4 * leafSize(epilogue!, j), 0),
  };
}

/**
 * Whether a product is too brief for large tiles on four lanes. SwiftShader compiles one of 32×32 anew in
 * each process, in 300 ms; 16×16 take 60 ms and run at 0.75 to 0.9 of its speed, with the same bits.
 */
export const isBrief = (operations: number, lanes: number): boolean => lanes < 8 && operations < 2 ** 20;

const sources = new Map<string, string>();

/** A shader's text, made once per form and `more`, unless there is an epilogue: many products share it. */
export function sharedSource(form: ProductForm, more: readonly unknown[], make: () => string): string {
  const key = JSON.stringify([form, more]);
  const source = (!form.epilogue && sources.get(key)) || make();
  if (!form.epilogue) sources.set(key, source);
  return source;
}

/** Blocks of k whose sums join C one by one: with more, the roundings of equal terms would show. */
const MOST_BLOCKS = 128;

/**
 * Steps of k per group of blocks, whose sums are added up in registers before they join C: about as many
 * blocks per group as groups; 0 if there are so few that each joins by itself.
 */
export function groupOf(length: number, block: number): number {
  const blocks = block ? Math.ceil(length / block) : 1;
  return blocks > MOST_BLOCKS ? block * 2 ** Math.ceil(Math.log2(blocks) / 2) : 0;
}

/** `[f(0), …, f(count - 1)]`: the unrolled lines of a shader. */
export function range<T>(count: number, f: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => f(i));
}

const sumType = (columns: number) => (columns >= 4 ? 'vec4f' : columns === 2 ? 'vec2f' : 'f32');

/** A lane's sums of `rows` × `columns`: variables `{letter}{row}_{v}`, each of up to four columns. */
export function sumsOf(rows: number, columns: number, letter = 'c') {
  const width = Math.min(columns, 4);
  const type = sumType(columns);
  const names = range(rows, (r) => range(columns / width, (v) => `${letter}${r}_${v}`));
  const declare = names.map((row) => row.map((c) => `var ${c} = ${type}();`).join(' '));
  /** Adds the products of the four k of `r{row}` and the columns `b{j}`. */
  const add = (row: number) =>
    names[row]!.map((c, v) => {
      const dots = range(width, (j) => `dot(r${row}, b${v * width + j})`);
      return `${c} += ${width === 1 ? dots[0] : `${type}(${dots.join(', ')})`};`;
    });
  const addTo = (totals: { readonly names: string[][] }) =>
    names.flatMap((row, r) => row.map((c, v) => `${totals.names[r]![v]} += ${c};`));
  return { width, type, names, declare, add, addTo };
}

/**
 * Opens loops over k: over groups of blocks, which declare `totals`, and over blocks, from `start` to `end`,
 * the `last` of which is marked. See {@link groupOf}.
 */
export function openBlocks(block: number, group: number, totals: string): string {
  const [from, to] = group ? ['low', 'high'] : ['0u', 'length'];
  return `${group ? `for (var low = 0u; low < length; low += ${group}u) {\n  let high = min(low + ${group}u, length);\n  ${totals}` : ''}
  ${block ? `for (var start = ${from}; start < ${to}; start += ${block}u)` : 'const start = 0u;\n  const last = true;'} {
    let end = ${block ? `min(start + ${block}u, ${to});\n    let last = end == length` : 'length'};`;
}

/** Four values of an operand along k; with `guardK`, zeros past its end. */
export function fourAlong(fetch: string, from: string, length: string, guardK: boolean): string {
  const value = (u: number) =>
    guardK
      ? `select(0.0, ${fetch}(${from} + min(k + ${u}u, ${length} - 1u)), k + ${u}u < ${length})`
      : `${fetch}(${from} + k + ${u}u)`;
  return `vec4f(${range(4, value).join(', ')})`;
}

/**
 * WGSL that stores a lane's sums from `row0` to at most `rows`, with last arguments `flags`. Each store is
 * code for every lane; 32 took half of compile time, so a loop stores `at` rows and moves up the others.
 */
export function storeSums(
  { names, width }: ReturnType<typeof sumsOf>,
  rows: string,
  lanes: number,
  at: number,
  flags: string,
): string {
  const store = (sum: string, r: number, v: number) =>
    `storeC(place, row + ${r}u, ${columnOf(width, lanes, v)}, ${sum}, ${flags});`;
  const moves = names.slice(at).map((row, r) => row.map((sum, v) => `${names[r]![v]} = ${sum};`).join(' '));
  return `let rowEnd = min(row0 + ${names.length}u, ${rows});
    for (var row = row0; row < rowEnd; row += ${at}u) {
      ${names
        .slice(0, at)
        .flatMap((row, r) => row.map((sum, v) => store(sum, r, v)))
        .join('\n      ')}
      ${moves.join('\n      ')}
    }`;
}

/** A shader with workgroups that are subgroups of `lanes` lanes. */
export const subgroupShader = (memory: string, lanes: number, body: string): string => `enable subgroups;
${memory}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  ${body}
}
`;

export const columnOf = (width: number, lanes: number, v: number): string =>
  `col0 + ${width}u * (lane + ${v * lanes}u)`;

/** Broadcasts row `r` at the four k as `r{r}`, from the fours `from{i}_{u}` of four rows per lane. */
export function fourRows(r: number, lanes: number, from: string): string[] {
  const quad = Math.floor(r / 4);
  const loaded = `${from}${Math.floor(quad / lanes)}`;
  const four = range(4, (u) => `let f${quad}_${u} = subgroupBroadcast(${loaded}_${u}, ${quad % lanes}u);`);
  const transposed = `let r${r} = vec4f(${range(4, (u) => `f${quad}_${u}[${r % 4}]`).join(', ')});`;
  return r % 4 === 0 ? [...four, transposed] : [transposed];
}
