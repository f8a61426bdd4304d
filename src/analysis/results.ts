/**
 * The shape of `analysis.json`. A stage is a run of blocks between which h keeps its shape: there is one in networks of
 * one width, and several in a ResNet-34. Every array over blocks runs over blocks 1…L of all stages in order, every array
 * over triples over singular triples in descending order of σ. A number that is undefined for a dead block
 * (J = 0), such as a cosine with a zero vector, is `null`; σ is 0 there. What compares two blocks is `null` where these are of
 * different stages.
 */

/** RA1: how straight and evenly spaced a stage's path h_1 … h_{L+1} of one sample is. */
export interface LineMeasures {
  /** Share of the variance of the points along their first principal direction. */
  line: number;
  /** ‖h_{L+1} − h_1‖ / Σ‖h_{i+1} − h_i‖. */
  straightness: number;
  /** Gai & Zhang's line-shape score; 1 for a straight line, larger for a bent one. */
  lineShape: number;
  /** Coefficient of variation of the step norms. */
  stepCv: number;
  /** Mean cosine between successive steps. */
  stepCosine: number | null;
}

/** Measures of one sample (docs/results.md gives each formula). Those of its path are means over stages. */
export interface SampleMeasures extends LineMeasures {
  /** Index into the training set. */
  index: number;
  label: number;
  predicted: number;
  /** The measures of its path in each stage. */
  perStage: LineMeasures[];
  /** ‖h_{i+1} − h_i‖, L numbers. */
  stepNorms: number[];
  /** Each stage's points, one more than it has blocks, on the first two principal directions of these points, [L + stages][2]. */
  trajectory: [number, number][];
  /** The same on the two leading directions of the classes' mean last point of the stage, common to all samples. */
  commonTrajectory: [number, number][];
  /** Leading singular values of each J_i, [L][spectrum]. */
  sigma: number[][];
  /** ‖J_i‖_F², [L]. */
  frobenius2: number[];
  /** RA3: Σ_{k≤C} σ_k² / ‖J_i‖_F², [L]. */
  topEnergy: (number | null)[];
  /** RA3: number of σ_k ≥ 1e-2·σ_1 among the spectrum, [L]. */
  numericalRank: number[];
  /** RA3: ‖J_i‖_F² / σ_1², [L]. */
  stableRank: (number | null)[];
  /** RA2: u_{i,k}·v_{i,k}, [L][K]. */
  leftRight: (number | null)[][];
  /** RA2: ‖diag A_ij‖² / ‖A_ij‖_F² with A_ij = U_jᵀ J_i V_j, [i][j]. */
  diagonalShare: (number | null)[][];
  /** RA2: ‖A_ij − S_i‖_F / ‖S_i‖_F, [i][j]. */
  coupling: (number | null)[][];
  /** RA2: share of U_{i,K} inside the row space of the classifier, [L]; null but in the last stage, which it reads. */
  classifierShare: (number | null)[];
  /** RA2: number of singular directions of a block that lie in those of another, mean over pairs of one stage; null where there is none. */
  alignedDimension: number | null;
  /** ‖F_i(h_i)‖ / ‖h_i‖, [L]; null where h_i is zero. */
  branchRatio: (number | null)[];
  /** Shares of the output that paths through 0 … L linearized blocks carry, [L + 1]; null in networks of several stages or without skip connections. */
  pathShares: number[] | null;
}

/** A scalar measure over samples (and, where it is a matrix or list, pooled as docs/results.md says). */
export interface Spread {
  mean: number | null;
  std: number | null;
  min: number | null;
  max: number | null;
}

/** What is summarized of a stage by itself. */
export interface StageSummary {
  line: Spread;
  straightness: Spread;
  lineShape: Spread;
  stepCv: Spread;
  stepCosine: Spread;
  /** Over i ≠ j. */
  diagonalShare: Spread;
  /** Over i ≠ j. */
  coupling: Spread;
  /** Fit σ_{i,1} ≈ a / (i + b) over the stage's blocks from the third on, of the mean over samples; null where there are fewer than three points. */
  inverseDepthFit: InverseDepthFit | null;
}

export interface InverseDepthFit {
  a: number;
  b: number;
  r2: number;
}

/** Measures of one network at one moment. */
export interface Measures {
  step: number;
  testAccuracy: number;
  trainAccuracy: number;
  samples: SampleMeasures[];
  /**
   * |A_ij| averaged over samples, each divided by its own σ_{i,1}, of the first K triples, at most 32: [i][j][K][K]; null where
   * J_i or J_j is dead, or they are of different stages. The paper's figure.
   */
  alignment: (number[][] | null)[][];
  /** How each stage's ‖J‖_F² was taken, and its largest standard error over its value: 0 where it is exact. */
  frobenius: { method: 'exact' | 'estimated'; relativeError: number }[];
  /** Blocks whose Jacobian is zero for some analysed sample, 1-based. */
  deadBlocks: number[];
  /** Over samples; of a path, means over stages, and of pairs of blocks, over all pairs of one stage. */
  summary: Omit<StageSummary, 'inverseDepthFit'> & {
    perStage: StageSummary[];
    /** Mean of the top three triples, per block. */
    leftRight: Spread[];
    classifierShare: Spread[];
    alignedDimension: Spread;
    topEnergy: Spread[];
    numericalRank: Spread[];
    stableRank: Spread[];
    /** σ_{i,1} per block. */
    sigma1: Spread[];
    branchRatio: Spread[];
    /** Per length of path. */
    pathShares: Spread[] | null;
  };
  collapse: Collapse;
  /** Test accuracy lost when a block's branch is left out, h_{i+1} = σ(h_i), [L]; null without skip connections, or where it was not asked for. */
  blockLoss: number[] | null;
  /** Test images, the first ones, over which `blockLoss` was taken. */
  blockLossExamples: number | null;
}

/** What is kept of measures where samples are too many to be kept. */
export type Summary = Omit<Measures, 'samples' | 'alignment'>;

/**
 * Neural collapse (Papyan, Han & Donoho, PNAS 2020) of what the classifier reads, over the first training images; C is the number of
 * classes that these show. What is undefined where class means or the classifier's rows are all alike, or zero, is null.
 */
export interface Collapse {
  /** Images measured. */
  examples: number;
  /** tr(Σ_W Σ_B⁺) / C. */
  nc1: number | null;
  /** Coefficient of variation of ‖μ_c − μ_G‖. */
  nc2Norms: number | null;
  /** Mean over pairs of classes of |cos(μ_c − μ_G, μ_c′ − μ_G) + 1/(C − 1)|. */
  nc2Angles: number | null;
  /** ‖W/‖W‖_F − M/‖M‖_F‖_F, the rows of M being μ_c − μ_G. */
  nc3: number | null;
  /** Share of the images whose nearest class mean is not of the predicted class. */
  nc4: number;
  /** As `nc2Norms`, of the classifier's rows. */
  weightNorms: number | null;
  /** As `nc2Angles`, of the classifier's rows. */
  weightAngles: number | null;
}

/** `course.json`: how the measures went over the training of a network. */
export interface Course {
  schema: 'collimate/course@1';
  /** From initialization on. */
  moments: CourseMoment[];
}

export type CourseMoment = { epoch: number } & Summary;

export interface NetworkInfo {
  kind: 'fc' | 'conv' | 'resnet34';
  /** Blocks that are analysed, of all stages. */
  depth: number;
  /** Features that the classifier sees: the width D, or the channels of the last stage. */
  width: number;
  classes: number;
  activation: 'relu' | 'identity';
  skip: boolean;
  stages: StageInfo[];
}

/** Consecutive blocks between which h has one shape: [D], or [height, width, channels]. */
export interface StageInfo {
  blocks: string[];
  shape: number[];
}

export const ANALYSIS_FORMAT = 'collimate/analysis@3';

export interface Analysis {
  schema: typeof ANALYSIS_FORMAT;
  network: NetworkInfo;
  settings: {
    /** Number K of leading triples in RA2. */
    triples: number;
    /** Number of singular values kept. */
    spectrum: number;
    /** `branch`: J = ∂F/∂h. `post-activation`: σ′(h + F(h)) ∂F/∂h. */
    convention: 'branch' | 'post-activation';
    sketchColumns: number;
    powerIterations: number;
    /** Chebyshev filters between them. */
    filters: number;
    seed: number;
  };
  initialization: Measures;
  trained: Measures;
  /** The claims as judged; only in the file of a network that has been compared with its control. */
  claims?: Claim[];
  /** Variant of the kernel used for each problem, where no `config.json` tells. */
  kernels?: Record<string, string>;
}

/** One claim of the paper, judged. */
export interface Claim {
  /** `RA1`, `RA2`, `RA3`, `RA4`, or `training` for the accuracy that the others presuppose. */
  property: 'training' | 'RA1' | 'RA2' | 'RA3' | 'RA4';
  id: string;
  /** What is claimed, in words: "representations lie on a line". */
  title: string;
  /** What is measured: "variance along first principal direction". */
  measure: string;
  value: number | null;
  /** Standard deviation over samples, where there is one. */
  spread: number | null;
  atInitialization: number | null;
  control: number | null;
  comparison: '>=' | '<=';
  threshold: number;
  holds: boolean;
}

/** One line of `metrics.jsonl`. */
export interface EpochMetrics {
  epoch: number;
  step: number;
  lr: number;
  /** Mean training loss over the epoch. */
  loss: number;
  trainAccuracy: number;
  /** Null after epochs that are not followed by a test. */
  testAccuracy: number | null;
  /** On the training images that are held back, where there are any; null with the other. */
  validationAccuracy?: number | null;
  /** Training time so far, in seconds, over all sessions of the run. */
  seconds: number;
}
