import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type ConvTile, convBroadcastSource } from './conv-broadcast.ts';
import { type ConvSpec, convForm, convKernel, finishes, groupOfPixels, productOf } from './conv-problem.ts';
import { convTiles } from './conv-tiled.ts';
import { blocksOf, type TiledShape, tiledName, tiledSource } from './matmul-tiled.ts';
import { accessWords } from './operand.ts';
import { countOf, isBrief } from './product.ts';
import { GPU_CANDIDATES, tiledShapes } from './tiled-shapes.ts';

export type { ConvSpec } from './conv-problem.ts';

/**
 * A convolution, its input gradient or its weight gradient as an implicit matrix product in NHWC. Bindings:
 * {@link ConvSpec}'s operands in order, then the result. docs/rejected.md has what is slower.
 *
 * The order of summation depends only on sizes and variant; weight gradients sum some 2,000 pixels a block.
 *
 * @throws CollimateError if there are more than three batch dimensions
 */
export function conv(spec: ConvSpec, traits: AdapterTraits): Kernel {
  const [guess, ...others] = convVariants(spec, traits) as [Kernel, ...Kernel[]];
  return others.length === 0 ? guess : { ...guess, choice: { ...problemOf(spec), others } };
}

/** Kernels worth trying on an adapter, the best guess first. */
function convVariants(spec: ConvSpec, traits: AdapterTraits): Kernel[] {
  return usesBroadcast(traits)
    ? [broadcastConv(spec, broadcastTile(spec, traits.subgroupSize), traits)]
    : tiledConvs(spec, traits).slice(0, GPU_CANDIDATES);
}

/** Whether an adapter's kernels can apply an epilogue: those that store four columns at a time. */
export function takesEpilogue(spec: ConvSpec, traits: AdapterTraits): boolean {
  return finishes(spec) && (!usesBroadcast(traits) || broadcastTile(spec, traits.subgroupSize).columns >= 4);
}

const usesBroadcast = ({ kind, subgroupSize }: AdapterTraits) =>
  kind === 'software' && subgroupSize >= 1 && subgroupSize <= 32;

/** The problem in words, and its class: the number of images rounded to a power of two. */
function problemOf({ part, window, images, channels, outputChannels, batch }: ConvSpec) {
  const { image, size, stride } = window;
  const times = countOf(batch);
  const words = (count: number) =>
    `conv_${part} ${times > 1 ? `${times} × ` : ''}${count}x${image.join('x')}x${channels} * ${outputChannels}x${size.join('x')}${stride[0] * stride[1] > 1 ? ` stride ${stride.join('x')}` : ''}`;
  return { problem: words(images), class: words(2 ** Math.round(Math.log2(images))) };
}

/** Rows of a tile, if the result has that many; fewer reuse too little of what registers hold. */
const ROWS = [32, 16, 8];

/** Terms of each element of the product. */
function lengthOf(spec: ConvSpec): number {
  const { depth, grid } = productOf(spec);
  const [height, width] = spec.window.size;
  return spec.part === 'weightGradient' ? spec.images * grid[0] * grid[1] : height * width * depth;
}

/** A tile of 32 columns, or fewer for narrower results, where lanes would idle, and for brief products. */
function broadcastTile(spec: ConvSpec, lanes: number): ConvTile {
  const { cols, rows } = productOf(spec);
  const side = isBrief(2 * countOf(spec.batch) * rows * cols * lengthOf(spec), lanes) ? 16 : 32;
  const most = Math.max(1, side / lanes);
  const columns = [1, 2, 4, 8].find((c) => c * lanes >= cols || c >= most)!;
  const fits = (r: number) => r >= lanes && r <= side && (r < 2 * rows || r === ROWS.at(-1));
  return { rows: ROWS.find(fits) ?? lanes, columns };
}

export function broadcastConv(spec: ConvSpec, tile: ConvTile, traits: AdapterTraits): Kernel {
  const lanes = traits.subgroupSize;
  const form = convForm(spec, tile.columns >= 4 ? 4 : tile.columns === 2 ? 2 : 1, traits);
  const { grid } = productOf(spec);
  const grouped = groupOfPixels(spec.images, grid[0] * grid[1]) > 0;
  const wgsl = convBroadcastSource(form, tile, lanes, grouped);
  const structure = `broadcast${accessWords(form)}`;
  return convKernel(spec, form, { rows: tile.rows, cols: tile.columns * lanes }, structure, wgsl, traits);
}

/** All kernels with shared-memory tiles that the adapter can run, the best guess first. */
export function tiledConvs(spec: ConvSpec, traits: AdapterTraits): Kernel[] {
  const { rows, cols, depth, grid, phases } = productOf(spec);
  const length = lengthOf(spec);
  const problems = countOf(spec.batch);
  const form = convForm(spec, 4, traits);
  const kernel = (shape: TiledShape) => {
    const even = (spec.part === 'weightGradient' ? grid[1] % 4 : depth % shape.depth) === 0;
    const wgsl = tiledSource(convTiles(form, even), shape, blocksOf(length, shape));
    return convKernel(spec, form, shape, tiledName(shape), wgsl, traits);
  };
  return tiledShapes({ rows, cols, depth: length, products: problems * phases }, traits).map(kernel);
}
