import { CollimateError } from '../../errors.ts';
import { matmul as matmulKernel } from '../../kernels/matmul.ts';
import { layOutMatmul } from '../lower/product-spec.ts';
import { add, matmul, reshape, sumTo } from '../operations.ts';
import type { Rules } from '../rule.ts';
import { broadcastShapes, formatShape, formatType, sizeOf, type Tensor } from '../tensor.ts';
import { broadcastIndex } from './indexing.ts';

/** Rows and columns of an operand after its transposition. */
function sides(t: Tensor, transposed: boolean): [number, number] {
  const [r, c] = [t.shape.at(-2)!, t.shape.at(-1)!];
  return transposed ? [c, r] : [r, c];
}

export const matmulRules: Pick<Rules, 'matmul'> = {
  matmul: {
    shape: ([a, b], { transposeA, transposeB }) => {
      if (a!.rank < 2 || b!.rank < 2 || a!.dtype !== 'f32' || b!.dtype !== 'f32') {
        throw new CollimateError(
          `matmul: operands are ${formatType(a!)} and ${formatType(b!)}`,
          'Both must be f32 with two axes or more.',
        );
      }
      const [m, ka] = sides(a!, transposeA);
      const [kb, n] = sides(b!, transposeB);
      if (ka !== kb) {
        throw new CollimateError(
          `matmul: the inner sizes differ: ${ka} (${formatShape(a!.shape)}${transposeA ? ' transposed' : ''}) and ${kb} (${formatShape(b!.shape)}${transposeB ? ' transposed' : ''})`,
          'Columns of the first operand must equal rows of the second.',
        );
      }
      const batch = broadcastShapes('matmul', [a!.shape.slice(0, -2), b!.shape.slice(0, -2)]);
      return { shape: [...batch, m, n], dtype: 'f32' };
    },
    reference: ([a, b], { transposeA, transposeB }, out) => {
      const [m, n] = [out.shape.at(-2)!, out.shape.at(-1)!];
      const k = a!.shape.at(transposeA ? -2 : -1)!;
      const batch = out.shape.slice(0, -2);
      const mapA = broadcastIndex(batch, a!.shape.slice(0, -2));
      const mapB = broadcastIndex(batch, b!.shape.slice(0, -2));
      const [ai, ak] = transposeA ? [1, m] : [k, 1];
      const [bk, bj] = transposeB ? [1, k] : [n, 1];
      const data = new Float64Array(out.shape.reduce((x, y) => x * y, 1));
      for (let p = 0; p * m * n < data.length; p++) {
        const [oa, ob, oc] = [mapA(p) * m * k, mapB(p) * k * n, p * m * n];
        for (let i = 0; i < m; i++)
          for (let l = 0; l < k; l++) {
            const x = a!.data[oa + i * ai + l * ak]!;
            for (let j = 0; j < n; j++) data[oc + i * n + j]! += x * b!.data[ob + l * bk + j * bj]!;
          }
      }
      return data;
    },
    // d(A B) = dA B + A dB
    jvp: ([ta, tb], [a, b], { params: p }) => {
      const da = ta ? matmul(ta, b!, p) : null;
      const db = tb ? matmul(a!, tb, p) : null;
      return da && db ? add(da, db) : (da ?? db);
    },
    transpose: (ct, [a, b], [la, lb], { params: { transposeA, transposeB } }) => {
      // C = A B:  Ā = C̄ Bᵀ,  B̄ = Aᵀ C̄; a transposed operand takes the transpose of that.
      if (la) {
        const bar = transposeA
          ? matmul(b!, ct, { transposeA: transposeB, transposeB: true })
          : matmul(ct, b!, { transposeB: !transposeB });
        return [sumTo(bar, a!.shape), null];
      }
      if (!lb) return [null, null];
      const shared = transposeA ? 0 : sharedAxes(a!, b!, ct);
      const [x, g] = [a!, ct].map((t) => mergeRows(t, shared)) as [Tensor, Tensor];
      const bar = transposeB
        ? matmul(g, x, { transposeA: true, transposeB: transposeA })
        : matmul(x, g, { transposeA: !transposeA });
      const own = [...b!.shape.slice(0, b!.rank - 2 - shared), ...b!.shape.slice(-2)];
      return [null, reshape(sumTo(bar, own), b!.shape)];
    },
    lowering: {
      kind: 'kernel',
      make: (node, traits) => matmulKernel(layOutMatmul(node).spec, traits),
    },
  },
};

/** How many innermost batch axes share one B: a product of merged rows sums over them. */
function sharedAxes(a: Tensor, b: Tensor, ct: Tensor): number {
  const shared = (axis: number) => b.shape.at(axis) === 1 && a.shape.at(axis) === ct.shape.at(axis);
  let count = 0;
  while (count + 2 < Math.min(a.rank, b.rank) && shared(-3 - count)) count++;
  return count;
}

/** The last `count` batch axes and the rows as one axis. */
function mergeRows(t: Tensor, count: number): Tensor {
  const merged = t.shape.slice(-2 - count);
  return reshape(t, [sizeOf(merged) / merged.at(-1)!, merged.at(-1)!], count + 2);
}
