import type { Kernel } from '../../gpu/kernel.ts';
import { matmul } from '../../kernels/matmul.ts';
import { loweringOf } from '../bind.ts';
import { lateKernels } from '../late.ts';
import { sameShape, type Tensor } from '../tensor.ts';
import { aliasRoot, expressionOf } from './expression.ts';
import type { Fusion } from './fusion.ts';
import { layOutConv, layOutMatmul } from './product-spec.ts';

/** A matrix product, or a convolution, which is one in its own way. */
export type Product = Tensor<'matmul'> | Tensor<'conv'>;

const isProduct = (t: Tensor): t is Product => t.op === 'matmul' || t.op === 'conv';

/** A product whose kernel goes on to compute a chain of pointwise operations. */
export interface Chain {
  readonly product: Product;
  /** What it binds beside the product's operands. */
  readonly leaves: readonly Tensor[];
  readonly kernel: () => Kernel;
}

/** Most users outside a chain that its values may still have while it grows. */
const MOST_USERS = 64;
/** Matrices with fewer rows than the tallest tile would fill it badly when they can no longer be stacked. */
const TILE_ROWS = 32;

/**
 * Chains of pointwise operations that products can apply before they store, by their last values. A chain
 * runs through the elements of its product, whose value nothing else needs, and ends in a buffer: one
 * dispatch less, and no more reads. A sum of two products belongs to the later one.
 */
export function chainsAfterProducts(fusion: Fusion): Map<Tensor, Chain> {
  const { nodes, users, kept } = fusion;
  const fixed = asTheyAre(fusion);
  const chains = new Map<Tensor, Chain>();
  const taken = new Set<Tensor>();
  const usersOf = (t: Tensor) => [...new Set(users.get(t))];
  const places = new Map(nodes.map((node, place) => [node, place]));
  for (const product of nodes.toReversed()) {
    if (!isProduct(product) || fixed.has(product)) continue;
    const inside = new Set<Tensor>([product]);
    // Outside users of what is inside: none are left once only the latest value is needed.
    const open = new Set(usersOf(product));
    let found: readonly [end: Tensor, Chain] | undefined;
    while (open.size > 0 && open.size <= MOST_USERS) {
      const node = [...open].reduce((a, b) => (places.get(a)! < places.get(b)! ? a : b));
      open.delete(node);
      const fits = loweringOf(node).kind === 'pointwise' && sameShape(node.shape, product.shape);
      if (!fits || taken.has(node) || fixed.has(node)) break;
      inside.add(node);
      if (kept.has(node)) {
        const chain = open.size === 0 && node.dtype === 'f32' && chainOf(product, node, fusion);
        if (chain) found = [node, chain];
        break;
      }
      for (const user of usersOf(node)) open.add(user);
    }
    if (!found) continue;
    chains.set(...found);
    for (const node of inside) taken.add(node);
  }
  return chains;
}

/**
 * Nodes that are neither fused nor fused into. What replaces an input stays a kernel that may read what it
 * writes, and replaced inputs are read as early as can be. A product that is an output stays one.
 */
function asTheyAre({ nodes, outputs, replaced }: Fusion): Set<Tensor> {
  const originals = new Set(replaced.values());
  const reads = (node: Tensor) => node.inputs.some((x) => originals.has(aliasRoot(x)));
  const products = nodes.filter(isProduct);
  return new Set([
    ...replaced.keys(),
    ...outputs.map(aliasRoot).filter(isProduct),
    ...products.filter(reads),
  ]);
}

/** A product and what follows it until `end`, as one kernel; undefined if no kernel can. */
function chainOf(product: Product, end: Tensor, { materialized, traits }: Fusion): Chain | undefined {
  const { body, buffers } = expressionOf([end], end.shape, materialized);
  const leaves = buffers.filter((t) => t !== product);
  if (body.scalarOnly || leaves.length + 3 > traits.maxStorageBuffersPerStage) return undefined;
  const given = body.leaves.map((leaf) => leaf.strides);
  const bound = body.leaves.flatMap((leaf, j) => (leaf.source === 'buffer' ? [j] : []));
  const epilogue = (space: number[], strides: readonly number[][]) => ({
    body: { ...body, space, leaves: body.leaves.map((leaf, j) => ({ ...leaf, strides: strides[j]! })) },
    product: bound[buffers.indexOf(product)]!,
  });
  const own = leaves.map(aliasRoot);
  const sizes = (batch: readonly { size: number }[]) => batch.map(({ size }) => size);

  if (product.is('conv')) {
    const laid = layOutConv(product, given);
    const { conv, takesEpilogue } = lateKernels.conv.module;
    if (!laid || laid.spec.batch.length > 3 || !takesEpilogue(laid.spec, traits)) return undefined;
    const { spec, strides } = laid;
    const channels = product.shape.at(-1)!;
    const rest = sizes(spec.batch);
    const space = [...rest, product.size / rest.reduce((n, size) => n * size, channels), channels];
    return {
      product,
      leaves: own,
      kernel: () => conv({ ...spec, epilogue: epilogue(space, strides) }, traits),
    };
  }
  const { spec, strides } = layOutMatmul(product, given);
  const stacked = layOutMatmul(product).spec;
  if (spec.batch.length > 3 || (spec.m < stacked.m && spec.m % TILE_ROWS !== 0)) return undefined;
  const space = [...sizes(spec.batch), spec.m, spec.n];
  return {
    product,
    leaves: own,
    kernel: () => matmul({ ...spec, epilogue: epilogue(space, strides) }, traits),
  };
}
