import { add, broadcastLike, mul, where, zerosLike } from '../operations.ts';
import type { Tensor } from '../tensor.ts';

/** Sum of the nonzero tangents, each broadcast to the shape of the result. */
export function total(tangents: readonly (Tensor | null)[], out: Tensor): Tensor | null {
  const known = tangents.filter((t) => t !== null).map((t) => broadcastLike(t, out));
  return known.length ? known.reduce((a, b) => add(a, b)) : null;
}

/** The tangent of a choice: that of the `first` or `second` operand, or their mean where it is neither. */
export function tangentOf(
  [ta, tb]: readonly (Tensor | null)[],
  first: Tensor,
  second: Tensor,
  out: Tensor,
): Tensor | null {
  const halves = [ta, tb].map((t) => (t ? mul(t, 0.5) : null));
  const half = total(halves, out);
  return half && selectTangent(first, [ta!, selectTangent(second, [tb!, half], out)], out);
}

/** The tangent of a choice; a choice between two zeros is zero. */
export function selectTangent(
  choice: Tensor,
  [ta, tb]: readonly (Tensor | null)[],
  out: Tensor,
): Tensor | null {
  if (!ta && !tb) return null;
  const a = ta ? broadcastLike(ta, out) : zerosLike(tb!);
  const b = tb ? broadcastLike(tb, out) : zerosLike(ta!);
  return where(choice, a, b);
}
