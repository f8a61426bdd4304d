import { CollimateError } from '../../errors.ts';
import { gather } from '../../kernels/gather.ts';
import type { Rules } from '../rule.ts';
import { formatShape, sizeOf } from '../tensor.ts';

/** Rows of a table: `take(table [n, d…], index u32 [b]) → f32 [b, d…]`. */
export const takeRules: Pick<Rules, 'take'> = {
  take: {
    shape: ([table, index]) => {
      if (index!.dtype !== 'u32' || index!.rank !== 1 || !['u8', 'f32'].includes(table!.dtype)) {
        throw new CollimateError(
          `take: table is ${table!.dtype}${formatShape(table!.shape)}, index is ${index!.dtype}${formatShape(index!.shape)}`,
          'The table must be u8 or f32, the index u32 with one axis.',
        );
      }
      return { shape: [...index!.shape, ...table!.shape.slice(1)], dtype: 'f32' };
    },
    reference: ([table, index], { scale, shift }, out) => {
      const rows = table!.shape[0]!;
      const width = table!.data.length / rows;
      const rowOf = (i: number) => Math.min(index!.data[Math.floor(i / width)]!, rows - 1);
      return Float64Array.from(
        { length: sizeOf(out.shape) },
        (_, i) => table!.data[rowOf(i) * width + (i % width)]! * scale + shift,
      );
    },
    // Tables of floats may be differentiated one day; the data sets that this is for are not.
    jvp: ([t]) => {
      if (t) throw new CollimateError('take: the table has no derivative', 'Take rows of data only.');
      return null;
    },
    transpose: 'nonlinear',
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [table, index], params }, traits) =>
        gather(
          {
            source: table!.dtype as 'u8' | 'f32',
            rows: table!.shape[0]!,
            width: table!.size / table!.shape[0]!,
            count: index!.size,
            ...params,
          },
          traits,
        ),
    },
  },
};
