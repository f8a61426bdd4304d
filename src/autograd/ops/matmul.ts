import { CollimateError } from '../../errors.ts';
import { matmul as matmulKernel } from '../../kernels/matmul.ts';
import { add, flattenRows, matmul, sumTo } from '../functions.ts';
import { matmulSpec } from '../lower/matmul-spec.ts';
import type { Rules } from '../rule.ts';
import { broadcastShapes, formatShape, type Tensor } from '../tensor.ts';
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
          `matmul: operands are ${a!.dtype}${formatShape(a!.shape)} and ${b!.dtype}${formatShape(b!.shape)}`,
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
      // One operand shared by a batch of others: the sum over the batch is part of one long product.
      let [x, g] = [a!, ct];
      if (b!.rank === 2 && !transposeA && sharesBatch(x, g)) [x, g] = [flattenRows(x), flattenRows(g)];
      const bar = transposeB
        ? matmul(g, x, { transposeA: true, transposeB: transposeA })
        : matmul(x, g, { transposeA: !transposeA });
      return [null, sumTo(bar, b!.shape)];
    },
    lowering: {
      kind: 'kernel',
      make: (node, traits) => matmulKernel(matmulSpec(node), traits),
    },
  },
};

function sharesBatch(a: Tensor, b: Tensor): boolean {
  return a.rank === b.rank && a.shape.slice(0, -1).every((d, i) => d === b.shape[i]);
}
