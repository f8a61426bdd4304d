import { inverseDepthFit } from './alignment.ts';
import type { Measures, SampleMeasures, Spread } from './results.ts';

/**
 * Below this σ_1, F(h) moves no more than float32's rounding of h + F(h): the block does nothing, and directions of
 * its Jacobian mean nothing.
 */
export const DEAD_BELOW = 1e-6;

export const isDead = (sigma1: number): boolean => !(sigma1 > DEAD_BELOW);

/** The first block of the RA4 fit; before it, blocks still separate the classes. */
export const FIT_FROM = 3;

export function spreadOf(values: readonly (number | null)[]): Spread {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (!known.length) return { mean: null, std: null, min: null, max: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = Math.sqrt(known.reduce((s, v) => s + (v - mean) ** 2, 0) / known.length);
  return { mean, std, min: Math.min(...known), max: Math.max(...known) };
}

/** Mean of what is known, null where nothing is. */
const meanOf = (values: readonly (number | null)[]): number | null => spreadOf(values).mean;

/** Means over samples; what is a matrix over pairs of blocks is first averaged over i ≠ j within each sample. */
export function summarize(samples: readonly SampleMeasures[]): Measures['summary'] {
  const depth = samples[0]!.sigma.length;
  const over = (f: (s: SampleMeasures) => number | null) => spreadOf(samples.map(f));
  const perBlock = (f: (s: SampleMeasures, i: number) => number | null) =>
    Array.from({ length: depth }, (_, i) => over((s) => f(s, i)));
  const offDiagonal = (grid: readonly (readonly (number | null)[])[]) =>
    meanOf(grid.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const sigma1 = perBlock((s, i) => s.sigma[i]![0]!);
  return {
    line: over((s) => s.line),
    straightness: over((s) => s.straightness),
    lineShape: over((s) => s.lineShape),
    stepCv: over((s) => s.stepCv),
    stepCosine: over((s) => s.stepCosine),
    diagonalShare: over((s) => offDiagonal(s.diagonalShare)),
    coupling: over((s) => offDiagonal(s.coupling)),
    leftRight: perBlock((s, i) => meanOf(s.leftRight[i]!.slice(0, 3))),
    classifierShare: perBlock((s, i) => s.classifierShare[i]!),
    topEnergy: perBlock((s, i) => s.topEnergy[i]!),
    numericalRank: perBlock((s, i) => s.numericalRank[i]!),
    stableRank: perBlock((s, i) => s.stableRank[i]!),
    sigma1,
    inverseDepthFit: inverseDepthFit(
      sigma1.slice(FIT_FROM - 1).map((s) => s.mean ?? 0),
      FIT_FROM,
    ),
  };
}
