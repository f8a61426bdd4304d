import { orthonormalRows } from '../../autograd/ops/linalg-reference.ts';
import { sizeOf } from '../../autograd/shape.ts';
import { format } from '../../number-format.ts';
import { dot, norm, type Rows } from '../vectors.ts';
import { type Own, ofBlock } from './field.ts';
import { alongBlocks, meanWithBand, type Panels } from './figure.ts';
import { over, type Scalar, SHARE, type StageAt } from './measure.ts';

export const title = 'The classifier’s directions';
export const property = 'RA2';

export const sample = {
  classifierShare: ofBlock(
    'mean over k ≤ K of ‖P u_{i,k}‖², P the projector onto what the classifier sees: the row space of W; under global average pooling, of W’s rows repeated at every position. `null` but in the last stage, and where these rows span nothing or everything',
    { label: 'share of U in rows of W', short: 'in classifier' },
  ),
};
type Measures = Own<typeof sample>;

export const at = ({ blocks, classifier, triples, shape }: StageAt) => ({
  classifierShare: blocks.map(({ dead, u }) => {
    if (dead || !classifier?.length || classifier.length >= sizeOf(shape)) return null;
    let sum = 0;
    for (let k = 0; k < triples; k++) {
      const x = pooled(u(k), shape.at(-1)!);
      sum += classifier.reduce((s, q) => s + dot(q, x) ** 2, 0);
    }
    return sum / triples;
  }),
});

/** An orthonormal basis of the span of a matrix's rows, as far as they are independent. */
export function rowSpace(rows: Rows): Rows {
  const largest = Math.max(...rows.map(norm));
  const basis: Float64Array[] = [];
  for (const row of rows) {
    const rest = row.slice();
    for (let pass = 0; pass < 2; pass++)
      for (const q of basis) {
        const c = dot(q, rest);
        for (let d = 0; d < rest.length; d++) rest[d]! -= c * q[d]!;
      }
    if (norm(rest) > 1e-6 * largest) basis.push(orthonormalRows([rest])[0]!);
  }
  return basis;
}

/**
 * Coordinates of x [… , features] along the directions of h-space that the classifier sees: under pooling,
 * feature c's is constant over positions and zero in other channels; without positions, x itself.
 */
function pooled(x: Float64Array, features: number): Float64Array {
  const positions = x.length / features;
  if (positions === 1) return x;
  const sums = new Float64Array(features);
  x.forEach((value, i) => {
    sums[i % features]! += value;
  });
  return sums.map((s) => s / Math.sqrt(positions));
}

export const scalars = {
  classifierShare: {
    label: 'share inside the classifier',
    what: 'share of the last block’s left singular vectors inside the row space of the classifier',
    domain: SHARE,
    ...over((m: Measures) => m.summary.classifierShare.at(-1)),
  },
} satisfies Record<string, Scalar<Measures>>;

/** Panels below those of left and right vectors. */
export const panels: Panels<Measures> = {
  each: 'network',
  draw: ({ measures: { summary }, network }) => ({
    note: `classifier share, last block ${format(summary.classifierShare.at(-1)?.mean)}`,
    height: 190,
    x: alongBlocks(network),
    y: { label: sample.classifierShare.series.label, domain: [0, 1.02] },
    marks: meanWithBand(summary.classifierShare, network, SHARE),
  }),
};
