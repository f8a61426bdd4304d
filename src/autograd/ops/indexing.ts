import { type Shape, stridesOf } from '../shape.ts';

/** Maps a linear index of `out` to the linear index of the element that broadcasting reads from `operand`. */
export function broadcastIndex(out: Shape, operand: Shape): (i: number) => number {
  const outStrides = stridesOf(out);
  const strides = stridesOf(operand);
  const lead = out.length - operand.length;
  return (i) => {
    let index = 0;
    for (let axis = 0; axis < operand.length; axis++) {
      const coordinate = Math.floor(i / outStrides[axis + lead]!) % out[axis + lead]!;
      if (operand[axis] !== 1) index += coordinate * strides[axis]!;
    }
    return index;
  };
}
