import type { MatmulSpec } from '../../kernels/matmul.ts';
import { stridesOf, type Tensor } from '../tensor.ts';

/** Sizes and batch strides of a traced product, with as few and as large batch axes as its broadcasting allows. */
export function matmulSpec(node: Tensor<'matmul'>): MatmulSpec {
  const [a, b] = node.inputs as [Tensor, Tensor];
  const { transposeA, transposeB } = node.params;
  const spec = {
    m: node.shape.at(-2)!,
    n: node.shape.at(-1)!,
    k: a.shape.at(transposeA ? -2 : -1)!,
    transposeA,
    transposeB,
  };
  const sizes = node.shape.slice(0, -2);
  const [sa, sb] = [a, b].map((t) => batchStrides(t, sizes.length)) as [number[], number[]];
  const batch: { size: number; strideA: number; strideB: number }[] = [];
  sizes.forEach((size, i) => {
    if (size === 1) return;
    const outer = batch.at(-1);
    const axis = { size, strideA: sa[i]!, strideB: sb[i]! };
    // Two axes are one where stepping along the outer equals running through the whole of the inner.
    if (outer && outer.strideA === axis.strideA * size && outer.strideB === axis.strideB * size) {
      Object.assign(outer, { ...axis, size: outer.size * size });
    } else batch.push(axis);
  });
  // Rows of a batch that share B are rows of one taller matrix.
  const inner = batch.at(-1);
  if (inner && !transposeA && inner.strideB === 0 && inner.strideA === spec.m * spec.k) {
    batch.pop();
    spec.m *= inner.size;
  }
  return { ...spec, batch };
}

/** Strides of the leading axes of an operand under those of the result; 0 where it is repeated. */
function batchStrides(t: Tensor, rank: number): number[] {
  const lead = rank - (t.rank - 2);
  const strides = stridesOf(t.shape);
  return Array.from({ length: rank }, (_, i) =>
    i < lead || t.shape[i - lead] === 1 ? 0 : strides[i - lead]!,
  );
}
