import { CollimateError } from '../../errors.ts';
import { broadcast, concat, full, pad, reshape, slice, sumTo, transpose } from '../operations.ts';
import type { Rules } from '../rule.ts';
import { broadcastShapes, formatShape, formatType, sizeOf, stridesOf, type Tensor } from '../tensor.ts';
import { broadcastIndex, stridedIndex } from './indexing.ts';

/** Bytes stay in the buffers that `take` reads. */
export function expectNumbers(op: string, { dtype, shape }: Tensor): void {
  if (dtype !== 'u8') return;
  throw new CollimateError(
    `${op}: an operand is u8${formatShape(shape)}`,
    'Only take (and reshape, before it) read bytes: take rows of them as f32.',
  );
}

/** The same elements under other coordinates: linear, and transposed to a view, sum or concatenation. */
export const viewRules: Pick<Rules, 'reshape' | 'transpose' | 'broadcast' | 'slice' | 'concat'> = {
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
    transpose: (ct, _x, _l, { params: { perm } }) => {
      const inverse = perm.map((_, i) => perm.indexOf(i));
      return [transpose(ct, inverse)];
    },
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
  slice: {
    shape: ([x], { axis, start, size }) => {
      expectNumbers('slice', x!);
      const whole = axis < 0 ? (x!.shape.at(axis) ?? 0) : 0;
      if (![start, size].every(Number.isInteger) || start < 0 || size < 1 || start + size > whole) {
        throw new CollimateError(
          `slice: there are no elements ${start} to ${start + size - 1} along axis ${axis} of shape ${formatShape(x!.shape)}`,
          `Give a start and a larger limit from 0 to ${whole}, and an axis that there is.`,
        );
      }
      return { shape: x!.shape.with(axis, size), dtype: x!.dtype };
    },
    reference: ([x], { axis, start }, out) => {
      const strides = stridesOf(x!.shape);
      const index = stridedIndex(out.shape, strides);
      const first = start * strides.at(axis)!;
      return Float64Array.from({ length: sizeOf(out.shape) }, (_, i) => x!.data[first + index(i)]!);
    },
    jvp: ([t], _, { params: { axis, start, size } }) => (t ? slice(t, start, start + size, axis) : null),
    transpose: (ct, [x], _, { params: { axis, start, size } }) => {
      const after = x!.shape.at(axis)! - start - size;
      return [pad(ct, [[start, after], ...new Array<[number, number]>(-1 - axis).fill([0, 0])])];
    },
    lowering: { kind: 'view' },
  },
  concat: {
    shape: (inputs, { axis }) => {
      for (const x of inputs) expectNumbers('concat', x);
      const [first] = inputs as [Tensor];
      const odd = inputs.find((x) => x.dtype !== first.dtype || !(axis < 0 && -axis <= x.rank));
      if (odd) {
        throw new CollimateError(
          `concat: operands are ${formatType(first)} and ${formatType(odd)}, axis ${axis}`,
          'Give operands of one type that have the axis, counted from the end: −1 is the last.',
        );
      }
      const around = inputs.map((x) => x.shape.with(axis, 1));
      const total = inputs.reduce((sum, x) => sum + x.shape.at(axis)!, 0);
      return { shape: broadcastShapes('concat', around).with(axis, total), dtype: first.dtype };
    },
    reference: (inputs, { axis }, out) => {
      const data = new Float64Array(sizeOf(out.shape));
      const strides = stridesOf(out.shape);
      let start = 0;
      for (const x of inputs) {
        const own = out.shape.with(axis, x.shape.at(axis)!);
        const [from, to] = [broadcastIndex(own, x.shape), stridedIndex(own, strides)];
        for (let i = 0; i < sizeOf(own); i++) data[start * strides.at(axis)! + to(i)] = x.data[from(i)]!;
        start += x.shape.at(axis)!;
      }
      return data;
    },
    jvp: (ts, xs, { params: { axis } }) =>
      concat(
        xs.map((x, i) => ts[i] ?? full(0, x.shape)),
        axis,
      ),
    transpose: (ct, xs, linear, { params: { axis } }) => {
      let end = 0;
      return xs.map((x, i) => {
        const start = end;
        end += x.shape.at(axis)!;
        return linear[i] ? sumTo(slice(ct, start, end, axis), x.shape) : null;
      });
    },
    lowering: {
      kind: 'pointwise',
      cost: 2,
      // The operands, the place, and where all but the first of them start.
      wgsl: (args) => {
        const count = args.length / 2;
        const from = (i: number): string =>
          i === count - 1
            ? args[i]!
            : `select(${from(i + 1)}, ${args[i]}, ${args[count]} < ${args[count + 1 + i]})`;
        return from(0);
      },
    },
  },
};
