import type { AlignedOptimum } from '../../models/unconstrained-jacobians.ts';
import type { PowerLaw } from '../power-law.ts';
import type { Claim } from '../results.ts';
import type { StartMeasures } from './measures.ts';

/** What was found in models of one number of classes and of blocks. Arrays over starts run over all of them in order. */
export interface TheoryCase {
  classes: number;
  depth: number;
  skip: boolean;
  /** The aligned solution that is compared with; null without skip connections. */
  predicted: AlignedOptimum | null;
  initial: StartMeasures[];
  final: StartMeasures[];
  /** How starts went, at steps from 0 to the last; only of one depth. */
  course: CourseMoment[] | null;
  /** |U_jᵀ J_i V_j| / σ_{i,1} of the first start at the end, first C triples, [i][j][C][C]; only where there is a course. */
  alignment: number[][][][] | null;
  /** Of the same, mean over i ≠ j. */
  diagonalShare: number | null;
}

/** One number a start. */
export interface CourseMoment {
  step: number;
  objective: number[];
  /** Means over blocks of the first singular value and of the C-th, the first of those that are to vanish. */
  sigma1: number[];
  sigmaC: number[];
}

/** A verdict on one conclusion of the theory. `value` is the worst of all starts and depths. */
export interface TheoryClaim extends Omit<Claim, 'property'> {
  property: 'theory';
  /** 95% confidence interval, where the value is a fit. */
  interval?: readonly [number, number];
  /** In how many of how many starts it holds at all depths; null where the value is one fit to all. */
  startsHolding: number | null;
  starts: number;
}

/** σ_1 against L through the means over starts and blocks, log–log, and the same of the predicted ones. */
export interface DepthSlope {
  classes: number;
  measured: PowerLaw | null;
  predicted: PowerLaw | null;
}

/** What {@link TheoryClaim}s are judged from. */
export interface TheoryResults {
  cases: TheoryCase[];
  /** Two classes without skip connections. */
  control: TheoryCase | null;
}
