import { stagesOf } from '../analysis/network-info.ts';
import { type ScalarName, scalar, scalars } from '../analysis/scalars.ts';
import type { Spread } from '../analysis/statistics.ts';
import type { Data, Observation } from './csv.ts';
import { type Moment, moments, type ReportData, type RunData } from './data.ts';
import { drawnBlocks } from './figures/alignment.ts';
import { points } from './figures/spectra.ts';
import { range, spread } from './numbers.ts';
import { evidenceRow } from './verdicts.ts';

const names = Object.keys(scalars) as ScalarName[];

/** Every number that a run's figures and tables show, and where these show means also the samples'. */
export function runTables(data: ReportData): Data[] {
  const shown = [
    { network: 'run', at: 'trained' },
    { network: 'run', at: 'initialization' },
    { network: 'control', at: 'trained' },
  ];
  const of = (observe: (moment: Moment) => readonly Observation[]): Observation[] =>
    moments(data).flatMap((moment, i) => observe(moment).map((row) => ({ ...shown[i], ...row })));
  return [
    { name: 'claims', rows: data.claims.map(evidenceRow) },
    { name: 'training', rows: trainingRows(data) },
    ...(data.run.course ? [{ name: 'course', rows: courseRows(data.run) }] : []),
    { name: 'measures', rows: of(measureRows) },
    { name: 'stages', rows: of(stageRows) },
    { name: 'blocks', rows: of(blockRows) },
    { name: 'paths', rows: of(pathRows) },
    { name: 'samples', rows: of(sampleRows) },
    { name: 'trajectories', rows: of(trajectoryRows) },
    { name: 'spectra', rows: of(spectrumRows) },
    { name: 'left-right', rows: of(leftRightRows) },
    { name: 'pairs', rows: of(pairRows) },
    { name: 'alignment', rows: of(alignmentRows) },
  ];
}

const trainingRows = ({ run, control }: ReportData): Observation[] => [
  ...run.metrics.map((line) => ({ network: 'run', ...line })),
  ...(control?.metrics ?? []).map((line) => ({ network: 'control', ...line })),
];

const courseRows = ({ course = [], analysis }: RunData): Observation[] =>
  course.flatMap((moment) =>
    names.map((measure) => ({
      ...{ epoch: moment.epoch, step: moment.step },
      ...{ measure, value: scalar(measure).from(moment, analysis.network) },
    })),
  );

const pathRows = ({ measures }: Moment): Observation[] =>
  (measures.summary.pathShares ?? []).map(({ mean, std }, length) => ({ length, share: mean, std }));

/** The scalar measures, with their spread over samples where they are means. */
const measureRows = ({ measures, network }: Moment): Observation[] =>
  names.map((measure) => ({
    measure,
    value: scalar(measure).from(measures, network),
    std: scalar(measure).spread?.(measures, network) ?? null,
    what: scalar(measure).what,
  }));

const stageRows = ({ measures }: Moment): Observation[] =>
  measures.summary.perStage.map(({ inverseDepthFit, ...paths }, stage) => ({
    stage: stage + 1,
    ...Object.fromEntries(
      Object.entries(paths).flatMap(([name, { mean, std }]) => [
        [name, mean],
        [`${name}Std`, std],
      ]),
    ),
    ...{ fitA: inverseDepthFit?.a, fitB: inverseDepthFit?.b, fitR2: inverseDepthFit?.r2 },
    ...measures.frobenius[stage],
  }));

function blockRows({ measures, network }: Moment): Observation[] {
  const { summary, samples, blockLoss } = measures;
  const perBlock: Record<string, readonly Spread[]> = {
    step: range(network.depth).map((i) => spread(samples.map((s) => s.stepNorms[i]))),
    sigma1: summary.sigma1,
    topEnergy: summary.topEnergy,
    numericalRank: summary.numericalRank,
    stableRank: summary.stableRank,
    ...(summary.residual && { residual: summary.residual }),
    ...(summary.gap && { gap: summary.gap }),
    ...(summary.leftRightError && { leftRightError: summary.leftRightError }),
    leftRight: summary.leftRight,
    classifierShare: summary.classifierShare,
    branchRatio: summary.branchRatio,
  };
  const stages = stagesOf(network.stages);
  return range(network.depth).flatMap((i) => {
    const stage = stages.findIndex(({ end }) => i < end);
    const block = {
      block: i + 1,
      name: network.stages[stage]!.blocks[i - stages[stage]!.start],
      stage: stage + 1,
    };
    return [
      ...Object.entries(perBlock).map(([measure, all]) => ({ ...block, measure, ...all[i] })),
      ...(blockLoss ? [{ ...block, measure: 'blockLoss', mean: blockLoss[i] }] : []),
    ];
  });
}

const sampleRows = ({ measures: { samples } }: Moment): Observation[] =>
  samples.map(({ index, label, predicted, line, straightness, lineShape, stepCv, stepCosine }) => ({
    ...{ sample: index, label, predicted, line, straightness, lineShape, stepCv, stepCosine },
  }));

const trajectoryRows = ({ measures: { samples } }: Moment): Observation[] =>
  samples.flatMap(({ index, label, commonTrajectory, trajectory }) =>
    commonTrajectory.map(([x, y], point) => ({
      ...{ sample: index, label, point: point + 1, x, y },
      ...{ ownX: trajectory[point]?.[0], ownY: trajectory[point]?.[1] },
    })),
  );

/** Singular values over the block's first, mean over samples, as drawn, and themselves. */
function spectrumRows({ measures, network }: Moment): Observation[] {
  const relative = points({ measures, start: 0, end: network.depth });
  return relative.map(({ block, k, sigma }) => ({
    ...{ block, k, relative: sigma },
    sigma: spread(measures.samples.map((s) => s.sigma[block - 1]?.[k - 1])).mean,
    residual: spread(measures.samples.map((s) => s.residual?.[block - 1]?.[k - 1])).max,
    gap: spread(measures.samples.map((s) => s.gap?.[block - 1]?.[k - 1])).min,
  }));
}

const leftRightRows = ({ measures: { samples }, network }: Moment): Observation[] =>
  range(network.depth).flatMap((i) =>
    range(Math.max(0, ...samples.map((s) => s.leftRight[i]?.length ?? 0))).map((k) => {
      const { mean, std } = spread(samples.map((s) => s.leftRight[i]?.[k]));
      return { block: i + 1, k: k + 1, cosine: mean, std };
    }),
  );

const pairRows = ({ measures: { samples }, network }: Moment): Observation[] =>
  range(network.depth).flatMap((i) =>
    range(network.depth).flatMap((j) => {
      const share = spread(samples.map((s) => s.diagonalShare[i]?.[j]));
      const coupling = spread(samples.map((s) => s.coupling[i]?.[j]));
      const off = spread(samples.map((s) => s.diagonalShareError?.[i]?.[j]));
      if (share.mean === null && coupling.mean === null) return [];
      return [
        {
          ...{ jacobian: i + 1, basis: j + 1, diagonalShare: share.mean, diagonalShareStd: share.std },
          ...{ diagonalShareError: off.mean, coupling: coupling.mean, couplingStd: coupling.std },
        },
      ];
    }),
  );

/** The cells of the grid that are drawn. */
function alignmentRows({ measures: { alignment }, network }: Moment): Observation[] {
  const { blocks, triples } = drawnBlocks(network, alignment);
  return blocks.flatMap((i) =>
    blocks.flatMap((j) =>
      (alignment[i]?.[j] ?? [])
        .slice(0, triples)
        .flatMap((row, k) =>
          row
            .slice(0, triples)
            .map((value, l) => ({ jacobian: i + 1, basis: j + 1, row: k + 1, column: l + 1, value })),
        ),
    ),
  );
}
