import * as v from 'valibot';
import { models } from '../models/networks.ts';
import { atLeast0, finite, measured, share, whole } from '../schema.ts';
import { evidence } from './evidence.ts';

/**
 * The shape of `analysis.json`. A stage is a run of blocks between which h keeps its shape: there is one in networks of
 * one width, and several in a ResNet-34. Every array over blocks runs over blocks 1…L of all stages in order, every array
 * over triples over singular triples in descending order of σ. A number that is undefined for a dead block
 * (J = 0) or a path that does not move, such as a cosine with a zero vector, is `null`; σ is 0 there. What compares two blocks is `null` where these are of
 * different stages.
 */

/** A number that may be undefined. */
const maybe = v.nullable(v.number());
const list = v.array(measured);
const maybes = v.array(maybe);
const point = v.tuple([measured, measured]);

const lineMeasures = {
  /** Share of the variance of the points along their first principal direction; null of two points. */
  line: maybe,
  /** ‖h_{L+1} − h_1‖ / Σ‖h_{i+1} − h_i‖. */
  straightness: maybe,
  /** Gai & Zhang's line-shape score; 1 for a straight line, larger for a bent one. */
  lineShape: maybe,
  /** Coefficient of variation of the step norms; null of one step. */
  stepCv: maybe,
  /** Mean cosine between successive steps. */
  stepCosine: maybe,
};
const ofLine = v.object(lineMeasures);
/** RA1: how straight and evenly spaced a stage's path h_1 … h_{L+1} of one sample is. */
export type LineMeasures = v.InferOutput<typeof ofLine>;

const sampleMeasures = v.object({
  ...lineMeasures,
  /** Index into the training set. */
  index: whole(),
  label: whole(),
  predicted: whole(),
  /** The measures of its path in each stage. */
  perStage: v.array(ofLine),
  /** ‖h_{i+1} − h_i‖, L numbers. */
  stepNorms: list,
  /** Each stage's points, one more than it has blocks, on the first two principal directions of these points, [L + stages][2]. */
  trajectory: v.array(point),
  /** The same on the two leading directions of the classes' mean last point of the stage, common to all samples. */
  commonTrajectory: v.array(point),
  /** Leading singular values of each J_i, [L][spectrum]. */
  sigma: v.array(list),
  /** The larger of ‖J v_k − σ_k u_k‖ and ‖Jᵀu_k − σ_k v_k‖ over σ_1, [L][spectrum]; earlier files have none of the certificates. */
  residual: v.exactOptional(v.array(maybes)),
  /** Distance of σ_k to the nearest other one over σ_1, [L][K]. */
  gap: v.exactOptional(v.array(maybes)),
  /** ‖J_i‖_F², [L]. */
  frobenius2: list,
  /** RA3: Σ_{k≤C} σ_k² / ‖J_i‖_F², [L]. */
  topEnergy: maybes,
  /** RA3: number of σ_k ≥ 1e-2·σ_1 among the spectrum, [L]. */
  numericalRank: list,
  /** RA3: ‖J_i‖_F² / σ_1², [L]. */
  stableRank: maybes,
  /** RA2: u_{i,k}·v_{i,k}, [L][K]. */
  leftRight: v.array(maybes),
  /** RA2: ‖diag A_ij‖² / ‖A_ij‖_F² with A_ij = U_jᵀ J_i V_j, [i][j]. */
  diagonalShare: v.array(maybes),
  /** What it may be off by, as vectors of close σ are no more than a choice. */
  diagonalShareError: v.exactOptional(v.array(maybes)),
  /** RA2: ‖A_ij − S_i‖_F / ‖S_i‖_F, [i][j]. */
  coupling: v.array(maybes),
  /** RA2: share of U_{i,K} inside the row space of the classifier, [L]; null but in the last stage, which it reads. */
  classifierShare: maybes,
  /** RA2: number of singular directions of a block that lie in those of another, mean over pairs of one stage; null where there is none. */
  alignedDimension: maybe,
  /** ‖F_i(h_i)‖ / ‖h_i‖, [L]; null where h_i is zero. */
  branchRatio: maybes,
  /** Shares of the output that paths through 0 … L linearized blocks carry, [L + 1]; null in networks of several stages or without skip connections. */
  pathShares: v.nullable(list),
});
/** Measures of one sample (docs/results.md gives each formula). Those of its path are means over stages. */
export type SampleMeasures = v.InferOutput<typeof sampleMeasures>;

const spread = v.object({ mean: maybe, std: maybe, min: maybe, max: maybe });
/** A scalar measure over samples (and, where it is a matrix or list, pooled as docs/results.md says). */
export type Spread = v.InferOutput<typeof spread>;
const spreads = v.array(spread);

const inverseDepthFit = v.object({ a: measured, b: measured, r2: measured });
export type InverseDepthFit = v.InferOutput<typeof inverseDepthFit>;

const summaries = {
  line: spread,
  straightness: spread,
  lineShape: spread,
  stepCv: spread,
  stepCosine: spread,
  /** Over i ≠ j. */
  diagonalShare: spread,
  /** Over i ≠ j. */
  coupling: spread,
};
const stageSummary = v.object({
  ...summaries,
  /** Fit σ_{i,1} ≈ a / (i + b) over the stage's blocks from the third on, of the mean over samples; null where there are fewer than three points. */
  inverseDepthFit: v.nullable(inverseDepthFit),
});
/** What is summarized of a stage by itself. */
export type StageSummary = v.InferOutput<typeof stageSummary>;

const collapse = v.object({
  /** Images measured. */
  examples: whole(),
  /** tr(Σ_W Σ_B⁺) / C. */
  nc1: maybe,
  /** Coefficient of variation of ‖μ_c − μ_G‖. */
  nc2Norms: maybe,
  /** Mean over pairs of classes of |cos(μ_c − μ_G, μ_c′ − μ_G) + 1/(C − 1)|. */
  nc2Angles: maybe,
  /** ‖W/‖W‖_F − M/‖M‖_F‖_F, the rows of M being μ_c − μ_G. */
  nc3: maybe,
  /** Share of the images whose nearest class mean is not of the predicted class. */
  nc4: maybe,
  /** As `nc2Norms`, of the classifier's rows. */
  weightNorms: maybe,
  /** As `nc2Angles`, of the classifier's rows. */
  weightAngles: maybe,
});
/**
 * Neural collapse (Papyan, Han & Donoho, PNAS 2020) of what the classifier reads, over the first training images; C is the number of
 * classes that these show. What is undefined where class means or the classifier's rows are all alike, or zero, is null.
 */
export type Collapse = v.InferOutput<typeof collapse>;

const summary = {
  step: whole(),
  testAccuracy: share,
  trainAccuracy: share,
  /** How each stage's ‖J‖_F² was taken, and its largest standard error over its value: 0 where it is exact. */
  frobenius: v.array(v.object({ method: v.picklist(['exact', 'estimated']), relativeError: measured })),
  /** Blocks whose Jacobian is zero for some analysed sample, 1-based. */
  deadBlocks: v.array(whole(1)),
  /** Over samples; of a path, means over stages, and of pairs of blocks, over all pairs of one stage. */
  summary: v.object({
    ...summaries,
    perStage: v.array(stageSummary),
    /** Mean of the top three triples, per block. */
    leftRight: spreads,
    classifierShare: spreads,
    alignedDimension: spread,
    topEnergy: spreads,
    numericalRank: spreads,
    stableRank: spreads,
    /** σ_{i,1} per block. */
    sigma1: spreads,
    /** Largest residual of a block's triples, and the least gap of the first K. */
    residual: v.exactOptional(spreads),
    gap: v.exactOptional(spreads),
    /** What `leftRight` may be off by, per block, and `diagonalShare`, over i ≠ j. */
    leftRightError: v.exactOptional(spreads),
    diagonalShareError: v.exactOptional(spread),
    branchRatio: spreads,
    /** Per length of path. */
    pathShares: v.nullable(spreads),
  }),
  collapse,
  /** Test accuracy lost when a block's branch is left out, h_{i+1} = σ(h_i), [L]; null without skip connections, or where it was not asked for. */
  blockLoss: v.nullable(list),
  /** Test images, the first ones, over which `blockLoss` was taken. */
  blockLossExamples: v.nullable(whole()),
};
/** What is kept of measures where samples are too many to be kept. */
export type Summary = v.InferOutput<v.ObjectSchema<typeof summary, undefined>>;

const measures = v.object({
  ...summary,
  samples: v.array(sampleMeasures),
  /**
   * |A_ij| averaged over samples, each divided by its own σ_{i,1}, of the first K triples, at most 32: [i][j][K][K]; null where
   * J_i or J_j is dead, or they are of different stages. The paper's figure.
   */
  alignment: v.array(v.array(v.nullable(v.array(list)))),
});
/** Measures of one network at one moment. */
export type Measures = v.InferOutput<typeof measures>;

/** `course.json`: how the measures went over the training of a network. */
export const course = v.object({
  schema: v.literal('collimate/course@1'),
  /** From initialization on. */
  moments: v.array(v.object({ epoch: whole(), ...summary })),
});
export type Course = v.InferOutput<typeof course>;
export type CourseMoment = Course['moments'][number];

/** Consecutive blocks between which h has one shape: [D], or [height, width, channels]. */
const stageInfo = v.object({ blocks: v.array(v.string()), shape: v.array(whole(1)) });
export type StageInfo = v.InferOutput<typeof stageInfo>;

const networkInfo = v.object({
  kind: v.picklist(models),
  /** Blocks that are analysed, of all stages. */
  depth: whole(1),
  /** Features that the classifier sees: the width D, or the channels of the last stage. */
  width: whole(1),
  classes: whole(2),
  activation: v.picklist(['relu', 'identity']),
  skip: v.boolean(),
  stages: v.array(stageInfo),
});
export type NetworkInfo = v.InferOutput<typeof networkInfo>;

export const ANALYSIS_FORMAT = 'collimate/analysis@4';

const analysisFields = v.object({
  schema: v.literal(ANALYSIS_FORMAT),
  network: networkInfo,
  settings: v.object({
    /** Number K of leading triples in RA2. */
    triples: whole(1),
    /** Number of singular values kept. */
    spectrum: whole(1),
    /** `branch`: J = ∂F/∂h. `post-activation`: σ′(h + F(h)) ∂F/∂h. */
    convention: v.picklist(['branch', 'post-activation']),
    sketchColumns: whole(1),
    powerIterations: whole(),
    /** Chebyshev filters between them. */
    filters: whole(),
    seed: whole(),
  }),
  initialization: measures,
  trained: measures,
  /** The claims as judged; only in the file of a network that has been compared with its control. */
  claims: v.exactOptional(v.pipe(v.array(evidence), v.readonly())),
  /** Variant of the kernel used for each problem, where no `config.json` tells. */
  kernels: v.exactOptional(v.record(v.string(), v.string())),
});
export type Analysis = v.InferOutput<typeof analysisFields>;

export const analysis = v.pipe(
  analysisFields,
  v.check(
    ({ network, initialization, trained, settings }) =>
      [initialization, trained].every(
        (m) => fitsNetwork(m, network) && samplesFit(m, network, settings.triples, settings.spectrum),
      ),
    'lists as long as its network has blocks and stages',
  ),
);

const blocksOf = ({ stages }: NetworkInfo): number =>
  stages.reduce((sum, { blocks }) => sum + blocks.length, 0);

/** Whether the lists of a summary are as long as the network has blocks and stages. */
export function fitsNetwork({ frobenius, deadBlocks, summary }: Summary, network: NetworkInfo): boolean {
  const { perStage, pathShares, leftRight, classifierShare, topEnergy, numericalRank } = summary;
  const { stableRank, sigma1, branchRatio } = summary;
  const perBlock = [leftRight, classifierShare, topEnergy, numericalRank, stableRank, sigma1, branchRatio];
  return (
    blocksOf(network) === network.depth &&
    network.stages.length > 0 &&
    perBlock.every(({ length }) => length === network.depth) &&
    [frobenius, perStage].every(({ length }) => length === network.stages.length) &&
    deadBlocks.every((block) => block <= network.depth) &&
    (pathShares === null || pathShares.length === network.depth + 1)
  );
}

/** The same of the samples and the grids over pairs of blocks. */
function samplesFit(
  { samples, alignment }: Measures,
  { depth, stages }: NetworkInfo,
  triples: number,
  spectrum: number,
): boolean {
  const all = (length: number, lists: readonly (readonly unknown[])[]) =>
    lists.every((list) => list.length === length);
  const isGrid = (grid: readonly (readonly unknown[])[]) => grid.length === depth && all(depth, grid);
  return (
    samples.length > 0 &&
    isGrid(alignment) &&
    samples.every(
      (s) =>
        [s.diagonalShare, s.coupling].every(isGrid) &&
        all(depth, [s.stepNorms, s.sigma, s.frobenius2, s.topEnergy, s.numericalRank, s.stableRank]) &&
        all(depth, [s.leftRight, s.classifierShare, s.branchRatio]) &&
        all(depth + stages.length, [s.trajectory, s.commonTrajectory]) &&
        all(stages.length, [s.perStage]) &&
        all(spectrum, s.sigma) &&
        all(triples, s.leftRight) &&
        (s.pathShares === null || s.pathShares.length === depth + 1),
    )
  );
}

/** One line of `metrics.jsonl`. */
export const epochMetrics = v.object({
  epoch: whole(1),
  step: whole(1),
  lr: atLeast0,
  /** Mean training loss over the epoch. */
  loss: finite,
  trainAccuracy: share,
  /** Null after epochs that are not followed by a test. */
  testAccuracy: v.nullable(share),
  /** On the training images that are held back, where there are any; null with the other. */
  validationAccuracy: v.exactOptional(v.nullable(share)),
  /** Training time so far, in seconds, over all sessions of the run. */
  seconds: atLeast0,
});
export type EpochMetrics = v.InferOutput<typeof epochMetrics>;
