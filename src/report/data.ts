import type { Evidence } from '../analysis/evidence.ts';
import type { Shown } from '../analysis/measures/figure.ts';
import type { Analysis, CourseSnapshot, EpochMetrics, Measures } from '../analysis/results.ts';

/** One trained network: its measures and its training. */
export interface RunData {
  /** In the panel titles: "Residual network", "No-skip control". */
  label: string;
  analysis: Analysis;
  metrics: EpochMetrics[];
  /** From initialization on; only if weights were kept along the way. */
  course?: CourseSnapshot[];
}

/** Everything a report shows. The page and the figures add no numbers of their own. */
export interface ReportData {
  title: string;
  /** As typed on the command line: `mnist-fc`. */
  experiment: string;
  network: { config: Record<string, unknown> };
  run: RunData;
  control?: RunData;
  claims: readonly Evidence[];
  settings: [string, string][];
  provenance: [string, string][];
  /** How this run departs from the paper, a sentence each. */
  deviations: string[];
}

/** The panels of every figure, in order: the trained network, its initialization, the trained control. */
export function networksOf({ run, control }: ReportData): Shown<Measures>[] {
  const of = (
    { label, analysis: { network, settings, ...measured } }: RunData,
    at: 'trained' | 'initialization',
  ) => ({
    title: `${label}, ${at === 'trained' ? at : `at ${at}`}`,
    measures: measured[at],
    network,
    triples: settings.triples,
  });
  return [of(run, 'trained'), of(run, 'initialization'), ...(control ? [of(control, 'trained')] : [])];
}
