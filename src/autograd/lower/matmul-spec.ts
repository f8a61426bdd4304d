import type { MatmulSpec } from '../../kernels/matmul.ts';
import { stridesOf, type Tensor } from '../tensor.ts';

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
  const [sa, sb] = [a, b].map((t) => batchStrides(t, sizes.length)) as [number[], number[]];
  // An axis of size 1 has no stride to speak of.
  let rows = others.map((strides) => (m === 1 ? undefined : strides.at(-2)!));
  const batch: { size: number; strideA: number; strideB: number; others: number[] }[] = [];
  sizes.forEach((size, i) => {
    if (size === 1) return;
    const outer = batch.at(-1);
    const axis = { size, strideA: sa[i]!, strideB: sb[i]!, others: others.map((strides) => strides[i]!) };
    // Two axes are one where stepping along the outer equals running through the whole of the inner.
    if (
      outer &&
      outer.strideA === axis.strideA * size &&
      outer.strideB === axis.strideB * size &&
      outer.others.every((stride, j) => stride === axis.others[j]! * size)
    ) {
      Object.assign(outer, { ...axis, size: outer.size * size });
    } else batch.push(axis);
  });
  // Rows of a batch that share B are rows of one taller matrix.
  const inner = batch.at(-1);
  if (
    inner &&
    !transposeA &&
    inner.strideB === 0 &&
    inner.strideA === m * k &&
    inner.others.every((stride, j) => rows[j] === undefined || stride === rows[j] * m)
  ) {
    batch.pop();
    rows = rows.map((stride, j) => stride ?? inner.others[j]!);
    m *= inner.size;
  }
  return {
    spec: {
      ...{ m, n, k, transposeA, transposeB },
      batch: batch.map(({ size, strideA, strideB }) => ({ size, strideA, strideB })),
    },
    strides: others.map((strides, j) => [
      ...batch.map((axis) => axis.others[j]!),
      rows[j] ?? 0,
      strides.at(-1)!,
    ]),
  };
}

/** Strides of the leading axes of an operand under those of the result; 0 where it is repeated. */
function batchStrides(t: Tensor, rank: number): number[] {
  const lead = rank - (t.rank - 2);
  const strides = stridesOf(t.shape);
  return Array.from({ length: rank }, (_, i) =>
    i < lead || t.shape[i - lead] === 1 ? 0 : strides[i - lead]!,
  );
}
