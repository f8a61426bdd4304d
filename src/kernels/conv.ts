import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { type ConvTile, convBroadcastSource } from './conv-broadcast.ts';
import { type ConvSpec, convForm, convKernel, finishes, groupOfPixels, productOf } from './conv-problem.ts';
import { convTiles } from './conv-tiled.ts';
import { blocksOf, type TiledShape, tiledName, tiledSource } from './matmul-tiled.ts';
import { accessWords } from './operand.ts';
import { countOf } from './product.ts';
import { GPU_CANDIDATES, tiledShapes } from './tiled-shapes.ts';

export type { ConvSpec } from './conv-problem.ts';

/**
 * A convolution, or its derivative by images or by weights, as an implicit matrix product in NHWC: see {@link ConvSpec} for the
 * operands, which are bound in that order, then the result. docs/rejected.md has what is slower.
 *
 * The order of summation depends on the sizes and the variant alone. For the weights it runs in blocks of some 2,000 pixels.
 *
 * @throws CollimateError if there are more than three batch dimensions
 */
export function conv(spec: ConvSpec, traits: AdapterTraits): Kernel {
  const [guess, ...others] = convVariants(spec, traits) as [Kernel, ...Kernel[]];
  return others.length === 0 ? guess : { ...guess, choice: { ...problemOf(spec), others } };
}

/** The kernels worth trying on such an adapter; first the one that should be the fastest. */
function convVariants(spec: ConvSpec, traits: AdapterTraits): Kernel[] {
  return usesBroadcast(traits)
    ? [broadcastConv(spec, broadcastTile(spec, traits.subgroupSize), traits)]
    : tiledConvs(spec, traits).slice(0, GPU_CANDIDATES);
}

/** Whether kernels for such an adapter can apply an epilogue: those that store four columns at a time. */
export function takesEpilogue(spec: ConvSpec, traits: AdapterTraits): boolean {
  return finishes(spec) && (!usesBroadcast(traits) || broadcastTile(spec, traits.subgroupSize).columns >= 4);
}

const usesBroadcast = ({ kind, subgroupSize }: AdapterTraits) =>
  kind === 'software' && subgroupSize >= 1 && subgroupSize <= 32;

/** What is computed in words, and the class of those that are like it: numbers of images to the nearest power of two. */
function problemOf({ part, window, images, channels, outputChannels, batch }: ConvSpec) {
  const { image, size, stride } = window;
  const times = countOf(batch);
  const words = (count: number) =>
    `conv_${part} ${times > 1 ? `${times} × ` : ''}${count}x${image.join('x')}x${channels} * ${outputChannels}x${size.join('x')}${stride[0] * stride[1] > 1 ? ` stride ${stride.join('x')}` : ''}`;
  return { problem: words(images), class: words(2 ** Math.round(Math.log2(images))) };
}

/** Rows of a tile, where the result has as many; fewer keep too little of what is loaded in registers. */
const ROWS = [32, 16, 8];
const COLUMNS = 32;

/** A tile of 32 columns, but for results with fewer, where the lanes would idle. */
function broadcastTile(spec: ConvSpec, lanes: number): ConvTile {
  const { cols, rows } = productOf(spec);
  const most = Math.max(1, COLUMNS / lanes);
  const columns = [1, 2, 4, 8].find((c) => c * lanes >= cols || c >= most)!;
  return {
    rows: ROWS.filter((r) => r >= lanes && (r < 2 * rows || r === ROWS.at(-1))).at(0) ?? lanes,
    columns,
  };
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

/** All kernels with shared-memory tiles that the adapter can run, first the one that should be the fastest. */
export function tiledConvs(spec: ConvSpec, traits: AdapterTraits): Kernel[] {
  const { rows, cols, depth, grid, phases } = productOf(spec);
  const taps = spec.window.size[0] * spec.window.size[1];
  const length = spec.part === 'weight' ? spec.images * grid[0] * grid[1] : taps * depth;
  const problems = countOf(spec.batch);
  const form = convForm(spec, 4, traits);
  const kernel = (shape: TiledShape) => {
    const even = (spec.part === 'weight' ? grid[1] % 4 : depth % shape.depth) === 0;
    const wgsl = tiledSource(convTiles(form, even), shape, blocksOf(length, shape));
    return convKernel(spec, form, shape, tiledName(shape), wgsl, traits);
  };
  return tiledShapes({ rows, cols, depth: length, products: problems * phases }, traits).map(kernel);
}
