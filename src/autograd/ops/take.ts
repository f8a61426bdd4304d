import { CollimateError } from '../../errors.ts';
import { gather } from '../../kernels/gather.ts';
import { bind } from '../bind.ts';
import { add, broadcast, greater, iota, mul, reshape, where } from '../operations.ts';
import type { Primitive } from '../primitives.ts';
import type { NdArray, Rule, Rules } from '../rule.ts';
import { formatType, holds, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { arithmeticRules } from './arithmetic.ts';
import { elementaryRules } from './elementary.ts';
import { leafRules } from './leaves.ts';
import { viewRules } from './views.ts';

const literalRules = { ...leafRules, ...viewRules, ...arithmeticRules, ...elementaryRules } as Partial<
  Record<Primitive, unknown>
>;

/** What an index holds whatever is given at run time; undefined if it depends on that. */
function literalValues(x: Tensor, known = new Map<Tensor, NdArray | undefined>()): NdArray | undefined {
  if (known.has(x)) return known.get(x);
  const rule = literalRules[x.op] as Rule<Primitive> | undefined;
  const inputs = x.inputs.map((t) => literalValues(t, known)).filter((t) => t !== undefined);
  const literal = rule && !x.is('input') && inputs.length === x.inputs.length;
  const data = literal ? rule.reference(inputs, x.params, x) : undefined;
  known.set(x, data && { shape: x.shape, dtype: x.dtype, data });
  return known.get(x);
}

/** Rows of a table: `take(table [n, d…], index u32 [b]) → f32 [b, d…]`; beyond the table there is NaN. */
export const takeRules: Pick<Rules, 'take'> = {
  take: {
    shape: ([table, index], { scale, shift }) => {
      const types = index!.dtype === 'u32' && ['u8', 'f32'].includes(table!.dtype);
      if (!types || index!.rank !== 1 || table!.rank === 0) {
        throw new CollimateError(
          `take: table is ${formatType(table!)}, index is ${formatType(index!)}`,
          'The table must be u8 or f32 with an axis or more, the index u32 with one.',
        );
      }
      if (![scale, shift].every((x) => Number.isFinite(x) && holds('f32', x))) {
        throw new CollimateError(
          `take: the scale is ${scale}, the shift ${shift}`,
          'Give finite float32 numbers.',
        );
      }
      const rows = table!.shape[0]!;
      const beyond = literalValues(index!)?.data.find((i) => i >= rows);
      if (beyond !== undefined) {
        throw new CollimateError(
          `take: row ${beyond} is beyond the table ${formatType(table!)}`,
          `Take rows 0 to ${rows - 1}.`,
        );
      }
      return { shape: [...index!.shape, ...table!.shape.slice(1)], dtype: 'f32' };
    },
    reference: ([table, index], { scale, shift }, out) => {
      const rows = table!.shape[0]!;
      const width = table!.data.length / rows;
      return Float64Array.from({ length: sizeOf(out.shape) }, (_, i) => {
        const row = index!.data[Math.floor(i / width)]!;
        return row < rows ? table!.data[row * width + (i % width)]! * scale + shift : Number.NaN;
      });
    },
    // Tables of floats may be differentiated one day; the data sets that this is for are not.
    jvp: ([t]) => {
      if (t) throw new CollimateError('take: the table has no derivative', 'Take rows of data only.');
      return null;
    },
    transpose: 'nonlinear',
    // Rows of one long table, in one list. An index beyond its own table is beyond the long one.
    batch: ([table, index], [own, chooses], { inputs: [model], params }) => {
      const rows = model!.shape[0]!;
      const count = own ? table!.shape[0]! : index!.shape[0]!;
      const lists = broadcast(chooses ? index! : reshape(index!, [1, index!.size]), [
        count,
        index!.shape.at(-1)!,
      ]);
      const long = own ? reshape(table!, [count * rows, ...model!.shape.slice(1)]) : table!;
      const first = mul(iota([count, 1], 0), rows);
      const list = own ? where(greater(rows, lists), add(lists, first), count * rows) : lists;
      const taken = bind('take', [long, reshape(list, [lists.size])], params);
      return reshape(taken, [...lists.shape, ...model!.shape.slice(1)]);
    },
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
