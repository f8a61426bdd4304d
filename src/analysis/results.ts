import * as v from 'valibot';
import { atLeast0, finite, share, whole } from '../schema.ts';
import { evidence } from './evidence.ts';
import {
  type Entries,
  type Field,
  type Fields,
  type Instead,
  type Layout,
  type Of,
  type Sizes,
  spread,
  spreads,
} from './measures/field.ts';
import { fold, list } from './measures/list.ts';
import type { Measure } from './measures/measure.ts';
import { type NetworkInfo, networkInfo } from './network-info.ts';
import { type AnalysisOptions, settings } from './settings.ts';

/*
 * The shape of `analysis.json`. Arrays over blocks run over blocks 1…L of all stages, arrays over triples
 * over singular triples by descending σ. What is undefined in a dead block (J = 0) or a path that does not
 * move, such as a cosine, is `null`, and σ is 0. What compares blocks of different stages is `null`.
 */

const [sampleFields, gathered, wholes] = [fold('sample'), fold('gathered'), fold('whole')];
const [summaries, stageSummaries] = [fold('summary'), fold('stageSummary')];

const entries = <F extends object, L extends Layout = Layout>(fields: F, ...layouts: L[]) =>
  Object.fromEntries(
    Object.entries(fields as Fields)
      .filter(([, { layout }]) => layouts.length === 0 || layouts.includes(layout as L))
      .map(([name, { schema }]) => [name, schema]),
  ) as Layout extends L ? Entries<F> : Entries<Of<F, L>>;
const spreadsOf = <F extends object, L extends Layout, S extends v.GenericSchema>(
  fields: F,
  schema: S,
  ...layouts: L[]
) =>
  Object.fromEntries(
    Object.entries(entries(fields, ...layouts) as v.ObjectEntries).map(([name, { type }]) => [
      name,
      type === 'exact_optional' ? v.exactOptional(schema) : schema,
    ]),
  ) as Instead<F, L, S>;

const path = v.object(entries(sampleFields, 'path'));

const sampleMeasures = v.object({
  /** Index into the training set. */
  index: whole(),
  label: whole(),
  predicted: whole(),
  ...entries(sampleFields),
  /** The measures of its path in each stage. */
  perStage: v.array(path),
});
/** Measures of one sample (docs/measures.md has the formulas). Those of its path are means over stages. */
export type SampleMeasures = v.InferOutput<typeof sampleMeasures>;

const summary = {
  step: whole(),
  ...entries(wholes),
  ...entries(gathered, 'stages'),
  /** Over samples; for a path, means over stages; for pairs of blocks, over all pairs within a stage. */
  summary: v.object({
    ...spreadsOf(sampleFields, spread, 'path', 'stage', 'pair'),
    ...spreadsOf(sampleFields, spreads, 'block'),
    ...entries(summaries),
    perStage: v.array(
      v.object({ ...spreadsOf(sampleFields, spread, 'path', 'pair'), ...entries(stageSummaries) }),
    ),
  }),
};
/** What is kept of measures if there are too many samples to keep. */
export type Summary = v.InferOutput<v.ObjectSchema<typeof summary, undefined>>;

const measures = v.object({ ...summary, samples: v.array(sampleMeasures), ...entries(gathered, 'grid') });
/** Measures of one network at one step. */
export type Measures = v.InferOutput<typeof measures>;

/** Every measure, for what is folded over them. */
export const all: readonly Measure<SampleMeasures, Measures>[] = list;

/** Measures without their samples. */
export const summaryOf = (m: Measures): Summary =>
  Object.fromEntries(Object.entries(m).filter(([name]) => name in summary)) as Summary;

/** `course.json`: how the measures went over the training of a network. */
export const course = v.object({
  schema: v.literal('collimate/course@1'),
  /** From initialization on. */
  moments: v.array(v.object({ epoch: whole(), ...summary })),
});
export type Course = v.InferOutput<typeof course>;
export type CourseSnapshot = Course['moments'][number];

export const ANALYSIS_FORMAT = 'collimate/analysis@4';

const analysisFields = v.object({
  schema: v.literal(ANALYSIS_FORMAT),
  network: networkInfo,
  settings,
  /** Set if `initialization` is not: its weights are the trained ones, permuted. */
  control: v.exactOptional(v.literal('permuted')),
  initialization: measures,
  trained: measures,
  /** The claims as judged; only in the file of a network that has been compared with its control. */
  claims: v.exactOptional(v.pipe(v.array(evidence), v.readonly())),
  /** Variant of the kernel used for each problem, if no `config.json` says. */
  kernels: v.exactOptional(v.record(v.string(), v.string())),
});
/** Contents of analysis.json: network, settings, and all measures at initialization and as trained. */
export type Analysis = v.InferOutput<typeof analysisFields>;

export const analysis = v.pipe(
  analysisFields,
  v.check(
    ({ network, initialization, trained, settings }) =>
      [initialization, trained].every((m) => fitsNetwork(m, network) && samplesFit(m, network, settings)),
    'lists as long as its network has blocks and stages',
  ),
);

/** Whether the fields that an object has fit. */
const fitting = (fields: object, object: object, sizes: Sizes): boolean =>
  Object.entries(fields as Record<string, Field>).every(
    ([name, field]) => !(name in object) || field.fits(object[name as never], sizes),
  );

/** Whether the lists of a summary are as long as the network has blocks and stages. */
export function fitsNetwork(given: Summary, { depth, stages }: NetworkInfo): boolean {
  const lengths = { network: undefined, block: depth, length: depth + 1 };
  const byBlock = Object.keys(spreadsOf(sampleFields, spreads, 'block')).map(
    (name) => [name, 'block'] as const,
  );
  const listed = Object.entries(summaries).map(([name, { over }]) => [name, over] as const);
  return (
    stages.reduce((sum, { blocks }) => sum + blocks.length, 0) === depth &&
    given.summary.perStage.length === stages.length &&
    [...byBlock, ...listed].every(([name, over]) => {
      const found: unknown = given.summary[name as keyof Summary['summary']];
      return !Array.isArray(found) || found.length === lengths[over];
    }) &&
    fitting({ ...wholes, ...gathered }, given, { depth, stages: stages.length, triples: 0, spectrum: 0 })
  );
}

/** The same for its samples. */
const samplesFit = (
  { samples }: Measures,
  { depth, stages }: NetworkInfo,
  { triples, spectrum }: AnalysisOptions,
): boolean =>
  samples.length > 0 &&
  samples.every(
    (sample) =>
      sample.perStage.length === stages.length &&
      fitting(sampleFields, sample, { depth, stages: stages.length, triples, spectrum }),
  );

/** One line of `metrics.jsonl`. */
export const epochMetrics = v.object({
  epoch: whole(1),
  step: whole(1),
  lr: atLeast0,
  /** Mean training loss over the epoch. */
  loss: finite,
  trainAccuracy: share,
  /** Null after epochs without a test. */
  testAccuracy: v.nullable(share),
  /** On held-out training images, if any; null when `testAccuracy` is. */
  validationAccuracy: v.exactOptional(v.nullable(share)),
  /** Training time so far, in seconds, over all sessions of the run. */
  seconds: atLeast0,
});
export type EpochMetrics = v.InferOutput<typeof epochMetrics>;
