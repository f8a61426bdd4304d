import { CollimateError } from '../../errors.ts';
import { bind } from '../bind.ts';
import { lateKernels } from '../late.ts';
import * as c from '../operations.ts';
import type { Primitive } from '../primitives.ts';
import type { NdArray, Rule, Rules } from '../rule.ts';
import { formatType, holds, isInteger, sizeOf } from '../shape.ts';
import { sides, type Tensor } from '../tensor.ts';
import { arithmeticRules } from './arithmetic.ts';
import { elementaryRules } from './elementary.ts';
import { around } from './indexing.ts';
import { leafRules } from './leaves.ts';
import { viewRules } from './views.ts';

const literalRules = { ...leafRules, ...viewRules, ...arithmeticRules, ...elementaryRules } as Partial<
  Record<Primitive, unknown>
>;

/** The values of an index that depends on nothing given at run time; undefined for any other. */
function literalValues(x: Tensor, known = new Map<Tensor, NdArray | undefined>()): NdArray | undefined {
  if (known.has(x)) return known.get(x);
  const rule = literalRules[x.op] as Rule<Primitive> | undefined;
  const inputs = x.inputs.map((t) => literalValues(t, known)).filter((t) => t !== undefined);
  const literal = rule && !x.is('input') && inputs.length === x.inputs.length;
  const data = literal ? rule.reference(inputs, x.params, x) : undefined;
  known.set(x, data && { shape: x.shape, dtype: x.dtype, data });
  return known.get(x);
}

/**
 * Applies `record` to `x` along its first axis by one list, for each of many lists; `x` (`own`) and list
 * (`chooses`) may differ. What does is laid end to end; an index of `rows` or more is beyond all.
 */
function byLists(
  [x, index]: readonly Tensor[],
  [own, chooses]: readonly boolean[],
  axis: number,
  rows: number,
  record: (x: Tensor, list: Tensor, count: number) => Tensor,
): Tensor {
  const count = own ? x!.shape[0]! : index!.shape[0]!;
  const lists = c.broadcast(
    chooses ? c.cast(index!, 'u32') : c.reshape(c.cast(index!, 'u32'), [1, index!.size]),
    [count, index!.shape.at(-1)!],
  );
  const first = c.mul(c.iota([count, 1], 0), rows);
  const list = own ? c.where(c.greater(rows, lists), c.add(lists, first), count * rows) : lists;
  const moved = c.moveaxis(x!, axis, own ? 1 : 0);
  const long = own ? c.reshape(moved, [count * moved.shape[1]!, ...moved.shape.slice(2)]) : moved;
  const made = record(long, c.reshape(list, [list.size]), count);
  return c.moveaxis(c.reshape(made, [count, made.shape[0]! / count, ...made.shape.slice(1)]), 1, axis);
}

/** Elements of a table by index, NaN beyond it, and sums by index. As u32, negative indices are beyond. */
export const takeRules: Pick<Rules, 'take' | 'scatterAdd'> = {
  take: {
    shape: ([table, index], { axis, scale, shift }) => {
      const rows = axis < 0 ? table!.shape.at(axis) : undefined;
      const types = isInteger(index!.dtype) && ['u8', 'f32'].includes(table!.dtype);
      if (!types || index!.rank !== 1 || rows === undefined) {
        throw new CollimateError(
          `take: table is ${formatType(table!)}, index is ${formatType(index!)}, axis ${axis}`,
          'The table must be u8 or f32 with that axis, the index u32 or i32 with one.',
        );
      }
      if (![scale, shift].every((x) => Number.isFinite(x) && holds('f32', x))) {
        throw new CollimateError(
          `take: the scale is ${scale}, the shift ${shift}`,
          'Give finite float32 numbers.',
        );
      }
      const beyond = literalValues(index!)?.data.find((i) => i < 0 || i >= rows);
      if (beyond !== undefined) {
        throw new CollimateError(
          `take: row ${beyond} is beyond the table ${formatType(table!)}`,
          `Take rows 0 to ${rows - 1}.`,
        );
      }
      return { shape: table!.shape.with(axis, index!.size), dtype: 'f32' };
    },
    reference: ([table, index], { axis, scale, shift }, out) => {
      const { rows, width } = around(table!.shape, axis);
      const count = index!.data.length;
      return Float64Array.from({ length: sizeOf(out.shape) }, (_, i) => {
        const number = Math.floor(i / width);
        const row = index!.data[number % count]! >>> 0;
        const at = (Math.floor(number / count) * rows + row) * width + (i % width);
        return row < rows ? table!.data[at]! * scale + shift : Number.NaN;
      });
    },
    jvp: ([t], [, index], { params: { axis, scale } }) => (t ? c.take(t, index!, { axis, scale }) : null),
    transpose: (ct, [table, index], _, { params: { axis, scale } }) => [
      c.scatterAdd(scale === 1 ? ct : c.mul(ct, scale), index!, table!.shape.at(axis)!, axis),
      null,
    ],
    batch: (inputs, mapped, { inputs: [model], params }) =>
      mapped[1]
        ? byLists(inputs, mapped, params.axis, model!.shape.at(params.axis)!, (table, list) =>
            bind('take', [table, list], { ...params, axis: -table.rank }),
          )
        : bind('take', inputs, params),
    late: lateKernels.gather,
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [, index] }, traits, all) => {
        const tables = all.map(({ inputs: [table], params: { axis, scale, shift } }) => {
          const source = table!.dtype as 'u8' | 'f32';
          return { source, ...around(table!.shape, axis), scale, shift };
        });
        const { outer } = tables[0]!;
        return lateKernels.gather.module.gather({ tables, outer, count: index!.size }, traits);
      },
    },
  },
  scatterAdd: {
    shape: ([updates, index], { axis, rows }) => {
      const types = updates!.dtype === 'f32' && isInteger(index!.dtype) && index!.rank === 1;
      if (!types || axis >= 0 || index!.size !== updates!.shape.at(axis)) {
        throw new CollimateError(
          `scatterAdd: updates are ${formatType(updates!)}, index is ${formatType(index!)}, axis ${axis}`,
          'Give updates of f32, and an index of u32 or i32 for each along the axis.',
        );
      }
      return { shape: sides('scatterAdd', updates!.shape.with(axis, rows)), dtype: 'f32' };
    },
    reference: ([updates, index], { axis, rows }, out) => {
      const { rows: count, width } = around(updates!.shape, axis);
      const sums = new Float64Array(sizeOf(out.shape));
      updates!.data.forEach((x, i) => {
        const number = Math.floor(i / width);
        const row = index!.data[number % count]! >>> 0;
        if (row < rows) sums[(Math.floor(number / count) * rows + row) * width + (i % width)]! += x;
      });
      return sums;
    },
    jvp: ([t], [, index], { params: { axis, rows } }) => (t ? c.scatterAdd(t, index!, rows, axis) : null),
    // What was dropped has a cotangent of 0, where take gives NaN.
    transpose: (ct, [, index], _, { params: { axis, rows } }) => {
      const inside = c.reshape(c.less(c.cast(index!, 'u32'), rows), [
        index!.size,
        ...new Array<number>(-1 - axis).fill(1),
      ]);
      return [c.where(inside, c.take(ct, index!, { axis }), 0), null];
    },
    batch: (inputs, mapped, { params: { axis, rows } }) => {
      if (!mapped[1]) return bind('scatterAdd', inputs, { axis, rows });
      const [updates, index] = inputs as [Tensor, Tensor];
      const all = c.broadcast(c.reshape(updates, mapped[0] ? updates.shape : [1, ...updates.shape]), [
        index.shape[0]!,
        ...updates.shape.slice(Number(mapped[0])),
      ]);
      return byLists([all, index], [true, true], axis, rows, (x, list, count) =>
        c.scatterAdd(x, list, count * rows),
      );
    },
    late: lateKernels.scatter,
    lowering: {
      kind: 'kernel',
      make: ({ inputs: [updates, index], params: { axis, rows } }, traits) =>
        lateKernels.scatter.module.scatter(
          { ...around(updates!.shape, axis), rows, count: index!.size },
          traits,
        ),
    },
  },
};
