import type { Claim } from '../analysis/results.ts';
import type { ScalarName } from '../analysis/scalars.ts';
import type { Preset, Settings } from './experiment.ts';

/**
 * The shape of `sweep.json`, which joins the runs of a sweep: what was asked, every run with its scalar measures, and the
 * claims with their verdicts over seeds. Pages, tables and figures of a sweep are drawn from it, and from the files of
 * its runs.
 */
export interface SweepRecord {
  readonly schema: 'collimate/sweep@1';
  readonly name: string;
  readonly preset: string;
  /** The report's headline. */
  readonly title: string;
  /** What is asked, in a sentence or two. */
  readonly question: string;
  /** What runs differ in, besides their seeds. */
  readonly axes: readonly Axis[];
  readonly seeds: readonly number[];
  readonly runs: readonly SweepRun[];
  readonly claims: readonly SweepClaim[];
  readonly figures: readonly SweepFigure[];
  /** Settings that all runs share; an axis may still change one of them. */
  readonly base: Preset['settings'];
  /** What a reader has to know: deviations from the paper, and choices made by rule, a sentence each. */
  readonly notes: readonly string[];
  /** What the runs that are there ran on: distinct values, in order. */
  readonly provenance: readonly { readonly name: string; readonly values: readonly string[] }[];
}

export interface Axis {
  /** As in {@link SweepRun.cell}: `depth`. */
  readonly name: string;
  /** Of an axis in a figure, or the head of a column: `total depth L`. */
  readonly label: string;
  /** Whether numbers on it are placed by their logarithms. */
  readonly log?: boolean;
}

export type CellValue = number | string;
/** Where a run lies on the axes; an axis that says nothing of it is left out. */
export type Cell = Readonly<Record<string, CellValue>>;

export interface SweepRun {
  /** Experiment, preset and what differs from it: `mnist-fc.quick/depth=4,seed=2`. The run's folder below `runs`. */
  readonly id: string;
  readonly cell: Cell;
  readonly seed: number;
  readonly settings: Settings;
  /** `missing`: not there (yet). `failed`: it was tried. */
  readonly status: 'done' | 'missing' | 'failed';
  /** Why it failed, in words. */
  readonly reason?: string;
  /** Seconds of training, the control aside; null where it is not done. */
  readonly seconds: number | null;
  /** Of the trained network, at initialization, and of the trained control; null where there is none. */
  readonly trained: Scalars | null;
  readonly initialization: Scalars | null;
  readonly control: Scalars | null;
  /** Accuracy on the training images that were held back, after the last epoch; null where none were. */
  readonly validationAccuracy: number | null;
  /** The trained network's measures at moments of training, from initialization on; null where none were kept. */
  readonly course: readonly { readonly epoch: number; readonly scalars: Scalars }[] | null;
  /** The run's own claims, judged with its control. */
  readonly claims: readonly Claim[];
}

/** Scalar measures of one network at one moment by name. */
export type Scalars = Readonly<Record<ScalarName, number | null>>;

/** One claim of the paper, judged over seeds. */
export interface SweepClaim {
  readonly property: ClaimProperty;
  readonly id: string;
  /** What is claimed, in words: "the top singular value falls inversely with total depth". */
  readonly title: string;
  /** What is measured, and in which of the sweep's runs. */
  readonly measure: string;
  readonly comparison: '>=' | '<=' | 'between';
  /** The number it is compared with; two of them for `between`. Ours, where not said. */
  readonly threshold: number | readonly [number, number];
  /** One number a seed; null where it was not measured, or is undefined. */
  readonly values: readonly (number | null)[];
  /** Mean over seeds and standard deviation (population). */
  readonly value: number | null;
  readonly spread: number | null;
  /** 95% confidence interval, where the value is a fit. */
  readonly interval?: readonly [number, number] | undefined;
  /** The same measure at initialization and in the control, means over seeds; null where there is none. */
  readonly atInitialization: number | null;
  readonly control: number | null;
  /** What the control is: "the same without skip connections". */
  readonly controlLabel?: string | undefined;
  /** In how many of the seeds the value is on its side of the threshold. */
  readonly seedsHolding: number;
  /** Whether it holds in every seed; null where a run that it needs is not there. */
  readonly holds: boolean | null;
}

/** Which of the paper's claims a number speaks to; `training` for what the others presuppose. */
export type ClaimProperty =
  | Claim['property']
  /** RA ceases to occur once skip connections are removed. */
  | 'no-skip'
  /** It occurs across depths, widths, numbers of classes and datasets. */
  | 'scope'
  /** It comes with generalization. */
  | 'generalization'
  /** It comes with neural collapse. */
  | 'collapse'
  /** It provably occurs in the Unconstrained Jacobians Model. */
  | 'theory';

interface FigureWords {
  /** File name without its ending: `ra4-depth`. */
  readonly file: string;
  readonly title: string;
  /** Says what to look for. */
  readonly caption: string;
}

/** What a figure of a sweep shows. */
export type SweepFigure = FigureWords &
  (
    | {
        /** Scalars over an axis, a panel each; a dot a seed, a line through the means. */
        readonly kind: 'scalars';
        readonly x: string;
        /** Another axis, with a colour for each of its values. */
        readonly series?: string;
        readonly scalars: readonly (ScalarName | 'validationAccuracy')[];
        /** Only runs that lie there. */
        readonly where?: Cell;
        /** Shows the same at initialization and in the control, in quiet colours. */
        readonly beside?: boolean;
        /** Fits a straight line to logarithms in each panel, and says its slope with its interval. */
        readonly slope?: boolean;
      }
    | {
        /** A measure of each block, a panel for each value of an axis, a line a seed. */
        readonly kind: 'blocks';
        readonly panels: string;
        readonly measure: 'sigma1' | 'branchRatio' | 'blockLoss' | 'pathShares';
        readonly where?: Cell;
      }
    | {
        /** Scalars over the epochs of runs with snapshots, a panel each, a line a seed. */
        readonly kind: 'course';
        readonly scalars: readonly ScalarName[];
        readonly series?: string;
      }
  );
