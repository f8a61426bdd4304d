import type * as v from 'valibot';
import type { DeviceArray } from '../../autograd/array.ts';
import type { Gpu } from '../../gpu/device.ts';
import { models, networks } from '../../models/networks.ts';
import type { ResidualNetwork } from '../../models/residual-network.ts';
import type { DeviceExamples } from '../../train/examples.ts';
import type { Claim } from '../claim.ts';
import type { NetworkInfo, StageRange } from '../network-info.ts';
import type { Facts } from '../quantity.ts';
import type { Spread } from '../statistics.ts';
import type { TokenPair } from '../token-pairs.ts';
import type { Plane, Rows } from '../vectors.ts';
import type { Fields, Named, Summary } from './field.ts';
import type { FigureSpec, Row, Shown } from './figure.ts';

/**
 * All there is of a measure. Each is a module of this folder that exports some of this; everything else is folded over their list (list.ts).
 * `S` are samples and `M` the measures of one network at one step.
 */
export interface Measure<S = never, M = never> {
  /** A headline of docs/measures.md. */
  readonly title: string;
  /** The paper's property that it belongs to, if any: `RA1`. */
  readonly property?: string;
  /** What its formulas leave open, in Markdown. */
  readonly about?: string;

  /** What is measured at each sample, and how at one sample in one stage. */
  readonly sample?: Fields;
  readonly at?: (stage: StageAt) => object;
  /** The same where it is of the network as a whole: one object a sample. */
  readonly atSamples?: (given: SamplesAt) => Promise<readonly object[]>;
  /** What is gathered over the samples of a stage, one after the other. */
  readonly gathered?: Fields;
  readonly gather?: (blocks: number, triples: number) => Gatherer;
  /** What is measured of the network as a whole, over images or from its samples. */
  readonly whole?: Fields;
  readonly overImages?: (images: Images) => object | Promise<object>;
  readonly overSamples?: (samples: readonly S[]) => object;
  readonly summary?: Readonly<Record<string, Summary<v.GenericSchema, S>>>;
  readonly stageSummary?: Readonly<Record<string, StageSummary<S>>>;

  readonly scalars?: Readonly<Record<string, Scalar<M>>>;
  /** Numbers of each block beside those of fields and summaries. */
  readonly series?: Readonly<Record<string, Series<M>>>;
  /** What the trained network has to show, and its control to lack. */
  readonly claims?: readonly RunClaim[];
  /** What it says of how the trained network and its initialization were measured, by names. */
  readonly facts?: Readonly<Record<string, (trained: M, initialization: M) => string>>;
  /** Tables of its own, `data/<name>.csv`. */
  readonly tables?: Readonly<Record<string, (shown: Shown<M>) => Row[]>>;
  readonly figures?: readonly FigureSpec<M>[];
}

/** One sample in one stage: what measures are made of. Blocks and triples are numbered from 0. */
export interface StageAt {
  readonly classes: number;
  /** Number K of leading triples that are compared. */
  readonly triples: number;
  /** Of h. */
  readonly shape: readonly number[];
  /** h_1 … h_{L+1}; h behind each block, which is no point of the path where stages take turns; and F of each block. */
  readonly path: Rows;
  readonly behind: Rows;
  readonly branches: Rows;
  /** Of the path's points, and of the classes' mean last points. */
  readonly plane: Plane;
  readonly commonPlane: Plane;
  readonly blocks: readonly BlockAt[];
  /** A_ij = U_jᵀ J_i V_j of the first K triples, [K, K]. */
  readonly coupling: (i: number, j: number) => Float64Array;
  /** How much of each u_{j,k} lies in the span of the first {@link BlockAt.rank} of block i. */
  readonly overlap: (i: number, j: number) => Float32Array;
  /** Pairs of Jacobians by other tokens, of a block at this sample; none where there are no tokens. */
  readonly tokenPairs: readonly TokenPair[];
  /** Orthonormal rows that span those of the classifier's weight; null but in the last stage, which it reads. */
  readonly classifier: Rows | null;
}

/** A Residual Jacobian. */
export interface BlockAt {
  /** Whether it is zero, to float32's rounding: directions mean nothing. */
  readonly dead: boolean;
  /** All singular values that the sketch gives, and the spectrum that is kept, zero in a dead block. */
  readonly found: readonly number[];
  readonly sigma: readonly number[];
  /** Of these, σ_k ≥ 1e-2·σ_1. */
  readonly rank: number;
  readonly u: (k: number) => Float64Array;
  readonly v: (k: number) => Float64Array;
  /** The larger of ‖J v − σ u‖ and ‖Jᵀu − σ v‖ over σ_1, for each of the spectrum. */
  readonly residual: readonly number[];
  /** ‖J‖_F², with its standard error over its value: 0 where it is exact. */
  readonly frobenius2: number;
  readonly frobeniusError: number;
  readonly frobeniusExact: boolean;
}

/** All samples on the device. */
export interface SamplesAt {
  readonly gpu: Gpu;
  readonly network: ResidualNetwork;
  readonly weights: Readonly<Record<string, DeviceArray>>;
  /** h at all points of each stage, [N, ...shape] each. */
  readonly points: readonly (readonly Float32Array[])[];
  readonly count: number;
}

export interface Gatherer {
  add(stage: StageAt): void;
  result(): object;
}

/** A network with whole sets of images. */
export interface Images {
  readonly gpu: Gpu;
  readonly network: ResidualNetwork;
  readonly weights: Readonly<Record<string, DeviceArray>>;
  readonly train: DeviceExamples;
  readonly test: DeviceExamples;
  /** Whether what takes long is left out, where many steps are measured. */
  readonly brief: boolean;
  /** Whether to measure networks whose blocks are replaced. */
  readonly compress: boolean;
  /** Whether outputs tell classes apart: what is of classes is undefined where they do not. */
  readonly classifies: boolean;
  readonly testAccuracy: () => Promise<number>;
  readonly trainAccuracy: () => Promise<number>;
  /** Of the first training images. */
  readonly features: Features;
  /** The classifier's row of each class. */
  readonly classifier: Rows;
}

/** What the classifier reads of some images, and what it makes of them. */
export interface Features {
  /** [N, D]. */
  readonly features: Float32Array;
  readonly predicted: ArrayLike<number>;
  /** What it would make of them if the network ended before each of the last stage's blocks. */
  readonly early: readonly ArrayLike<number>[];
  readonly labels: ArrayLike<number>;
}

/** A summary of a stage by itself. */
export interface StageSummary<S = never> extends Pick<Summary, 'schema'> {
  of(samples: readonly S[], range: StageRange): unknown;
  /** Its columns in `stages.csv`. */
  columns(value: unknown): Row;
}

/** One number that describes a network at one step: what claims, sweeps and their figures refer to. */
export interface Scalar<M = never> {
  /** Of an axis or a column. */
  readonly label: string;
  /** What it is, as part of a sentence. */
  readonly what: string;
  /** Whether an axis should be logarithmic. */
  readonly log?: boolean;
  /** Where it can lie, if that is a range worth showing. */
  readonly domain?: readonly [number, number];
  /** Whether it tells at a glance how a run came out, for tables of many; and whether it is followed over training. */
  readonly glance?: boolean;
  readonly followed?: boolean;
  /** The number; null where it is undefined. */
  readonly from: (measures: M, network: NetworkInfo) => number | null;
  /** What the number may be off by, where that is known: see spectrum.ts. */
  readonly uncertainty?: (measures: M, network: NetworkInfo) => number | null;
  /** Its standard deviation over samples, where it is a mean over these. */
  readonly spread?: (measures: M, network: NetworkInfo) => number | null;
}

/** A number of each block, or of each length of a path. */
export interface Series<M = never> extends Named {
  /** The number of the first: 1, or 0 where it is of lengths. */
  readonly first?: 0;
  readonly from: (measures: M) => readonly (Partial<Spread> | undefined)[] | null | undefined;
}

/**
 * A claim of one network beside its control. It measures what its scalar does; its property is that of the measure, or `no-skip` where it is
 * of the control; and it presupposes that the network has learned its task, and has so many blocks in a stage. Thresholds are ours. In
 * convolutional networks alignment is weaker and comes later: early blocks still look for features, and after the epochs of a `quick`
 * preset they are not done.
 */
export interface RunClaim<N extends string = string>
  extends Omit<Claim<N>, 'measure' | 'property' | 'presupposes' | 'control'> {
  readonly property?: Claim['property'];
  readonly blocks?: number;
}

export const CONVOLUTIONAL = models.filter((kind) => networks[kind].convolutional);
export const FULLY_CONNECTED = models.filter((kind) => !networks[kind].convolutional);
/** A lower bound for fully connected networks, and one for those with convolutions. */
export const byKind =
  (fc: number, conv: number) =>
  ({ kind }: Facts) => ({ atLeast: networks[kind].convolutional ? conv : fc });

export const SHARE = [0, 1] as const;
export const COSINE = [-1, 1] as const;

/** A mean over samples with its spread. */
export const over = <M>(
  pick: (measures: M, network: NetworkInfo) => Spread | undefined,
): Pick<Scalar<M>, 'from' | 'spread'> => ({
  from: (m, network) => pick(m, network)?.mean ?? null,
  spread: (m, network) => pick(m, network)?.std ?? null,
});

/** The extreme of means of blocks, with that block's spread; blocks without a value are passed over. */
export function extreme(blocks: readonly Spread[], which: 'minimum' | 'maximum'): Spread | undefined {
  const known = blocks.filter((b) => b.mean !== null);
  if (known.length === 0) return undefined;
  return known.reduce((a, b) => (a.mean! < b.mean! === (which === 'minimum') ? a : b));
}
