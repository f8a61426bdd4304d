import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type MatmulSpec, matmulForm, matmulKernel } from './matmul-problem.ts';
import { matrices } from './matmul-tiled.ts';
import { countOf, range, sharedSource, type Tile } from './product.ts';
import { copying, slicedSource, type TiledProblem } from './slices.ts';

/** How the subgroups of a workgroup share a tile of C. */
interface MatrixShape extends Tile {
  /** What a subgroup computes. */
  readonly part: Tile;
  /** Steps of k copied to workgroup memory at a time. */
  readonly depth: number;
  readonly splits: 1;
}

/** From how such units are built, not from measurements. */
const SHAPES: readonly MatrixShape[] = [
  { rows: 128, cols: 128, part: { rows: 64, cols: 32 }, depth: 32, splits: 1 },
  { rows: 64, cols: 64, part: { rows: 32, cols: 32 }, depth: 32, splits: 1 },
  { rows: 32, cols: 32, part: { rows: 16, cols: 16 }, depth: 32, splits: 1 },
];
/** Shortest side of C worth a tile: of 16 columns, most of a tile would be thrown away. */
const SHORTEST = 32;
/** Workgroups that fill a GPU. */
export const ENOUGH_TILES = 64;
/**
 * Steps of k summed before the sum joins C. A unit that truncates loses up to 2⁻²³ of the sum with each
 * term: of as many of one sign 2⁻¹² in all, half of what rounding one factor to f16 may cost.
 */
const BLOCK = 4096;

const partsOf = ({ rows, cols, part }: MatrixShape): number => (rows / part.rows) * (cols / part.cols);

/**
 * Vectors of workgroup memory: a row of a slice, the slices of A and B, and results on their way to C. Rows
 * start at multiples of 16 bytes, as Vulkan demands, with two vectors between, against bank conflicts.
 */
function layout(shape: MatrixShape, { m, n }: NonNullable<AdapterTraits['halfMatrices']>) {
  const stride = shape.depth / 4 + 2;
  return { stride, slices: stride * (shape.rows + shape.cols), results: (partsOf(shape) * m * n) / 4 };
}

/** Kernels that multiply by units for matrices of f16, of the largest tile that fills a GPU first. */
export function matrixVariants(spec: MatmulSpec, traits: AdapterTraits): Kernel[] {
  const { m, n, k, batch } = spec;
  const unit = traits.halfProducts ? traits.halfMatrices : undefined;
  if (!unit || Math.min(m, n) < SHORTEST) return [];
  const fitting = SHAPES.filter((shape) => {
    const { slices, results } = layout(shape, unit);
    const whole = [shape.part.rows / unit.m, shape.part.cols / unit.n, shape.depth / unit.k, unit.k / 4];
    return (
      whole.every(Number.isInteger) &&
      8 * slices + 16 * results <= traits.maxWorkgroupStorageBytes &&
      partsOf(shape) * traits.subgroupSize <= traits.maxWorkgroupInvocations
    );
  });
  const fills = ({ rows, cols }: Tile) =>
    countOf(batch) * Math.ceil(m / rows) * Math.ceil(n / cols) >= ENOUGH_TILES;
  const form = matmulForm(spec, traits);
  const block = k > BLOCK ? BLOCK : 0;
  return [...fitting.filter(fills), ...fitting.filter((shape) => !fills(shape)).reverse()].map((shape) => {
    const problem = matrices(form, k, shape);
    const more = [problem.whole, shape, block, traits.subgroupSize, traits.sizedSubgroups, unit];
    const source = () => matrixSource(problem, shape, block, traits);
    const wgsl = sharedSource(form, ['subgroup matrices', ...more], source);
    const structure = `subgroup matrices f16 ${shape.part.rows}x${shape.part.cols} in`;
    return matmulKernel(spec, form, shape, structure, wgsl, traits);
  });
}

/**
 * The matrix product by units that multiply matrices of f16 to sums of f32: Dawn's subgroup matrices. Slices
 * lie in workgroup memory as f16, each row of A and column of B along k, so that lanes load wide. A subgroup
 * keeps its part of C in matrices of f32. These go to C by way of workgroup memory, one of each subgroup at
 * a time, from where threads store them with what follows the product, as in other kernels. How threads form
 * subgroups does not matter, only how many: their size is set, or all have the same.
 */
function matrixSource(
  problem: TiledProblem,
  shape: MatrixShape,
  block: number,
  traits: AdapterTraits,
): string {
  const { rows, cols, part, depth } = shape;
  const unit = traits.halfMatrices!;
  const { stride, slices, results } = layout(shape, unit);
  const [down, across] = [part.rows / unit.m, part.cols / unit.n];
  const perRow = cols / part.cols;
  const [matrix, width] = [(unit.m * unit.n) / 4, unit.n / 4];
  const threads = partsOf(shape) * traits.subgroupSize;
  const each = <T>(f: (i: number, j: number) => T) =>
    range(down, (i) => range(across, (j) => f(i, j))).flat();
  const load = (side: 'left' | 'right', start: string, sizes: string, order: string, at: number) =>
    `subgroupMatrixLoad<subgroup_matrix_${side}<f16, ${sizes}>, ${order}>(&slices, ${start} + ${at}u, ${stride}u)`;
  const multiply = range(depth / unit.k, (step) => [
    ...range(down, (i) => {
      const at = i * unit.m * stride + (step * unit.k) / 4;
      return `let a${step}_${i} = ${load('left', 'fromA', `${unit.k}, ${unit.m}`, 'row_major', at)};`;
    }),
    ...range(across, (j) => {
      const at = j * unit.n * stride + (step * unit.k) / 4;
      return `let b${step}_${j} = ${load('right', 'fromB', `${unit.n}, ${unit.k}`, 'col_major', at)};`;
    }),
    ...each(
      (i, j) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${step}_${i}, b${step}_${j}, c${i}_${j});`,
    ),
  ]).flat();
  const store = each(
    (i, j) => `subgroupMatrixStore<row_major>(&results, subgroup * ${matrix}u, c${i}_${j}, ${width}u);
    workgroupBarrier();
    for (var e = thread; e < ${results}u; e += ${threads}u) {
      let owner = e / ${matrix}u;
      let row = row0 + owner / ${perRow}u * ${part.rows}u + ${i * unit.m}u + e % ${matrix}u / ${width}u;
      let col = col0 + owner % ${perRow}u * ${part.cols}u + ${j * unit.n}u + e % ${width}u * 4u;
      storeC(place, row, col, results[e], start > 0u, last);
    }
    workgroupBarrier();`,
  );
  return slicedSource(problem, shape, [block, 0], {
    ...{ half: true, vectors: slices, threads, totals: [], join: [] },
    copies: copying(problem, shape, threads, { strideA: stride, strideB: stride, alongK: true, half: true }),
    directives: `enable subgroups;\nenable chromium_experimental_subgroup_matrix;\n${traits.sizedSubgroups ? 'enable subgroup_size_control;\n' : ''}`,
    memory: `var<workgroup> results: array<vec4f, ${results}>;`,
    attribute: traits.sizedSubgroups ? `@subgroup_size(${traits.subgroupSize}) ` : '',
    builtins: ' @builtin(subgroup_id) subgroup: u32,',
    setup: [
      'const team = 0u;',
      'let member = thread;',
      'const sliceA = 0u;',
      `const sliceB = ${rows * stride}u;`,
      `let fromA = sliceA + subgroup / ${perRow}u * ${part.rows * stride}u;`,
      `let fromB = sliceB + subgroup % ${perRow}u * ${part.cols * stride}u;`,
    ],
    sums: each((i, j) => `var c${i}_${j} = subgroup_matrix_result<f32, ${unit.n}, ${unit.m}>();`),
    multiply: multiply.join('\n      '),
    store: store.join('\n    '),
  });
}
