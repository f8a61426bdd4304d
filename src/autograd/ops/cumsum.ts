import { CollimateError } from '../../errors.ts';
import { cumsum as kernel } from '../../kernels/cumsum.ts';
import { bind } from '../bind.ts';
import type { Rules } from '../rule.ts';
import { formatType } from '../shape.ts';
import { around } from './indexing.ts';

/** Running sums: linear, and each one's transpose runs the other way. */
export const cumsumRules: Pick<Rules, 'cumsum'> = {
  cumsum: {
    shape: ([x], { axis }) => {
      if (x!.dtype !== 'f32' || !(axis < 0 && -axis <= x!.rank)) {
        throw new CollimateError(
          `cumsum: the operand is ${formatType(x!)}, the axis ${axis}`,
          'Give f32 and one of its axes, counted from the end: −1 is the last.',
        );
      }
      return { shape: x!.shape, dtype: 'f32' };
    },
    reference: ([x], { axis, reverse }) => {
      const { rows, width } = around(x!.shape, axis);
      const sums = Float64Array.from(x!.data);
      const step = reverse ? -width : width;
      const isFirst = (i: number) => Math.floor(i / width) % rows === (reverse ? rows - 1 : 0);
      for (let k = 0; k < sums.length; k++) {
        const i = reverse ? sums.length - 1 - k : k;
        if (!isFirst(i)) sums[i]! += sums[i - step]!;
      }
      return sums;
    },
    jvp: ([t], _, { params }) => (t ? bind('cumsum', [t], params) : null),
    transpose: (ct, _x, _l, { params: { axis, reverse } }) => [
      bind('cumsum', [ct], { axis, reverse: !reverse }),
    ],
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [x], params: { axis, reverse } }, traits) =>
        kernel({ ...around(x!.shape, axis), reverse }, traits),
    },
  },
};
