import { type Shape, sizeOf, stridesOf } from '../shape.ts';

/** Maps a linear index of `out` to the offset with these strides along its axes. */
export function stridedIndex(out: Shape, strides: readonly number[]): (i: number) => number {
  const own = stridesOf(out);
  return (i) => strides.reduce((at, s, axis) => at + s * (Math.floor(i / own[axis]!) % out[axis]!), 0);
}

/** Maps a linear index of `out` to that of the element of `operand` that broadcasts there. */
export function broadcastIndex(out: Shape, operand: Shape): (i: number) => number {
  const lead = new Array<number>(out.length - operand.length).fill(0);
  const strides = stridesOf(operand).map((s, axis) => (operand[axis] === 1 ? 0 : s));
  return stridedIndex(out, [...lead, ...strides]);
}

/** An axis in the middle of a shape: how many elements of it there are, of what size, how often. */
export const around = (shape: Shape, axis: number) => ({
  outer: sizeOf(shape.slice(0, axis)),
  rows: shape.at(axis)!,
  width: axis === -1 ? 1 : sizeOf(shape.slice(axis + 1)),
});
