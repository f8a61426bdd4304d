import type { AdapterTraits } from '../gpu/kernel.ts';
import type { Sizes } from './grid.ts';
import { type TiledShape, tiledBytes, tiledThreads } from './matmul-tiled.ts';

/**
 * Tile shapes for GPUs, with their time per element of C if each workgroup has a GPU core to itself. Small
 * tiles read more memory per product, and few threads hide latency badly. From what is known of such
 * kernels, not from measurements: those are the tuner's.
 */
const SHAPES: readonly (TiledShape & { readonly cost: number })[] = [
  { rows: 128, cols: 128, threadRows: 8, threadCols: 8, depth: 16, splits: 1, cost: 1 },
  { rows: 128, cols: 64, threadRows: 8, threadCols: 8, depth: 16, splits: 1, cost: 1.1 },
  { rows: 64, cols: 64, threadRows: 8, threadCols: 8, depth: 16, splits: 1, cost: 1.2 },
  { rows: 64, cols: 64, threadRows: 4, threadCols: 4, depth: 32, splits: 1, cost: 1.4 },
  { rows: 32, cols: 32, threadRows: 4, threadCols: 4, depth: 32, splits: 1, cost: 4 },
  { rows: 32, cols: 32, threadRows: 4, threadCols: 4, depth: 16, splits: 4, cost: 2.2 },
  { rows: 16, cols: 16, threadRows: 4, threadCols: 4, depth: 8, splits: 8, cost: 4 },
];
/** Workgroups that a GPU is assumed to run side by side at full speed. */
const GPU_CORES = 128;
/** Kernels worth trying per product: GPUs compile quickly, and the guesses are rough. */
export const GPU_CANDIDATES = 5;

/** All shapes that the adapter can run, the best guess first. */
export function tiledShapes(
  sizes: Sizes<'rows' | 'cols' | 'depth' | 'products'>,
  traits: AdapterTraits,
): TiledShape[] {
  const time = ({ rows, cols, cost }: (typeof SHAPES)[number]) =>
    Math.ceil((sizes.products * Math.ceil(sizes.rows / rows) * Math.ceil(sizes.cols / cols)) / GPU_CORES) *
    rows *
    cols *
    cost;
  const found = SHAPES.filter(({ splits, depth }) => splits === 1 || sizes.depth >= splits * depth)
    .map((shape) => ({ shape: fitted(shape, traits), time: time(shape) }))
    .filter(({ shape }) => tiledThreads(shape) <= traits.maxWorkgroupInvocations)
    .filter(({ shape }) => tiledBytes(shape) <= traits.maxWorkgroupStorageBytes)
    .sort((a, b) => a.time - b.time)
    .map(({ shape }) => shape);
  // The smallest needs 16 threads; no WebGPU adapter has fewer.
  return found.length > 0 ? found : [{ ...SHAPES.at(-1)!, splits: 1 }];
}

/** The shape, with slices no deeper than the adapter's workgroup memory allows. */
function fitted(shape: TiledShape, traits: AdapterTraits): TiledShape {
  const fits = tiledBytes(shape) <= traits.maxWorkgroupStorageBytes || shape.depth <= 4;
  return fits ? shape : fitted({ ...shape, depth: shape.depth / 2 }, traits);
}
