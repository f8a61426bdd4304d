import { stridesOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** A leading axis of a result, with the stride of each operand along it: 0 where it is repeated. */
export interface BatchAxis {
  readonly size: number;
  readonly strides: readonly number[];
}

/** Axes without those of size 1, and two as one where stepping along the outer equals running through all of the inner. */
export function mergeAxes(axes: readonly BatchAxis[]): BatchAxis[] {
  const merged: BatchAxis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const outer = merged.at(-1);
    if (outer?.strides.every((stride, j) => stride === axis.strides[j]! * axis.size)) {
      merged[merged.length - 1] = { ...axis, size: outer.size * axis.size };
    } else merged.push(axis);
  }
  return merged;
}

/** Strides of the leading axes of an operand under those of the result; 0 where it is repeated. */
export function batchStrides(t: Tensor, rank: number, own: number): number[] {
  const lead = rank - (t.rank - own);
  const strides = stridesOf(t.shape);
  return Array.from({ length: rank }, (_, i) =>
    i < lead || t.shape[i - lead] === 1 ? 0 : strides[i - lead]!,
  );
}
