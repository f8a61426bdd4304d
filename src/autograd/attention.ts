import {
  add,
  amax,
  div,
  equal,
  exp,
  greater,
  iota,
  matmul,
  mul,
  stopGradient,
  sub,
  sum,
  where,
} from './operations.ts';
import { expectOptions, expectTensors, type Tensor, type Typed } from './tensor.ts';

/** What {@link attention} looks at. */
export interface AttentionOptions {
  /** Broadcasts to the scores [… , n, m]: a bool is true where a key is seen, an f32 is added to the score. */
  readonly mask?: Tensor;
  /** Whether query i sees keys 0 … i only (default: false). */
  readonly causal?: boolean;
  /** What scores are multiplied by (default: 1/√d). */
  readonly scale?: number;
}

/**
 * Scaled dot-product attention, softmax(scale · q kᵀ) v, of queries q [… , n, d], keys k [… , m, d] and values v [… , m, e], as
 * [… , n, e]; leading axes, such as batch and heads, broadcast (Vaswani et al., *Attention is all you need*, 2017). A query that sees no
 * key gives zeros. What is not seen does not count, but where it is NaN or infinite in v.
 * @throws CollimateError where sizes or the mask do not fit
 * @example attention(q, k, v, { causal: true })
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Typed {
  expectTensors('attention', [q, k, v]);
  expectOptions('attention', options, ['mask', 'causal', 'scale']);
  const { mask, causal = false, scale = 1 / Math.sqrt(q.shape.at(-1) ?? 1) } = options;
  let scores = mul(matmul(q, k, { transposeB: true }), scale);
  if (mask?.dtype === 'f32') scores = add(scores, mask as Typed);
  else if (mask) scores = where(mask, scores, -Infinity);
  const [n, m] = scores.shape.slice(-2) as [number, number];
  if (causal) scores = where(greater(iota([1, m], -1), iota([n, 1], -2)), -Infinity, scores);
  const top = amax(scores, -1);
  // Nothing but −∞: a query that sees nothing.
  const e = exp(sub(scores, stopGradient(where(greater(top, -Infinity), top, 0))));
  const total = sum(e, -1);
  // Divided by the total at last, exponentials are taken once, and of n · e numbers instead of n · m.
  return div(matmul(e, v), where(equal(total, 0), 1, total));
}
