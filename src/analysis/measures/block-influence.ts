import { meanOf } from '../statistics.ts';
import { dot, norm } from '../vectors.ts';
import { type Own, ofBlock } from './field.ts';
import type { Scalar, StageAt } from './measure.ts';

export const title = 'Block influence';
export const about = `How much a block turns what passes it: small where it could be left out, say Men et al. (*ShortGPT: layers in large
language models are more redundant than you expect*, 2024), who average over tokens; here, over the positions of an image. h_{i+1} is what block i
puts out, also where attention and MLP are blocks of their own.`;

export const sample = {
  blockInfluence: ofBlock(
    '1 − cosine of h_i and h_{i+1}, mean over positions; `null` where one of them is zero everywhere',
    { label: '1 − cosine of hᵢ and hᵢ₊₁' },
  ),
};
type Measures = Own<typeof sample>;

export const at = ({ path, behind, shape }: StageAt) => ({
  blockInfluence: behind.map((h, i) => influence(path[i]!, h, shape.at(-1)!)),
});

/** Mean of 1 − cosine over two arrays' vectors of so many features, skipping pairs with a zero vector. */
function influence(a: Float64Array, b: Float64Array, features: number): number | null {
  const found: number[] = [];
  for (let start = 0; start < a.length; start += features) {
    const [x, y] = [a, b].map((h) => h.subarray(start, start + features)) as [Float64Array, Float64Array];
    const lengths = norm(x) * norm(y);
    if (lengths > 0) found.push(1 - dot(x, y) / lengths);
  }
  return meanOf(found);
}

export const scalars = {
  blockInfluence: {
    label: 'block influence',
    what: 'block influence 1 − cosine of h_i and h_{i+1}, mean over blocks',
    from: ({ summary }) => meanOf(summary.blockInfluence.map(({ mean }) => mean)),
  },
  blockInfluenceSum: {
    label: 'total block influence',
    what: 'block influence 1 − cosine of h_i and h_{i+1}, sum over blocks',
    from: ({ summary }) => summary.blockInfluence.reduce((sum, { mean }) => sum + (mean ?? 0), 0),
  },
} satisfies Record<string, Scalar<Measures>>;
