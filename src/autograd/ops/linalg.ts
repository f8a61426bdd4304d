import { CollimateError } from '../../errors.ts';
import { lateKernels } from '../late.ts';
import type { Rules } from '../rule.ts';
import { formatShape, type Tensor } from '../tensor.ts';
import { orthonormalRows, singularFactor } from './linalg-reference.ts';

function expectMatrices(op: string, { rank, dtype, shape }: Tensor): void {
  if (rank >= 2 && dtype === 'f32') return;
  throw new CollimateError(
    `${op}: the operand is ${dtype}${formatShape(shape)}`,
    'It must be f32 with two axes or more.',
  );
}

/** Factorizations of the randomized SVD. Nothing here is differentiated. */
export const linalgRules: Pick<Rules, 'orthonormalize' | 'svd'> = {
  orthonormalize: {
    shape: ([x]) => {
      expectMatrices('orthonormalize', x!);
      if (x!.shape.at(-2)! > x!.shape.at(-1)!) {
        throw new CollimateError(
          `orthonormalize: shape ${formatShape(x!.shape)} asks for ${x!.shape.at(-2)} orthonormal vectors in ${x!.shape.at(-1)} dimensions`,
          'The last axis but one (vectors) must not exceed the last (dimension).',
        );
      }
      return { shape: x!.shape, dtype: 'f32' };
    },
    reference: ([x]) => {
      const [r, d] = [x!.shape.at(-2)!, x!.shape.at(-1)!];
      const out = new Float64Array(x!.data.length);
      for (let start = 0; start < out.length; start += r * d) {
        const at = (j: number) => start + j * d;
        const rows = Array.from({ length: r }, (_, j) => x!.data.slice(at(j), at(j) + d));
        orthonormalRows(rows).forEach((row, j) => {
          out.set(row, at(j));
        });
      }
      return out;
    },
    jvp: 'nondifferentiable',
    transpose: 'nonlinear',
    late: lateKernels.qr,
    lowering: {
      kind: 'multi-output',
      parts: [{}],
      make: (x, traits) => {
        const [r, d] = [x.shape.at(-2)!, x.shape.at(-1)!];
        return lateKernels.qr.module.qr({ vectors: r, batch: x.size / (r * d), dim: d }, traits);
      },
    },
  },
  svd: {
    shape: ([a], { part }) => {
      expectMatrices('svd', a!);
      const n = a!.shape.at(-1)!;
      if (a!.shape.at(-2) !== n) {
        throw new CollimateError(
          `svd: shape ${formatShape(a!.shape)} is not square`,
          'Reduce a tall matrix by orthonormalize first.',
        );
      }
      return { shape: part === 's' ? a!.shape.slice(0, -1) : a!.shape, dtype: 'f32' };
    },
    reference: ([a], { part }, out) => {
      const n = a!.shape.at(-1)!;
      const data = new Float64Array(out.shape.reduce((x, y) => x * y, 1));
      const each = part === 's' ? n : n * n;
      for (let b = 0; b * n * n < a!.data.length; b++) {
        data.set(singularFactor(a!.data.subarray(b * n * n, (b + 1) * n * n), n, part), b * each);
      }
      return data;
    },
    jvp: 'nondifferentiable',
    transpose: 'nonlinear',
    late: lateKernels.svd,
    lowering: {
      kind: 'multi-output',
      parts: [{ part: 's' }, { part: 'v' }],
      make: (a, traits) => {
        const n = a.shape.at(-1)!;
        return lateKernels.svd.module.svd({ size: n, batch: a.size / (n * n) }, traits);
      },
    },
  },
};
