import { CollimateError } from '../../errors.ts';
import { bind } from '../bind.ts';
import { lateKernels } from '../late.ts';
import type { Rules } from '../rule.ts';
import { formatType, isNumeric, type Numeric, wrap } from '../shape.ts';
import { around } from './indexing.ts';

/** Running sums: linear, and each one's transpose runs the other way. */
export const cumsumRules: Pick<Rules, 'cumsum'> = {
  cumsum: {
    shape: ([x], { axis }) => {
      if (!isNumeric(x!.dtype) || !(axis < 0 && -axis <= x!.rank)) {
        throw new CollimateError(
          `cumsum: the operand is ${formatType(x!)}, the axis ${axis}`,
          'Give numbers and one of their axes, counted from the end: −1 is the last.',
        );
      }
      return { shape: x!.shape, dtype: x!.dtype };
    },
    reference: ([x], { axis, reverse }, { dtype }) => {
      const { rows, width } = around(x!.shape, axis);
      const sums = Float64Array.from(x!.data);
      const step = reverse ? -width : width;
      const isFirst = (i: number) => Math.floor(i / width) % rows === (reverse ? rows - 1 : 0);
      for (let k = 0; k < sums.length; k++) {
        const i = reverse ? sums.length - 1 - k : k;
        if (!isFirst(i)) sums[i] = wrap(dtype, sums[i]! + sums[i - step]!);
      }
      return sums;
    },
    jvp: ([t], _, { params }) => (t ? bind('cumsum', [t], params) : null),
    transpose: (ct, _x, _l, { params: { axis, reverse } }) => [
      bind('cumsum', [ct], { axis, reverse: !reverse }),
    ],
    late: lateKernels.cumsum,
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [x], params: { axis, reverse } }, traits) =>
        lateKernels.cumsum.module.cumsum(
          { ...around(x!.shape, axis), reverse, dtype: x!.dtype as Numeric },
          traits,
        ),
    },
  },
};
