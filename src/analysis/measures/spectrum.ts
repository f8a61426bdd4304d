import { range } from '../../lists.ts';
import { format } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import type { StageRange } from '../network-info.ts';
import { meanOf, spreadOf } from '../statistics.ts';
import { maybe, type None, type Own, overBlocks, perTriple, type Sampled, type Values } from './field.ts';
import type { Row, Shown } from './figure.ts';
import type { BlockAt, StageAt } from './measure.ts';

export const title = 'Spectra and what they are worth';
export const property = 'RA3, RA4';

export const sample = {
  sigma: perTriple(
    'leading σ_{i,k} of each block, `settings.spectrum` of them (3C by default, at most 120 where d > 128)',
    'spectrum',
    measured,
  ),
  residual: perTriple(
    'larger of ‖J_i v_{i,k} − σ_{i,k} u_{i,k}‖ and ‖J_iᵀ u_{i,k} − σ_{i,k} v_{i,k}‖ over σ_{i,1}: see [Certificates](results.md#certificates)',
    'spectrum',
    maybe,
  ),
  gap: perTriple(
    'distance of σ_{i,k} to the nearest other σ of the block over σ_{i,1}, k ≤ K',
    'triples',
    maybe,
  ),
};
type Sample = Values<typeof sample>;

export const at = ({ blocks, triples }: StageAt): Sample => ({
  sigma: blocks.map(({ sigma }) => [...sigma]),
  residual: blocks.map(({ residual, dead }) => residual.map((x) => (dead ? null : x))),
  gap: blocks.map(({ found, dead }) => gapsOf(found, triples).map((x) => (dead ? null : x))),
});

export const summary = {
  sigma1: overBlocks({ label: 'σ₁(Jᵢ)', short: 'σ₁', log: true }, (s: Sample, i) => s.sigma[i]![0]!),
  residual: overBlocks({ label: 'largest residual' }, (s: Sample, i) => spreadOf(s.residual[i]!).max),
  gap: overBlocks({ label: 'smallest gap' }, (s: Sample, i) => spreadOf(s.gap[i]!).min),
};
type Measures = Own<None, typeof summary> & Sampled<typeof sample>;
/** What certificates are computed from, for scalars of other measures. */
export type Certified = { readonly summary: Values<typeof summary> };

/** Distance of each of the first `count` singular values to its nearest neighbor, over the first one. */
export const gapsOf = (found: readonly number[], count: number): number[] =>
  range(count).map((k) => {
    const beside = [found[k - 1], found[k + 1]].filter((s) => s !== undefined);
    return Math.min(1, ...beside.map((s) => Math.abs(s - found[k]!) / found[0]!));
  });

/**
 * Bounds on errors of unit singular vectors, sines of angles: with residual ρ (over σ_1), triples are exact
 * for a matrix within √2·ρ, and Wedin's theorem (BIT 1972) gives √2·ρ / (gap − √2·ρ). 1 if arbitrary.
 */
export const vectorErrors = (
  residual: readonly (number | null)[],
  gap: readonly (number | null)[],
): number[] =>
  gap.map((distance, k) => {
    const off = Math.SQRT2 * (residual[k] ?? 1);
    const rest = (distance ?? 0) - off;
    return rest > off ? off / rest : 1;
  });

/** The same for a block's first `count` vectors. */
export const vectorErrorsAt =
  (count: number) =>
  ({ residual, found }: BlockAt): number[] =>
    vectorErrors(residual, gapsOf(found, count));

/** What a singular value may be off by, over σ₁: √2 residuals. */
export const sigmaError = ({ summary: { residual } }: Certified): number =>
  Math.SQRT2 * (spreadOf(residual.map((block) => block.mean)).max ?? 0);

/** What the trained network's triples are worth, at its worst block and sample. */
export const facts = {
  Certificates: ({ summary }: Certified) => {
    const off = spreadOf(summary.residual.map((block) => block.max)).max;
    const apart = spreadOf(summary.gap.map((block) => block.min)).min;
    return off === null || apart === null
      ? '—'
      : `‖J v − σ u‖ and ‖Jᵀu − σ v‖ at most ${format(off)}·σ₁; σ of compared vectors at least ${format(apart)}·σ₁ apart`;
  },
};

/** Mean singular values over samples, over the block's first where it is not dead, as drawn, and as such. */
export const spectra = (
  { measures: { samples }, network }: Pick<Shown<Measures>, 'measures' | 'network'>,
  { start, end }: Pick<StageRange, 'start' | 'end'> = { start: 0, end: network.depth },
): Row[] =>
  range(end - start, start).flatMap((i) => {
    const alive = samples.map((s) => s.sigma[i] ?? []).filter((sigma) => (sigma[0] ?? 0) > 0);
    return range(Math.max(0, ...alive.map((s) => s.length))).flatMap((k) => {
      const relative = meanOf(alive.map((s) => (s[k] ?? 0) / s[0]!));
      if (!(relative !== null && relative > 0)) return [];
      const over = (list: keyof Sample) => spreadOf(samples.map((s) => s[list]?.[i]?.[k]));
      return [
        {
          ...{ block: i + 1, k: k + 1, relative, sigma: over('sigma').mean },
          ...{ residual: over('residual').max, gap: over('gap').min },
        },
      ];
    });
  });
export const tables = { spectra: (shown: Shown<Measures>) => spectra(shown) };
