import type { Evidence } from '../analysis/evidence.ts';
import type { NetworkInfo, StageInfo } from '../analysis/network-info.ts';
import { stagesOf } from '../analysis/network-info.ts';
import type { Analysis, CourseMoment, EpochMetrics, Measures } from '../analysis/results.ts';

export type { Figure } from './parts.ts';

/** One trained network: what was measured in it and how its training went. */
export interface RunData {
  /** In the panel titles: "Residual network", "No-skip control". */
  label: string;
  analysis: Analysis;
  metrics: EpochMetrics[];
  /** From initialization on; only where weights were kept on the way. */
  course?: CourseMoment[];
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
  /** In which ways this run departs from the paper, a sentence each. */
  deviations: string[];
}

/** One network at one moment: what one panel of a figure shows. */
export interface Moment {
  title: string;
  measures: Measures;
  network: NetworkInfo;
}

/** What a network's blocks are, for headlines: "8 blocks of width 128", "6 blocks of 14×14×16". */
export function blocksInWords({ stages }: Pick<NetworkInfo, 'stages'>): string {
  const one = ({ blocks, shape }: StageInfo) =>
    `${blocks.length} ${blocks.length === 1 ? 'block' : 'blocks'} of ${shape.length > 1 ? shape.join('×') : `width ${shape[0]}`}`;
  return stages.map(one).join(', ');
}

/** A stage of one network at one moment: what one panel shows where stages have panels of their own. */
export interface StageMoment extends Moment {
  /** Its number, from 0. */
  stage: number;
  /** Its first block among all, and the one behind its last, from 0. */
  start: number;
  end: number;
}

/** Moments side by side, a row for each stage. */
export function stageRows(shown: readonly Moment[]): StageMoment[][] {
  const stages = stagesOf(shown[0]!.network.stages);
  return stages.map((range, stage) =>
    shown.map((moment) => ({
      ...moment,
      ...range,
      stage,
      title: stages.length > 1 ? `${moment.title}, stage ${stage + 1}` : moment.title,
    })),
  );
}

/** Says of a figure with a row for each stage which is which. */
export const rowsInWords = ({ stages }: Pick<NetworkInfo, 'stages'>): string =>
  stages.length > 1
    ? ` A row for each stage, as vectors of different lengths cannot be compared: ${blocksInWords({ stages })}.`
    : '';

/** Says of a figure over all blocks what its broken lines are. */
export const boundariesInWords = ({ run }: ReportData): string =>
  run.analysis.network.stages.length > 1
    ? ' Broken lines part the stages, between which h changes its shape.'
    : '';

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
