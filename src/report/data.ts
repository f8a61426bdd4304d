import type { Analysis, Claim, EpochMetrics, Measures, NetworkInfo } from '../analysis/results.ts';

/** One trained network: what was measured in it and how its training went. */
export interface RunData {
  /** In the panel titles: "Residual network", "No-skip control". */
  label: string;
  analysis: Analysis;
  metrics: EpochMetrics[];
}

/** Everything a report shows. The page and the figures add no numbers of their own. */
export interface ReportData {
  title: string;
  /** As typed on the command line: `mnist-fc`. */
  experiment: string;
  network: { config: Record<string, unknown> };
  run: RunData;
  control?: RunData;
  claims: Claim[];
  settings: [string, string][];
  provenance: [string, string][];
  /** In which ways this run departs from the paper, a sentence each. */
  deviations: string[];
}

export interface Figure {
  /** File name, such as `ra1-trajectories.svg`. */
  file: string;
  title: string;
  /** Says what to look for. */
  caption: string;
  /** A complete document, which can also be put inline. */
  svg: string;
}

/** One network at one moment: what one panel of a figure shows. */
export interface Moment {
  title: string;
  measures: Measures;
  network: NetworkInfo;
}

/** The panels of every figure, in order: the trained network, the same at initialization, the trained control. */
export function moments({ run, control }: ReportData): Moment[] {
  const { network, trained, initialization } = run.analysis;
  return [
    { title: `${run.label}, trained`, measures: trained, network },
    { title: `${run.label}, at initialization`, measures: initialization, network },
    ...(control
      ? [
          {
            title: `${control.label}, trained`,
            measures: control.analysis.trained,
            network: control.analysis.network,
          },
        ]
      : []),
  ];
}
