import * as v from 'valibot';
import { finite, measured, whole } from '../../schema.ts';
import { startMeasures } from './measures.ts';

const maybe = v.nullable(v.number());

const courseMoment = v.object({
  step: whole(),
  objective: v.array(finite),
  /** Means over blocks of the first singular value and of the C-th, the first of those that are to vanish. */
  sigma1: v.array(measured),
  sigmaC: v.array(measured),
});
/** One number a start. */
export type CourseMoment = v.InferOutput<typeof courseMoment>;

export const theoryCase = v.object({
  classes: whole(2),
  depth: whole(1),
  skip: v.boolean(),
  /** The aligned solution that is compared with (`AlignedOptimum`); null without skip connections. */
  predicted: v.nullable(v.object({ sigma: finite, objective: finite, stationary: whole() })),
  initial: v.array(startMeasures),
  final: v.array(startMeasures),
  /** How starts went, at steps from 0 to the last; only of one depth. */
  course: v.nullable(v.array(courseMoment)),
  /** |U_jᵀ J_i V_j| / σ_{i,1} of the first start at the end, first C triples, [i][j][C][C]; only where there is a course. */
  alignment: v.nullable(v.array(v.array(v.array(v.array(measured))))),
  /** Of the same, mean over i ≠ j. */
  diagonalShare: maybe,
});
/** What was found in models of one number of classes and of blocks. Arrays over starts run over all of them in order. */
export type TheoryCase = v.InferOutput<typeof theoryCase>;

export const theoryClaim = v.object({
  property: v.literal('theory'),
  id: v.string(),
  title: v.string(),
  measure: v.string(),
  value: maybe,
  spread: maybe,
  atInitialization: maybe,
  control: maybe,
  comparison: v.picklist(['>=', '<=']),
  threshold: finite,
  holds: v.nullable(v.boolean()),
  /** 95% confidence interval, where the value is a fit. */
  interval: v.exactOptional(v.pipe(v.tuple([finite, finite]), v.readonly())),
  /** In how many of how many starts it holds at all depths; null where the value is one fit to all. */
  startsHolding: v.nullable(whole()),
  starts: whole(),
});
/** A verdict on one conclusion of the theory. `value` is the worst of all starts and depths. */
export type TheoryClaim = v.InferOutput<typeof theoryClaim>;

const powerLaw = v.object({
  slope: finite,
  intercept: finite,
  interval: v.nullable(v.pipe(v.tuple([finite, finite]), v.readonly())),
});
export const depthSlope = v.object({
  classes: whole(2),
  measured: v.nullable(powerLaw),
  predicted: v.nullable(powerLaw),
});
/** σ_1 against L through the means over starts and blocks, log–log, and the same of the predicted ones. */
export type DepthSlope = v.InferOutput<typeof depthSlope>;

/** What {@link TheoryClaim}s are judged from. */
export interface TheoryResults {
  cases: TheoryCase[];
  /** Two classes without skip connections. */
  control: TheoryCase | null;
}
