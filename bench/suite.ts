import type { Gpu } from '../src/gpu/device.ts';
import type { Peers } from './peers.ts';
import type { Measured } from './result.ts';
import type { SizeNotation } from './sizes.ts';

/** What a suite measures with, and where its results go. */
export interface Context {
  readonly gpu: Gpu;
  /** Milliseconds to spend on a row. */
  readonly time: number;
  /** The requested sizes, or the suite's own. */
  readonly sizes: readonly (readonly number[])[];
  /** Whether sizes were requested. */
  readonly sizesGiven: boolean;
  /** The peers to time beside us, if requested. */
  readonly peers: Peers | undefined;
  /** Whether to show a step kernel by kernel. */
  readonly profile: boolean;
  /** Adds a row to the results, and prints it. */
  add(row: Measured): void;
  /** Prints a note that is not kept. */
  say(text: string): void;
}

/** A group of benchmarks: one file of bench/suites. */
export interface Suite {
  readonly name: string;
  /** A few words for `--help`. */
  readonly summary: string;
  /** lavapipe's threads per dispatch: `all` suits large ones; training and analysis get `default`. */
  readonly threads: 'all' | 'default';
  /** Absent where sizes are fixed. */
  readonly sizes?: SizeNotation;
  run(context: Context): Promise<void>;
}
