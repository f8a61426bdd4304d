import { inverseDepthFit } from './alignment.ts';
import { cosineError, vectorErrors } from './certificates.ts';
import type { LineMeasures, Measures, SampleMeasures, Spread } from './results.ts';

/**
 * Below this σ_1, F(h) moves no more than float32's rounding of h + F(h): the block does nothing, and directions of
 * its Jacobian mean nothing.
 */
export const DEAD_BELOW = 1e-6;

export const isDead = (sigma1: number): boolean => sigma1 <= DEAD_BELOW;

/** The first block of a stage in the RA4 fit; before it, blocks still separate the classes. */
export const FIT_FROM = 3;

export function spreadOf(values: readonly (number | null)[]): Spread {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (!known.length) return { mean: null, std: null, min: null, max: null };
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const std = Math.sqrt(known.reduce((s, v) => s + (v - mean) ** 2, 0) / known.length);
  return { mean, std, min: Math.min(...known), max: Math.max(...known) };
}

/** Mean of what is known, null where nothing is. */
export const meanOf = (values: readonly (number | null)[]): number | null => spreadOf(values).mean;

/** Where each stage's blocks lie among all, from 0. */
export function stagesOf(stages: readonly { readonly blocks: readonly string[] }[]) {
  let end = 0;
  return stages.map(({ blocks }) => {
    const start = end;
    end += blocks.length;
    return { start, end };
  });
}

/** Means over samples; what is a matrix over pairs of blocks is first averaged over i ≠ j within each sample. */
export function summarize(
  samples: readonly SampleMeasures[],
  stages: readonly { readonly blocks: readonly string[] }[],
): Measures['summary'] {
  const over = (f: (s: SampleMeasures) => number | null) => spreadOf(samples.map(f));
  const perBlock = (f: (s: SampleMeasures, i: number) => number | null) =>
    samples[0]!.sigma.map((_, i) => over((s) => f(s, i)));
  const sigma1 = perBlock((s, i) => s.sigma[i]![0]!);
  const paths = (of: (s: SampleMeasures) => LineMeasures) => ({
    line: over((s) => of(s).line),
    straightness: over((s) => of(s).straightness),
    lineShape: over((s) => of(s).lineShape),
    stepCv: over((s) => of(s).stepCv),
    stepCosine: over((s) => of(s).stepCosine),
  });
  /** Of blocks from `start` to before `end`. */
  const pairs = (start: number, end: number) => {
    const offDiagonal = (grid: readonly (readonly (number | null)[])[]) =>
      meanOf(grid.slice(start, end).flatMap((row, i) => row.slice(start, end).filter((_, j) => i !== j)));
    return {
      diagonalShare: over((s) => offDiagonal(s.diagonalShare)),
      coupling: over((s) => offDiagonal(s.coupling)),
    };
  };
  const perStage = stagesOf(stages).map(({ start, end }, stage) => {
    const fitted = sigma1.slice(start + FIT_FROM - 1, end).map((s) => s.mean ?? 0);
    return {
      ...paths((s) => s.perStage[stage]!),
      ...pairs(start, end),
      inverseDepthFit: inverseDepthFit(fitted, FIT_FROM),
    };
  });
  return {
    ...paths((s) => s),
    ...pairs(0, sigma1.length),
    perStage,
    leftRight: perBlock((s, i) => meanOf(s.leftRight[i]!.slice(0, 3))),
    classifierShare: perBlock((s, i) => s.classifierShare[i]!),
    ...(samples.every(({ residual, gap }) => residual && gap) && {
      residual: perBlock((s, i) => spreadOf(s.residual![i]!).max),
      gap: perBlock((s, i) => spreadOf(s.gap![i]!).min),
      leftRightError: perBlock((s, i) => {
        const errors = vectorErrors(s.residual![i]!, s.gap![i]!);
        return meanOf(s.leftRight[i]!.slice(0, 3).map((c, k) => c && cosineError(c, errors[k]!)));
      }),
      diagonalShareError: over((s) =>
        meanOf(s.diagonalShareError!.flatMap((row, i) => row.filter((_, j) => i !== j))),
      ),
    }),
    alignedDimension: over((s) => s.alignedDimension),
    topEnergy: perBlock((s, i) => s.topEnergy[i]!),
    numericalRank: perBlock((s, i) => s.numericalRank[i]!),
    stableRank: perBlock((s, i) => s.stableRank[i]!),
    sigma1,
    branchRatio: perBlock((s, i) => s.branchRatio[i]!),
    pathShares:
      samples
        .find((s) => s.pathShares)
        ?.pathShares?.map((_, length) => over((s) => s.pathShares?.[length] ?? null)) ?? null,
  };
}
