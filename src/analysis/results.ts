/**
 * The shape of `analysis.json`. Every array over blocks runs over blocks 1…L in order, every array over
 * triples over singular triples in descending order of σ. A number that is undefined for a dead block
 * (J = 0), such as a cosine with a zero vector, is `null`; σ is 0 there.
 */

/** Measures of one sample (docs/results.md gives each formula). */
export interface SampleMeasures {
  /** Index into the training set. */
  index: number;
  label: number;
  predicted: number;
  /** RA1: share of the variance of {h_1 … h_{L+1}} along its first principal direction. */
  line: number;
  /** RA1: ‖h_{L+1} − h_1‖ / Σ‖h_{i+1} − h_i‖. */
  straightness: number;
  /** RA1: Gai & Zhang's line-shape score; 1 for a straight line, larger for a bent one. */
  lineShape: number;
  /** ‖h_{i+1} − h_i‖, L numbers. */
  stepNorms: number[];
  /** RA1: coefficient of variation of the step norms. */
  stepCv: number;
  /** RA1: mean cosine between successive steps. */
  stepCosine: number | null;
  /** h_1 … h_{L+1} on the first two principal directions of this set of points, [L+1][2]. */
  trajectory: [number, number][];
  /** h_1 … h_{L+1} on the two leading directions of the mean h_{L+1} of the classes, common to all samples, [L+1][2]. */
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
  /** RA2: share of U_{i,K} inside the row space of the classifier, [L]. */
  classifierShare: (number | null)[];
}

/** A scalar measure over samples (and, where it is a matrix or list, pooled as docs/results.md says). */
export interface Spread {
  mean: number | null;
  std: number | null;
  min: number | null;
  max: number | null;
}

/** Measures of one network at one moment. */
export interface Measures {
  step: number;
  testAccuracy: number;
  trainAccuracy: number;
  samples: SampleMeasures[];
  /** |A_ij| averaged over samples, each divided by its own σ_{i,1}: [i][j][K][K]; null where J_i is dead. The paper's figure. */
  alignment: (number[][] | null)[][];
  /** Blocks whose Jacobian is zero for some analysed sample, 1-based. */
  deadBlocks: number[];
  summary: {
    line: Spread;
    straightness: Spread;
    lineShape: Spread;
    stepCv: Spread;
    stepCosine: Spread;
    /** Over i ≠ j. */
    diagonalShare: Spread;
    /** Over i ≠ j. */
    coupling: Spread;
    /** Mean of the top three triples, per block. */
    leftRight: Spread[];
    classifierShare: Spread[];
    topEnergy: Spread[];
    numericalRank: Spread[];
    stableRank: Spread[];
    /** σ_{i,1} per block. */
    sigma1: Spread[];
    /** Fit σ_{i,1} ≈ a / (i + b) over blocks 3…L of the mean over samples; null where there are fewer than three points. */
    inverseDepthFit: { a: number; b: number; r2: number } | null;
  };
}

export interface NetworkInfo {
  depth: number;
  width: number;
  classes: number;
  activation: 'relu' | 'identity';
  skip: boolean;
}

export interface Analysis {
  schema: 'collimate/analysis@1';
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
  testAccuracy: number;
  /** Training time so far, in seconds, over all sessions of the run. */
  seconds: number;
}
