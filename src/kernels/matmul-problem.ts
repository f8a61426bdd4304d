import { CollimateError } from '../errors.ts';
import type { Kernel } from '../gpu/kernel.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import {
  type Epilogue,
  type EpilogueCode,
  epilogueCode,
  leafSize,
  placeStruct,
  storeFour,
} from './epilogue.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { declareOperand, type Operand, operandOf } from './operand.ts';
import { roundUp } from './pad.ts';

/** Sizes and layout of C = A·B, optionally batched; matrices are dense and row-major, strides count elements. */
export interface MatmulSpec {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A is stored as `[k, m]` rather than `[m, k]`. */
  readonly transposeA: boolean;
  /** B is stored as `[n, k]` rather than `[k, n]`. */
  readonly transposeB: boolean;
  /**
   * Batch dimensions of the output, outermost first, at most three; a stride says how far apart an operand's
   * matrices are along it, 0 where the operand is broadcast.
   */
  readonly batch: readonly { readonly size: number; readonly strideA: number; readonly strideB: number }[];
  /** What is stored in place of the product. */
  readonly epilogue?: Epilogue;
  /** Whether the operands are padded: their sides, and k, rounded up to multiples of four, with zeros behind the ends. */
  readonly padded?: boolean;
}

/** What a product's shader source depends on; everything else about its sizes lies in the uniforms. */
export interface MatmulForm {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Read in fours where rows and matrices all start at multiples of four. */
  readonly a: Operand;
  readonly b: Operand;
  /** Whether C is stored in fours. */
  readonly vecC: boolean;
  readonly epilogue?: EpilogueCode;
}

/** The part of the output one workgroup computes. */
export interface Tile {
  readonly rows: number;
  readonly cols: number;
}

const MAX_BATCH_DIMS = 3;
/** Names of the uniforms, all `u32`: {@link matmulKernel} packs them in this order. */
const SIZES = [
  ...['m', 'n', 'k', 'rowTiles', 'colTiles', 'groups', 'batch1', 'batch2'],
  ...['strideA0', 'strideA1', 'strideA2', 'strideB0', 'strideB1', 'strideB2', 'pad0', 'pad1'],
];

/** Throws a {@link CollimateError} naming the first size that no product can have. */
export function checkMatmul(spec: MatmulSpec): void {
  const fail = (what: string, remedy: string): never => {
    throw new CollimateError(`matmul: ${what}`, remedy);
  };
  for (const axis of ['m', 'n', 'k'] as const) {
    const size = spec[axis];
    if (!Number.isInteger(size) || size < 1) {
      fail(
        `${axis} is ${size}, which is not a positive integer`,
        'handle empty products before they reach a kernel',
      );
    }
  }
  if (spec.batch.length > MAX_BATCH_DIMS) {
    fail(
      `${spec.batch.length} batch dimensions, at most ${MAX_BATCH_DIMS} are supported`,
      'collapse or copy some',
    );
  }
  for (const [i, { size, strideA, strideB }] of spec.batch.entries()) {
    if (!Number.isInteger(size) || size < 1)
      fail(`batch dimension ${i} has size ${size}`, 'sizes start at 1');
    for (const stride of [strideA, strideB]) {
      if (!Number.isInteger(stride) || stride < 0) {
        fail(
          `batch dimension ${i} has stride ${stride}`,
          'strides are whole numbers of elements, 0 to broadcast',
        );
      }
    }
  }
}

export function matmulForm(spec: MatmulSpec, traits: AdapterTraits): MatmulForm {
  const { m, n, transposeA, transposeB, batch, epilogue, padded = false } = spec;
  const k = padded ? roundUp(spec.k) : spec.k;
  const vecC = n % 4 === 0;
  const operand = (rows: number, cols: number, stride: 'strideA' | 'strideB') => {
    const operations = 2 * m * n * k;
    if (padded) return operandOf(roundUp(rows) * roundUp(cols), 4, [], operations, traits);
    const aligned = cols % 4 === 0 && batch.every((dim) => dim[stride] % 4 === 0);
    const steps = batch.map((dim) => ({ size: dim.size, stride: dim[stride] }));
    return operandOf(rows * cols, aligned ? 4 : 1, steps, operations, traits);
  };
  return {
    transposeA,
    transposeB,
    a: transposeA ? operand(k, m, 'strideA') : operand(m, k, 'strideA'),
    b: transposeB ? operand(n, k, 'strideB') : operand(k, n, 'strideB'),
    vecC,
    ...(epilogue && { epilogue: epilogueCode(epilogue, vecC) }),
  };
}

/** What a product is called, by how its operands are stored. */
export const productName = ({ transposeA, transposeB }: MatmulSpec): string =>
  `matmul_${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`;

/** Blocks of k whose sums are added up in C one after the other: of more, the roundings of equal terms would be felt. */
const MOST_BLOCKS = 128;

/**
 * Steps of k in a group of blocks, whose sums are added up in registers before they join those of the other groups in C: about as
 * many blocks as there are groups; 0 where blocks are so few that each joins by itself.
 */
export function groupOf(length: number, block: number): number {
  const blocks = block ? Math.ceil(length / block) : 1;
  return blocks > MOST_BLOCKS ? block * 2 ** Math.ceil(Math.log2(blocks) / 2) : 0;
}

/** The kernel record of a product whose every `tile` of output is computed by one workgroup running `wgsl`. */
export function matmulKernel(
  spec: MatmulSpec,
  form: MatmulForm,
  tile: Tile,
  structure: string,
  wgsl: string,
  traits: AdapterTraits,
): Kernel {
  const { m, n, batch, epilogue, transposeA, transposeB, padded = false } = spec;
  const k = padded ? roundUp(spec.k) : spec.k;
  const products = batch.reduce((count, dim) => count * dim.size, 1);
  const rowTiles = Math.ceil(m / tile.rows);
  const colTiles = Math.ceil(n / tile.cols);
  const groups = products * rowTiles * colTiles;
  const missing = MAX_BATCH_DIMS - batch.length;
  const dims = [...Array.from({ length: missing }, () => ({ size: 1, strideA: 0, strideB: 0 })), ...batch];
  const distinct = (stride: 'strideA' | 'strideB') =>
    batch.reduce((count, dim) => count * (dim[stride] === 0 ? 1 : dim.size), 1);
  const read = epilogue ? form.epilogue!.bound.reduce((sum, j) => sum + leafSize(epilogue, j), 0) : 0;
  return {
    name: `${productName(spec)}${epilogue ? '+pointwise' : ''}`,
    variant: `${structure} ${tile.rows}x${tile.cols}`,
    wgsl,
    bindings: [
      form.a.access,
      form.b.access,
      'read_write',
      ...(form.epilogue?.bound ?? []).map(() => 'read' as const),
    ],
    ...(padded && {
      padded: [
        transposeA ? ([spec.k, m] as const) : ([m, spec.k] as const),
        transposeB ? ([n, spec.k] as const) : ([spec.k, n] as const),
      ],
    }),
    // Sizes are uniforms, so that shapes share a shader.
    uniforms: Uint32Array.from([
      ...[m, n, k, rowTiles, colTiles, groups],
      ...dims.slice(1).map((dim) => dim.size),
      ...dims.map((dim) => dim.strideA),
      ...dims.map((dim) => dim.strideB),
      ...[0, 0],
      ...(form.epilogue?.uniforms.values ?? []),
    ]),
    grid: foldGrid(groups, traits),
    flops: products * m * n * (2 * spec.k + (epilogue?.body.cost ?? 0)),
    bytes: 4 * (distinct('strideA') * m * k + distinct('strideB') * k * n + products * m * n + read),
  };
}

/**
 * WGSL of the bindings, of `fetchA` and `fetchB` ({@link declareOperand}), and of `storeC(place, row, col, v, add, last)`, which
 * stores four columns of C or adds to them; `last` says that their sums are complete, so that an epilogue can be applied. `place` is what `placeC` gives.
 */
export function matmulMemory(form: MatmulForm): string {
  const { a, b, vecC, epilogue } = form;
  const fields = epilogue?.uniforms.fields;
  const starts = epilogue?.starts ?? [];
  return `struct Sizes { ${SIZES.map((name) => `${name}: u32`).join(', ')}${fields ? `, ${fields}` : ''} }
${declareOperand(0, 'A', a)}
${declareOperand(1, 'B', b)}
@group(0) @binding(2) var<storage, read_write> C: array<${vecC ? 'vec4f' : 'f32'}>;
@group(0) @binding(${3 + (epilogue?.bound.length ?? 0)}) var<uniform> s: Sizes;
${epilogue?.declarations(3) ?? ''}
${placeStruct(['c'], epilogue)}
fn placeC(product: u32, i0: u32, i1: u32, i2: u32) -> Place {
  return Place(product * s.m * s.n${starts.map(({ value }) => `, ${value}`).join('')});
}

fn storeC(at: Place, row: u32, col: u32, v: vec4f, add: bool, last: bool) {
  if ((row < s.m) & (col < s.n)) {
    ${storeFour(vecC, 'at.c + row * s.n', 's.n', epilogue).join('\n    ')}
  }
}`;
}

/** WGSL of a product's place along the batch dimensions, `i0` … `i2`, and of where its operands start, `atA` and `atB`. */
export const LOCATE_PRODUCT = `let i2 = product % s.batch2;
  let i1 = product / s.batch2 % s.batch1;
  let i0 = product / s.batch2 / s.batch1;
  let atA = i0 * s.strideA0 + i1 * s.strideA1 + i2 * s.strideA2;
  let atB = i0 * s.strideB0 + i1 * s.strideB1 + i2 * s.strideB2;`;

/** WGSL that finds the workgroup's tile: its corner `row0`, `col0` and where its matrices start. */
export function locateTile(tile: Tile): string {
  return `let group = ${LINEAR_GROUP};
  if (group >= s.groups) { return; }
  let tileRow = group / s.colTiles;
  let col0 = (group % s.colTiles) * ${tile.cols}u;
  let row0 = (tileRow % s.rowTiles) * ${tile.rows}u;
  let product = tileRow / s.rowTiles;
  ${LOCATE_PRODUCT}
  let place = placeC(product, i0, i1, i2);`;
}

/** `[f(0), …, f(count - 1)]`: the unrolled lines of a shader. */
export function range<T>(count: number, f: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => f(i));
}
