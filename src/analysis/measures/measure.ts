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

/** All that a module of this folder may export, for samples `S` and measures `M`; list.ts folds them. */
export interface Measure<S = never, M = never> {
  /** A heading of docs/measures.md. */
  readonly title: string;
  /** The paper's property that it belongs to, if any: `RA1`. */
  readonly property?: string;
  /** What its formulas leave open, in Markdown. */
  readonly about?: string;

  /** What is measured at each sample, and how at one sample in one stage. */
  readonly sample?: Fields;
  readonly at?: (stage: StageAt) => object;
  /** The same for the network as a whole: one object per sample. */
  readonly atSamples?: (given: SamplesAt) => Promise<readonly object[]>;
  /** What is gathered over a stage's samples, one after another. */
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
  /** Facts, by name, about how the trained network and its initialization were measured. */
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
  /** h_1 … h_{L+1}; h after each block, which is off the path if stages take turns; and F of each block. */
  readonly path: Rows;
  readonly behind: Rows;
  readonly branches: Rows;
  /** Principal planes of the path's points, and of the classes' mean last points. */
  readonly plane: Plane;
  readonly commonPlane: Plane;
  readonly blocks: readonly BlockAt[];
  /** A_ij = U_jᵀ J_i V_j of the first K triples, [K, K]. */
  readonly coupling: (i: number, j: number) => Float64Array;
  /** How much of each u_{j,k} lies in the span of the first {@link BlockAt.rank} of block i. */
  readonly overlap: (i: number, j: number) => Float32Array;
  /** Pairs of Jacobians by different tokens at this sample; none without tokens. */
  readonly tokenPairs: readonly TokenPair[];
  /** Orthonormal basis of the classifier's row space; null but in the last stage, which it reads. */
  readonly classifier: Rows | null;
}

/** A Residual Jacobian. */
export interface BlockAt {
  /** Whether it is zero to float32's rounding, so that its directions mean nothing. */
  readonly dead: boolean;
  /** All singular values of the sketch, and the spectrum that is kept, zero in a dead block. */
  readonly found: readonly number[];
  readonly sigma: readonly number[];
  /** Number of σ_k ≥ 1e-2·σ_1 in the spectrum. */
  readonly rank: number;
  readonly u: (k: number) => Float64Array;
  readonly v: (k: number) => Float64Array;
  /** The larger of ‖J v − σ u‖ and ‖Jᵀu − σ v‖ over σ_1, for each of the spectrum. */
  readonly residual: readonly number[];
  /** ‖J‖_F² and its relative standard error, 0 if exact. */
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
  /** Whether to skip what takes long, as when many steps are measured. */
  readonly brief: boolean;
  /** Whether to measure networks whose blocks are replaced. */
  readonly compress: boolean;
  /** Whether to measure the Jacobian lens. */
  readonly lens: boolean;
  /** Whether outputs tell classes apart; if not, what is about classes is undefined. */
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
  /** What it would make of them if the network ended before each block of the last stage. */
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
  /** Its range, if worth showing. */
  readonly domain?: readonly [number, number];
  /** Whether it is in tables of many runs, to show how each came out; whether it is followed in training. */
  readonly glance?: boolean;
  readonly followed?: boolean;
  /** The number; null where it is undefined. */
  readonly from: (measures: M, network: NetworkInfo) => number | null;
  /** What the number may be off by, if known: see spectrum.ts. */
  readonly uncertainty?: (measures: M, network: NetworkInfo) => number | null;
  /** Its standard deviation over samples, if it is a mean of them. */
  readonly spread?: (measures: M, network: NetworkInfo) => number | null;
}

/** A number of each block, or of each length of a path. */
export interface Series<M = never> extends Named {
  /** What is counted from 0; default: blocks, from 1. */
  readonly along?: string;
  readonly from: (measures: M) => readonly (Partial<Spread> | undefined)[] | null | undefined;
}

/**
 * A claim about one network beside its control. It measures what its scalar does; its property is its
 * measure's, or `no-skip` if it is about the control; it presupposes a network that learned its task, with
 * so many blocks in a stage. Thresholds are ours. In convolutional networks alignment is weaker and comes
 * later: early blocks still look for features, and are not done after the epochs of a `quick` preset.
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

/** The extreme of block means, with that block's spread; skips blocks without a value. */
export function extreme(blocks: readonly Spread[], which: 'minimum' | 'maximum'): Spread | undefined {
  const known = blocks.filter((b) => b.mean !== null);
  if (known.length === 0) return undefined;
  return known.reduce((a, b) => (a.mean! < b.mean! === (which === 'minimum') ? a : b));
}
