import type { PageSettings } from './settings.ts';

/** What the page tells its worker. */
export type Command =
  /** The first of all. */
  | { readonly type: 'images'; readonly bytes: Uint8Array }
  | { readonly type: 'start'; readonly settings: PageSettings }
  | { readonly type: 'pause' | 'resume' | 'step' }
  | { readonly type: 'speed'; readonly stepsPerSecond: number };

/** What is drawn of one network at one step; numbers are those of `analysis.json`. */
export interface Picture {
  readonly testAccuracy: number;
  /** Mean over samples and pairs of blocks; null where undefined. */
  readonly diagonalShare: number | null;
  /** Share of a path's variance on a line, mean over samples. */
  readonly line: number | null;
  /** Of each block, mean over samples. */
  readonly sigma1: readonly (number | null)[];
  /** σ_k/σ_1 of each block, mean over samples. */
  readonly spectra: readonly (readonly number[])[];
  /** |U_jᵀ J_i V_j| / σ_1(J_i), mean over samples: [i][j], K×K; null beside a dead block. */
  readonly alignment: readonly (readonly (readonly (readonly number[])[] | null)[])[];
  /** h_1 … h_{L+1} of each sample in the plane of the classes' means. */
  readonly paths: readonly (readonly (readonly [number, number])[])[];
  /** What each sample is taken for. */
  readonly predicted: readonly number[];
}

/** A training image at which Jacobians are taken. */
export interface Sample {
  readonly label: number;
  /** 28×28, from 0 to 255. */
  readonly pixels: Uint8Array;
}

/** A pair of values: for the network, and for its twin without skip connections. */
export type Pair<T> = readonly [T, T];

/** What the worker tells the page. */
export type Report =
  | { readonly type: 'opened'; readonly adapter: string }
  | {
      readonly type: 'started';
      readonly steps: number;
      readonly images: number;
      readonly samples: readonly Sample[];
    }
  /** Losses are those of the last step done. */
  | {
      readonly type: 'progress';
      readonly step: number;
      readonly losses: Pair<number>;
      readonly stepsPerSecond: number;
    }
  /** `buffers` are those alive on the device. */
  | {
      readonly type: 'pictures';
      readonly step: number;
      readonly pictures: Pair<Picture>;
      readonly buffers: number;
    }
  | { readonly type: 'finished' }
  | { readonly type: 'failed'; readonly message: string; readonly remedy: string | undefined };
