import * as v from 'valibot';
import { evidence } from '../analysis/evidence.ts';
import { type ShownName, shownNames } from '../analysis/scalars.ts';
import { atLeast0, finite, isRecord, share, whole } from '../schema.ts';

const list = <const S extends v.GenericSchema>(of: S) => v.pipe(v.array(of), v.readonly());
/** Settings, made by the sweep itself and shown unchanged. */
const settings = v.custom<object>(isRecord, 'an object');

const axis = v.object({
  /** As in {@link SweepRun.cell}: `depth`. */
  name: v.string(),
  /** Label of an axis or column: `total depth L`. */
  label: v.string(),
  /** Whether numbers on it are logarithmic. */
  log: v.exactOptional(v.boolean()),
});
export type Axis = Readonly<v.InferOutput<typeof axis>>;

const cell = v.record(v.string(), v.union([finite, v.string()]));

const scalars = v.record(v.string(), v.nullable(v.number()));
/** Scalars of one network or model by name; older files may lack some. */
export type Scalars = Readonly<v.InferOutput<typeof scalars>>;

export const sweepRun = v.object({
  /** `<experiment>.<preset>/<changes>`, as in `mnist-fc.quick/depth=4,seed=2`; its folder below `runs`. */
  id: v.string(),
  cell,
  seed: whole(),
  settings,
  /** `missing`: not made yet. `failed`: it was tried. */
  status: v.picklist(['done', 'missing', 'failed']),
  /** Why it failed, in words. */
  reason: v.exactOptional(v.string()),
  /** Seconds of training without the control; null if it is not done. */
  seconds: v.nullable(atLeast0),
  /** Of the trained network, its initialization, and the trained control; null if there is none. */
  trained: v.nullable(scalars),
  initialization: v.nullable(scalars),
  control: v.nullable(scalars),
  /** Accuracy on the held-back training images after the last epoch; null if there are none. */
  validationAccuracy: v.nullable(share),
  /** The trained network's measures over training, from initialization on; null if none were kept. */
  course: v.nullable(
    list(v.object({ epoch: v.exactOptional(whole()), step: v.exactOptional(whole()), scalars })),
  ),
  /** The run's own claims, judged with its control. */
  claims: list(evidence),
});
export type SweepRun = Readonly<v.InferOutput<typeof sweepRun>>;

const scalarName = v.picklist<ShownName[]>(shownNames);
const words = {
  /** File name without its ending: `ra4-depth`. */
  file: v.string(),
  title: v.string(),
  /** Says what to look for. */
  caption: v.string(),
};
const sweepFigure = v.variant('kind', [
  v.object({
    ...words,
    /** Scalars over an axis, a panel each: one dot per seed, a line through the means. */
    kind: v.literal('scalars'),
    x: v.string(),
    /** Another axis, with a color for each of its values. */
    series: v.exactOptional(v.string()),
    scalars: list(v.union([scalarName, v.literal('validationAccuracy')])),
    /** Only runs at this place. */
    where: v.exactOptional(cell),
    /** Also shows initialization and control, in quiet colors. */
    beside: v.exactOptional(v.boolean()),
    /** Fits a power law in each panel, and prints its slope with an interval. */
    slope: v.exactOptional(v.boolean()),
  }),
  v.object({
    ...words,
    /** A scalar against others, a panel each: one dot per run, colored by an axis. */
    kind: v.literal('points'),
    x: list(scalarName),
    y: scalarName,
    series: v.string(),
  }),
  v.object({
    ...words,
    /** A measure of each block, a panel for each value of an axis: one line per seed. */
    kind: v.literal('blocks'),
    panels: v.string(),
    measure: v.picklist(['sigma1', 'branchRatio', 'blockLoss', 'pathShares']),
    where: v.exactOptional(cell),
  }),
  v.object({
    ...words,
    /** Scalars over the epochs or steps of runs with snapshots, a panel each, one line per seed. */
    kind: v.literal('course'),
    scalars: list(scalarName),
    series: v.exactOptional(v.string()),
  }),
  v.object({
    ...words,
    /** A panel per value of an axis: the first run there with matrices, one for each pair of blocks. */
    kind: v.literal('matrices'),
    panels: v.string(),
    /** What they show, for the legend. */
    label: v.string(),
  }),
]);
/** What a figure of a sweep shows. */
export type SweepFigure = Readonly<v.InferOutput<typeof sweepFigure>>;

const record = v.object({
  schema: v.literal('collimate/sweep@2'),
  name: v.string(),
  preset: v.string(),
  title: v.string(),
  /** The question, in a sentence or two. */
  question: v.string(),
  /** What runs differ in besides seeds. */
  axes: list(axis),
  seeds: list(whole()),
  runs: list(sweepRun),
  claims: list(evidence),
  figures: list(sweepFigure),
  /** Whether a cell's runs were made at once, so that they have no folders and pages. */
  batched: v.exactOptional(v.literal(true)),
  /** What else came out, a sentence each. */
  remarks: v.exactOptional(list(v.string())),
  /** Settings common to all runs, though an axis may change one. */
  base: settings,
  /** What readers must know: deviations from the paper and choices by rule, a sentence each. */
  notes: list(v.string()),
  /** What finished runs ran on, each once, in order. */
  provenance: list(v.object({ name: v.string(), values: list(v.string()) })),
});
/**
 * The shape of `sweep.json`: what a sweep asked, every run with its scalar measures, and the claims with
 * their verdicts over seeds. Its pages, tables and figures are drawn from this and the runs' files.
 */
export type SweepRecord = Readonly<v.InferOutput<typeof record>>;

export const SWEEP_FILE = {
  format: 'collimate/sweep@2',
  schema: record,
  remedy: 'Remove the file, and run the command of its sweep again.',
} as const;
