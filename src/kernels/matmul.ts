import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type BroadcastTile, broadcastSource, broadcastTile } from './matmul-broadcast.ts';
import { checkMatmul, type MatmulSpec, matmulForm, matmulKernel, productName } from './matmul-problem.ts';
import { blocksOf, matrices, tiledName, tiledSource } from './matmul-tiled.ts';
import { accessWords } from './operand.ts';
import { countOf, groupOf, isBrief, sharedSource } from './product.ts';
import { storageIsSlow } from './storage.ts';
import { GPU_CANDIDATES, tiledShapes } from './tiled-shapes.ts';

export type { MatmulSpec } from './matmul-problem.ts';

/**
 * Matrix product C = A·B of dense f32 matrices, each operand optionally stored transposed, optionally
 * batched. Bindings: A `[…, m, k]` or `[…, k, m]`, B `[…, k, n]` or `[…, n, k]`, C `[batch…, m, n]` dense,
 * then the leaves of an epilogue in order, except the product.
 *
 * The order of summation depends only on sizes and variant: the same inputs give the same bits. k is summed
 * in blocks, and these in groups: for any k, the error is near 1e-6 of Σ|a||b|. Variants round differently.
 *
 * @throws CollimateError if a size is not a positive integer, or there are more than three batch dimensions
 */
export function matmul(spec: MatmulSpec, traits: AdapterTraits): Kernel {
  const [guess, ...others] = matmulVariants(spec, traits) as [Kernel, ...Kernel[]];
  return others.length === 0 ? guess : { ...guess, choice: { ...problemOf(spec, traits), others } };
}

/** Kernels worth trying for a product on an adapter, the best guess first. */
export function matmulVariants(given: MatmulSpec, traits: AdapterTraits): Kernel[] {
  checkMatmul(given);
  const spec = worthPadding(given, traits) ? { ...given, padded: true } : given;
  const lanes = traits.subgroupSize;
  return traits.kind === 'software' && lanes >= 1 && lanes <= 32
    ? broadcastTiles(spec, traits).map((tile) => broadcastMatmul(spec, tile, traits))
    : gpuVariants(spec, traits);
}

/** Kernels by units for matrices, which few adapters have. */
let units: typeof import('./matmul-subgroup-matrix.ts') | undefined;
export async function loadUnits(): Promise<void> {
  units = await import('./matmul-subgroup-matrix.ts');
}

/** Units for matrices come first if their tiles are enough; if not, tiles of which teams share k. */
function gpuVariants(spec: MatmulSpec, traits: AdapterTraits): Kernel[] {
  const tiled = tiledVariants(spec, traits, GPU_CANDIDATES);
  const others = units?.matrixVariants(spec, traits) ?? [];
  const enough = others.some(({ grid: [x, y, z] }) => x * y * z >= units!.ENOUGH_TILES);
  return enough ? [...others, ...tiled] : [...tiled, ...others];
}

/** A product's sizes in words, and its class: sizes to powers of two. Epilogues cost all variants alike. */
function problemOf(spec: MatmulSpec, traits: AdapterTraits): { problem: string; class: string } {
  const { m, n, k, batch } = spec;
  const { a, b, vecC } = matmulForm(spec, traits);
  const products = countOf(batch);
  const near = (size: number) => 2 ** Math.round(Math.log2(size));
  const aligned = [a.width === 4 && 'A', b.width === 4 && 'B', vecC && 'C']
    .filter((buffer) => buffer)
    .join('');
  const words = (size: (x: number) => number) => {
    const times = products > 1 ? `${size(products)} × ` : '';
    return `${productName(spec)}${traits.halfProducts ? ' f16' : ''} ${times}${size(m)}x${size(n)}x${size(k)}`;
  };
  return { problem: words((x) => x), class: `${words(near)} vec4 ${aligned || 'none'}` };
}

/** Operations and shortest side of a product above which copies of ragged operands are cheap. */
const PADDED_FROM = { operations: 2 ** 24, side: 64 };

/**
 * Whether to pad operands with rows that are no multiples of four, where scalar loads are slow: without, a
 * product of 997x1009x1013 ran at half the speed of 1024³.
 */
function worthPadding(spec: MatmulSpec, traits: AdapterTraits): boolean {
  const { m, n, k, batch, transposeA, transposeB } = spec;
  const [rowA, rowB] = [transposeA ? m : k, transposeB ? k : n];
  return (
    storageIsSlow(traits) &&
    batch.length === 0 &&
    (rowA % 4 !== 0 || rowB % 4 !== 0) &&
    2 * m * n * k >= PADDED_FROM.operations &&
    Math.min(m, n) >= PADDED_FROM.side
  );
}

/** The longest k summed at once: 784 is common; a loop over blocks costs 5%, and a third of compile time. */
const BLOCK_K = 1024;

function broadcastMatmul(spec: MatmulSpec, tile: BroadcastTile, traits: AdapterTraits): Kernel {
  const lanes = traits.subgroupSize;
  const form = matmulForm(spec, traits);
  const guardK = !spec.padded && spec.k % 4 !== 0;
  const block = spec.k > BLOCK_K ? BLOCK_K : 0;
  const more = [tile, lanes, guardK, block, groupOf(spec.k, block)] as const;
  const wgsl = sharedSource(form, ['broadcast', ...more], () => broadcastSource(form, ...more));
  const structure = `broadcast${accessWords(form)}`;
  return matmulKernel(spec, form, broadcastTile(tile, lanes), structure, wgsl, traits);
}

/** Tiles, in rows and vectors of eight lanes, with their time per element relative to 32 × 1 on lavapipe. */
const TILES = [
  { rows: 32, vectors: 1, cost: 1 },
  { rows: 16, vectors: 1, cost: 1.2 },
  { rows: 8, vectors: 1, cost: 1.6 },
];
/** The same if both operands are read from textures: with other loads, wider tiles are too much code. */
const TILES_OF_TEXELS = [
  { rows: 32, vectors: 2, cost: 0.87 },
  { rows: 32, vectors: 1, cost: 1 },
  { rows: 16, vectors: 2, cost: 1.03 },
  { rows: 16, vectors: 1, cost: 1.14 },
  { rows: 8, vectors: 2, cost: 1.25 },
  { rows: 8, vectors: 1, cost: 1.38 },
];
/** Cores to keep busy. WebGPU does not tell; four tiles also spread evenly over two. */
const CORES = 4;
/** How much slower than the best guess a tile may be expected to be. */
const WORTH_TRYING = 1.3;

/** Tiles to choose from, first what should finish first when shared among the cores, and none far slower. */
function broadcastTiles(spec: MatmulSpec, traits: AdapterTraits): BroadcastTile[] {
  const { m, n, k, batch } = spec;
  const { a, b } = matmulForm(spec, traits);
  const lanes = traits.subgroupSize;
  const products = countOf(batch);
  if (isBrief(2 * products * m * n * k, lanes)) return [{ rows: 16, vectors: 1 }];
  const tiles = a.access === 'texels' && b.access === 'texels' ? TILES_OF_TEXELS : TILES;
  return tiles
    .filter(({ rows }) => rows >= lanes)
    .map((tile) => {
      const vectors = tile.vectors * Math.max(1, 8 / lanes);
      const count = products * Math.ceil(m / tile.rows) * Math.ceil(n / (vectors * lanes * 4));
      const time = Math.ceil(count / CORES) * tile.rows * tile.vectors * tile.cost;
      return { rows: tile.rows, vectors, time };
    })
    .sort((a, b) => a.time - b.time)
    .filter(({ time }, _, [best]) => time <= WORTH_TRYING * best!.time);
}

/** At most `most` kernels with shared-memory tiles that the adapter can run, the best guess first. */
export function tiledVariants(
  spec: MatmulSpec,
  traits: AdapterTraits,
  most = Number.POSITIVE_INFINITY,
): Kernel[] {
  const { m, n, k, batch } = spec;
  const sizes = { rows: m, cols: n, depth: k, products: countOf(batch) };
  const form = matmulForm(spec, traits);
  return tiledShapes(sizes, traits)
    .slice(0, most)
    .map((shape) => {
      const half = Boolean(traits.halfProducts) && shape.splits === 1;
      const more = [shape, blocksOf(k, shape), half] as const;
      const problem = matrices(form, k, shape);
      const wgsl = sharedSource(form, ['tiled', problem.whole, ...more], () => tiledSource(problem, ...more));
      return matmulKernel(spec, form, shape, tiledName(shape, half), wgsl, traits);
    });
}
