import type { MatmulSpec } from '../../kernels/matmul.ts';
import type { Tensor } from '../tensor.ts';
import { batchStrides, mergeAxes } from './batch.ts';

/** Sizes and batch strides of a traced product, with as few and as large batch axes as its broadcasting allows. */
export const matmulSpec = (node: Tensor<'matmul'>): MatmulSpec => layOut(node).spec;

/**
 * The spec of a product beside which other tensors are read, given the strides of each along the result's axes; also
 * returns their strides along the spec's axes, `[batch…, m, n]`.
 */
export function layOut(
  node: Tensor<'matmul'>,
  others: readonly (readonly number[])[] = [],
): { spec: MatmulSpec; strides: number[][] } {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = node.params;
  let m = node.shape.at(-2)!;
  const n = node.shape.at(-1)!;
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const sizes = node.shape.slice(0, -2);
  const [sa, sb] = [a, b].map((t) => batchStrides(t, sizes.length, 2)) as [number[], number[]];
  // An axis of size 1 has no stride to speak of.
  let rows = others.map((strides) => (m === 1 ? undefined : strides.at(-2)!));
  const batch = mergeAxes(
    sizes.map((size, i) => ({ size, strides: [sa[i]!, sb[i]!, ...others.map((strides) => strides[i]!)] })),
  );
  // Rows of a batch that share B are rows of one taller matrix.
  const inner = batch.at(-1);
  if (inner && !transposeA) {
    const [strideA, strideB, ...rest] = inner.strides;
    const stacks = rest.every((stride, j) => rows[j] === undefined || stride === rows[j] * m);
    if (strideB === 0 && strideA === m * k && stacks) {
      batch.pop();
      rows = rows.map((stride, j) => stride ?? rest[j]!);
      m *= inner.size;
    }
  }
  return {
    spec: {
      ...{ m, n, k, transposeA, transposeB },
      batch: batch.map(({ size, strides }) => ({ size, strideA: strides[0]!, strideB: strides[1]! })),
    },
    strides: others.map((strides, j) => [
      ...batch.map((axis) => axis.strides[j + 2]!),
      rows[j] ?? 0,
      strides.at(-1)!,
    ]),
  };
}
