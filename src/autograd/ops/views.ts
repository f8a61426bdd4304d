import { CollimateError } from '../../errors.ts';
import { broadcast, reshape, sumTo, transpose } from '../operations.ts';
import type { Rules } from '../rule.ts';
import { formatShape, sizeOf, stridesOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { broadcastIndex, stridedIndex } from './indexing.ts';

/** Bytes stay in the buffers that `take` reads. */
export function expectNumbers(op: string, { dtype, shape }: Tensor): void {
  if (dtype !== 'u8') return;
  throw new CollimateError(
    `${op}: an operand is u8${formatShape(shape)}`,
    'Only take (and reshape, before it) read bytes: take rows of them as f32.',
  );
}

/** The same elements under other coordinates. All are linear, and each one's transpose is a view or a sum. */
export const viewRules: Pick<Rules, 'reshape' | 'transpose' | 'broadcast'> = {
  reshape: {
    shape: ([x], { from, to }) => {
      const old = x!.shape.slice(x!.rank - from);
      if (!Number.isInteger(from) || from < 0 || from > x!.rank || sizeOf(old) !== sizeOf(to)) {
        throw new CollimateError(
          `reshape: ${formatShape(old)} has ${sizeOf(old)} elements, ${formatShape(to)} has ${sizeOf(to)}`,
          'The number of elements must stay.',
        );
      }
      return { shape: [...x!.shape.slice(0, x!.rank - from), ...to], dtype: x!.dtype };
    },
    reference: ([x]) => x!.data,
    jvp: ([t], _, { params }) => (t ? reshape(t, params.to, params.from) : null),
    transpose: (ct, [x], _, { params }) => [
      reshape(ct, x!.shape.slice(x!.rank - params.from), params.to.length),
    ],
    lowering: { kind: 'view' },
  },
  transpose: {
    shape: ([x], { perm }) => {
      expectNumbers('transpose', x!);
      const r = perm.length;
      if (r > x!.rank || [...perm].sort((a, b) => a - b).some((p, i) => p !== i)) {
        throw new CollimateError(
          `transpose: [${perm}] does not permute the last axes of shape ${formatShape(x!.shape)}`,
          `Give a permutation of 0 … ${r - 1} with at most ${x!.rank} entries.`,
        );
      }
      const lead = x!.rank - r;
      return {
        shape: [...x!.shape.slice(0, lead), ...perm.map((p) => x!.shape[lead + p]!)],
        dtype: x!.dtype,
      };
    },
    reference: ([x], { perm }, out) => {
      const lead = x!.shape.length - perm.length;
      const inStrides = stridesOf(x!.shape);
      const index = stridedIndex(out.shape, [
        ...inStrides.slice(0, lead),
        ...perm.map((p) => inStrides[lead + p]!),
      ]);
      return Float64Array.from(x!.data, (_, i) => x!.data[index(i)]!);
    },
    jvp: ([t], _, { params }) => (t ? transpose(t, params.perm) : null),
    transpose: (ct, _x, _l, { params: { perm } }) => [
      transpose(
        ct,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ],
    lowering: { kind: 'view' },
  },
  broadcast: {
    shape: ([x], { to }) => {
      expectNumbers('broadcast', x!);
      const lead = x!.rank - to.length;
      const old = x!.shape.slice(Math.max(lead, 0));
      if (lead < 0 || old.some((d, i) => d !== to[i] && d !== 1)) {
        throw new CollimateError(
          `broadcast: shape ${formatShape(x!.shape)} cannot be repeated to ${formatShape(to)}`,
          'Sizes must be equal, or 1 where the operand is to be repeated.',
        );
      }
      return { shape: [...x!.shape.slice(0, lead), ...to], dtype: x!.dtype };
    },
    reference: ([x], _, out) => {
      const map = broadcastIndex(out.shape, x!.shape);
      return Float64Array.from({ length: sizeOf(out.shape) }, (_, i) => x!.data[map(i)]!);
    },
    jvp: ([t], _, { params }) => (t ? broadcast(t, params.to) : null),
    transpose: (ct, [x]) => [sumTo(ct, x!.shape)],
    lowering: { kind: 'view' },
  },
};
