import type { Gpu } from '../gpu/device.ts';
import type { FcResNet } from '../models/fc-resnet.ts';
import type { HostState } from '../train/state.ts';
import type { Measures } from './results.ts';

/** The training examples at which Jacobians are taken. */
export interface AnalysisSamples {
  /** Normalized inputs [count, features]. */
  readonly inputs: Float32Array;
  readonly labels: readonly number[];
  /** Their positions in the training set. */
  readonly indices: readonly number[];
}

export interface AnalysisOptions {
  /** Number K of leading triples in RA2. */
  readonly triples: number;
  /** Number of singular values reported. */
  readonly spectrum: number;
  readonly convention: 'branch' | 'post-activation';
  readonly powerIterations: number;
  readonly seed: number;
}

/** All measures of one network at one moment but its accuracies, which need the whole data set. */
export type NetworkMeasures = Omit<Measures, 'trainAccuracy' | 'testAccuracy'>;

export async function measureNetwork(
  _gpu: Gpu,
  _network: FcResNet,
  _state: HostState,
  _samples: AnalysisSamples,
  _options: AnalysisOptions,
): Promise<NetworkMeasures> {
  throw new Error('not written yet');
}
