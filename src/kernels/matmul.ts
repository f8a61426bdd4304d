import type { AdapterTraits, Kernel } from '../gpu/kernel.ts';
import { checkMatmul, type MatmulSpec, matmulForm, matmulKernel, productName } from './matmul-problem.ts';
import { blocksOf, matrices, tiledName, tiledSource } from './matmul-tiled.ts';
import { countOf, sharedSource } from './product.ts';
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
  if (traits.kind !== 'software' || lanes < 1 || lanes > 32) return gpuVariants(spec, traits);
  if (!broadcast) throw new Error('kernels for software adapters are not loaded: await loadBroadcast()');
  return broadcast.broadcastVariants(spec, traits);
}

/** Kernels for some adapters alone, loaded before a product is planned for one: see `late.ts`. */
let broadcast: typeof import('./matmul-broadcast.ts') | undefined;
let units: typeof import('./matmul-subgroup-matrix.ts') | undefined;
export async function loadBroadcast(): Promise<void> {
  broadcast = await import('./matmul-broadcast.ts');
}
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
