import { type Own, ofBlock } from './field.ts';
import { extreme, over, type Scalar, type StageAt } from './measure.ts';

export const title = 'Effective rank';
export const property = 'RA3';
export const about = `How many directions a Jacobian uses, weighed by their energy, after Roy & Vetterli (*The effective rank*, EUSIPCO
2007), with σ² in place of σ: 1 for one direction, r for r equal ones, whatever lies far below them.`;

export const sample = {
  effectiveRank: ofBlock('exp(−Σ_k p_k log p_k) with p_k = σ_{i,k}² / Σσ_i² over the spectrum', {
    label: 'effective rank',
    short: 'eff. rank',
  }),
};
type Measures = Own<typeof sample>;

export const at = ({ blocks }: StageAt) => ({
  effectiveRank: blocks.map(({ dead, sigma }) => (dead ? null : effectiveRank(sigma))),
});

export function effectiveRank(sigma: readonly number[]): number {
  const energy = sigma.reduce((sum, s) => sum + s * s, 0);
  const shares = sigma.map((s) => (s * s) / energy).filter((p) => p > 0);
  return Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0));
}

export const scalars = {
  effectiveRank: {
    label: 'effective rank',
    what: 'effective rank, the exponential of the entropy of σ², maximum over blocks',
    ...over((m: Measures) => extreme(m.summary.effectiveRank, 'maximum')),
  },
} satisfies Record<string, Scalar<Measures>>;
