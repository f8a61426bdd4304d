import { checkWhole } from '../errors.ts';
import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type Epilogue, epilogueCode, storeFour } from './epilogue.ts';
import { foldGrid, LINEAR_GROUP } from './grid.ts';
import { operandOf } from './operand.ts';
import { roundUp } from './pad.ts';
import * as product from './product.ts';

/** Sizes and layout of C = A·B, optionally batched: dense row-major matrices, strides in elements. */
export interface MatmulSpec {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A is stored as `[k, m]` rather than `[m, k]`. */
  readonly transposeA: boolean;
  /** B is stored as `[n, k]` rather than `[k, n]`. */
  readonly transposeB: boolean;
  readonly batch: readonly product.BatchDim[];
  /** Computes what is stored in place of the product. */
  readonly epilogue?: Epilogue;
  /** Whether the operands' sides, k included, are zero-padded to multiples of four. */
  readonly padded?: boolean;
}

/** What a shader's source depends on; all other sizes are uniforms. */
export interface MatmulForm extends product.ProductForm {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Whether C is stored in fours. Operands are read so if rows and matrices start at multiples of four. */
  readonly vecC: boolean;
}

/** Names of the uniforms, all `u32`: {@link matmulKernel} packs them in this order. */
const SIZES = [
  ...['m', 'n', 'k', 'rowTiles', 'colTiles', 'groups'],
  ...Object.keys(product.batchSizes([])),
  ...['pad0', 'pad1'],
];

/** @throws CollimateError naming the first invalid size */
export function checkMatmul({ m, n, k, batch }: MatmulSpec): void {
  for (const [name, size] of Object.entries({ m, n, k })) checkWhole(`matmul: ${name}`, size, 1);
  product.checkBatch('matmul', batch);
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

/** A product's name, by how its operands are stored. */
export const productName = ({ transposeA, transposeB }: MatmulSpec): string =>
  `matmul_${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}`;

/** The kernel record of a product with one workgroup running `wgsl` per `tile` of output. */
export function matmulKernel(
  spec: MatmulSpec,
  form: MatmulForm,
  tile: product.Tile,
  structure: string,
  wgsl: string,
  traits: AdapterTraits,
): Kernel {
  const { m, n, batch, epilogue, transposeA, transposeB, padded = false } = spec;
  const k = padded ? roundUp(spec.k) : spec.k;
  const products = product.countOf(batch);
  const rowTiles = Math.ceil(m / tile.rows);
  const colTiles = Math.ceil(n / tile.cols);
  const groups = products * rowTiles * colTiles;
  const sizes = [m, n, k, rowTiles, colTiles, groups, ...Object.values(product.batchSizes(batch)), 0, 0];
  const { bindings, uniforms, epilogueBytes } = product.bindProduct(sizes, form, epilogue);
  const distinct = (stride: 'strideA' | 'strideB') =>
    product.countOf(batch.filter((dim) => dim[stride] !== 0));
  return {
    name: `${productName(spec)}${epilogue ? '+pointwise' : ''}`,
    variant: `${structure} ${tile.rows}x${tile.cols}`,
    wgsl,
    ...{ bindings, uniforms },
    ...(padded && {
      padded: [transposeA ? [spec.k, m] : [m, spec.k], transposeB ? [n, spec.k] : [spec.k, n]],
    }),
    grid: foldGrid(groups, traits),
    flops: products * m * n * (2 * spec.k + (epilogue?.body.cost ?? 0)),
    bytes: 4 * (distinct('strideA') * m * k + distinct('strideB') * k * n + products * m * n) + epilogueBytes,
  };
}

/**
 * WGSL of {@link declareProduct} and `storeC(place, row, col, v, add, last)`, which stores four columns of C
 * or adds to them. `last`: their sums are complete, so an epilogue can apply. `placeC` gives `place`.
 */
export function matmulMemory(form: MatmulForm): string {
  const { vecC, epilogue } = form;
  const starts = epilogue?.starts ?? [];
  return `${product.declareProduct(SIZES, form, vecC ? 'vec4f' : 'f32', ['c'])}
fn placeC(product: u32, i0: u32, i1: u32, i2: u32) -> Place {
  return Place(product * s.m * s.n${starts.map(({ value }) => `, ${value}`).join('')});
}

fn storeC(at: Place, row: u32, col: u32, v: vec4f, add: bool, last: bool) {
  if ((row < s.m) & (col < s.n)) {
    ${storeFour(vecC, 'at.c + row * s.n', 's.n', epilogue).join('\n    ')}
  }
}`;
}

/** WGSL that finds the workgroup's tile: its corner `row0`, `col0`, and where its matrices start. */
export function locateTile(tile: product.Tile): string {
  return `let group = ${LINEAR_GROUP};
  if (group >= s.groups) { return; }
  let tileRow = group / s.colTiles;
  let col0 = (group % s.colTiles) * ${tile.cols}u;
  let row0 = (tileRow % s.rowTiles) * ${tile.rows}u;
  let product = tileRow / s.rowTiles;
  ${product.LOCATE_PRODUCT}
  let place = placeC(product, i0, i1, i2);`;
}
