import { type Own, ofStage } from './field.ts';
import { over, type Scalar, type StageAt } from './measure.ts';

export const title = 'The aligned dimension';
export const property = 'RA2';
export const about = `How many dimensions does the subspace have in which blocks align? Block i has its first r_i left singular vectors
in it, r_i being its \`numericalRank\`, at most \`settings.spectrum\`, three times C by default, so that C is no limit. For each pair i ≠ j of
a stage, those u_{j,k}, k ≤ r_j, are counted of which block i's span holds more than half-way between what chance puts there and all,
‖P_i u_{j,k}‖² ≥ (1 + r_i/d)/2. The mean over ordered pairs is the sample's number: 0 for blocks with vectors of their own, r for
blocks that share r directions, whatever their order and scale. \`null\` where no pair is alive, or where r_i = d, when any vector lies
inside. Definition and threshold are ours; the paper says only that the dimension grows with C.`;

export const sample = { alignedDimension: ofStage('number of singular directions that blocks share') };
type Measures = Own<typeof sample>;

export const at = ({ blocks, overlap, path }: StageAt) => ({
  alignedDimension: alignedDimension(
    blocks.map(({ rank }) => rank),
    overlap,
    path[0]!.length,
  ),
});

/**
 * How many singular directions blocks share: block i has `ranks[i]`, 0 if dead, and `overlaps(i, j)` is how
 * much of each u_{j,k} lies in i's span. Null if there is no living pair, or every span is all of space.
 */
export function alignedDimension(
  ranks: readonly number[],
  overlaps: (i: number, j: number) => Float32Array,
  dim: number,
): number | null {
  const counts = ranks.flatMap((own, i) =>
    ranks.flatMap((other, j) => {
      if (i === j || own === 0 || other === 0 || own === dim) return [];
      const minimum = (1 + own / dim) / 2;
      const shared = overlaps(i, j).subarray(0, other);
      return [shared.filter((x) => x >= minimum).length];
    }),
  );
  return counts.length ? counts.reduce((a, b) => a + b, 0) / counts.length : null;
}

export const scalars = {
  alignedDimension: {
    label: 'aligned dimension',
    what: 'number of singular directions of a block that lie in those of another, mean over pairs',
    ...over((m: Measures) => m.summary.alignedDimension),
  },
} satisfies Record<string, Scalar<Measures>>;
