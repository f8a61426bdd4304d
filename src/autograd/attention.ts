import * as c from './operations.ts';
import { broadcastShapes, expectOptions, expectTensors, sizeOf, type Tensor, type Typed } from './tensor.ts';

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Broadcasts to the scores [… , n, m]: bool, true where a key is seen, or f32, added to the scores. */
  readonly mask?: Tensor;
  /** Whether query i sees keys 0 … i only (default: false). */
  readonly causal?: boolean;
  /** Factor of the scores (default: 1/√d). */
  readonly scale?: number;
}

/**
 * Scaled dot-product attention softmax(scale · q kᵀ) v of queries q [… , n, d], keys k [… , m, d] and values
 * v [… , m, e]: [… , n, e]. Leading axes, such as batch and heads, broadcast (Vaswani et al., *Attention is
 * all you need*, 2017). A query that sees no key gives zeros; unseen values count only if NaN or infinite.
 * @throws CollimateError where sizes or the mask do not fit
 * @example attention(full(1, [2, 1]), full(0, [2, 1]), eye(2), { causal: true }) // [[1, 0], [0.5, 0.5]]
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Typed {
  expectTensors('attention', [q, k, v]);
  expectOptions('attention', options, ['mask', 'causal', 'scale']);
  const { scale = 1 / Math.sqrt(q.shape.at(-1)!), causal = false, mask } = options;
  if (q.rank < 2 || k.rank < 2) return c.matmul(q, k); // Its rule says what is wrong.
  const [n, m] = [q.shape.at(-2)!, k.shape.at(-2)!];
  const rows = rowsAtOnce(q, k, causal);
  const blocks = Array.from({ length: Math.ceil(n / rows) }, (_, i) => {
    const [from, to] = [i * rows, Math.min((i + 1) * rows, n)];
    const keys = causal ? Math.min(to, m) : m;
    // Axes of other sizes broadcast, or are refused.
    const queriesOf = (x: Tensor) => (x.shape.at(-2) === n ? c.slice(x, from, to, -2) : x);
    const keysOf = (x: Tensor, axis: number) => (x.shape.at(axis) === m ? c.slice(x, 0, keys, axis) : x);
    let scores = c.mul(c.matmul(queriesOf(q), keysOf(k, -2), { transposeB: true }), scale);
    const seen = mask && keysOf(queriesOf(mask), -1);
    if (seen?.dtype === 'f32') scores = c.add(scores, seen as Typed);
    else if (seen) scores = c.where(seen, scores, -Infinity);
    const row = c.add(c.iota([to - from, 1], -2), from);
    if (causal) scores = c.where(c.greater(c.iota([1, keys], -1), row), -Infinity, scores);
    return weighted(scores, keysOf(v, -2));
  });
  return c.concat(blocks, -2);
}

/** Means of the values, weighted by the exponentials of the scores. */
function weighted(scores: Tensor, v: Tensor): Typed {
  const top = c.amax(scores, -1);
  // Only −∞: a query that sees nothing.
  const e = c.exp(c.sub(scores, c.stopGradient(c.where(c.greater(top, -Infinity), top, 0))));
  const total = c.sum(e, -1);
  // Dividing last takes the exponentials once, and divides n · e numbers instead of n · m.
  return c.div(c.matmul(e, v), c.where(c.equal(total, 0), 1, total));
}

/** Most blocks of causal attention, and fewest queries of one: a block skips the keys behind its queries. */
const [CAUSAL_BLOCKS, CAUSAL_ROWS] = [8, 128];
/** Scores of one block: what any adapter lets a binding span, 128 MiB. */
const MOST_SCORES = 2 ** 25;

/** Queries per block. */
function rowsAtOnce(q: Tensor, k: Tensor, causal: boolean): number {
  const [n, m] = [q.shape.at(-2)!, k.shape.at(-2)!];
  const lead = broadcastShapes('attention', [q.shape.slice(0, -2), k.shape.slice(0, -2)]);
  const most = Math.max(1, Math.min(n, Math.floor(MOST_SCORES / (sizeOf(lead) * m))));
  return causal ? Math.min(most, Math.max(CAUSAL_ROWS, Math.ceil(n / CAUSAL_BLOCKS))) : most;
}
