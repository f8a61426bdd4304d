import type { Tensor } from '../tensor.ts';
import { expressionOf, isUnitReshape } from './expression.ts';

/**
 * The axis of a tensor along which its last axis holds, in their order, all unit vectors, whatever the other axes: how Jacobians
 * are asked for whole, as the image of each unit vector. Undefined for any other tensor. Seen are equalities of two coordinates
 * under views; they can be written otherwise.
 */
export function unitVectorAxis(x: Tensor): number | undefined {
  const cast = behindViews(x);
  const equal = cast?.is('cast') ? behindViews(cast.inputs[0]!) : undefined;
  if (equal?.op !== 'equal' || !equal.inputs.every((side) => behindViews(side)?.op === 'iota'))
    return undefined;
  const { leaves } = expressionOf([x], x.shape, () => false).body;
  // A coordinate along an axis of length 1 has no axis.
  const axes = leaves.map(({ strides }) => strides.indexOf(1));
  const other = axes.find((axis) => axis !== x.rank - 1);
  const both = axes.length === 2 && axes.includes(x.rank - 1) && other !== undefined && other >= 0;
  return both && x.shape[other] === x.shape.at(-1) ? other : undefined;
}

/** What views show, as far as a kernel could look through them. */
function behindViews(x: Tensor): Tensor | undefined {
  let source = x;
  for (;;) {
    if (source.op === 'broadcast' || source.op === 'transpose' || isUnitReshape(source))
      source = source.inputs[0]!;
    else return source.op === 'reshape' ? undefined : source;
  }
}
