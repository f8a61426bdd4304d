import type { PlannedRun } from '../experiments/sweep.ts';
import type { TuneMode } from '../tuner/tuner.ts';

/** What a worker is asked for: a run, or the optimization of the Unconstrained Jacobians Model. */
export type Order = RunOrder | TheoryOrder;

/** Experiments go by name. */
export interface RunOrder extends Omit<PlannedRun, 'experiment'> {
  readonly kind: 'run';
  readonly experiment: string;
  readonly folder: string;
  readonly command: string;
}

export interface TheoryOrder {
  readonly kind: 'theory';
  readonly id: string;
  readonly preset: string;
  readonly folder: string;
}

/** What holds for all runs of a worker; handed over in its environment. */
export interface WorkerOptions {
  readonly adapter?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly tune: TuneMode;
  readonly checkpointSeconds: number;
}

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'done' }
  /** Another process has the run's folder. */
  | { readonly kind: 'elsewhere' }
  | { readonly kind: 'failed'; readonly reason: string; readonly final: boolean };

/** The environment variable with a worker's {@link WorkerOptions}. */
export const OPTIONS = 'COLLIMATE_WORKER';

/** Sent in place of an order when there are no more. */
export const NO_MORE = 'no more';
