import { DeviceArray } from '../autograd/array.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { type HostState, TrainingState } from '../train/state.ts';
import { specsOf } from '../train/trainer.ts';
import { rowSpace } from './alignment.ts';
import { hasPaths, pathShares } from './paths.ts';
import type { LineMeasures, Measures, NetworkInfo, SampleMeasures } from './results.ts';
import type { AnalysisOptions } from './settings.ts';
import { measureStage, type StageMeasures, type StageSample } from './stage.ts';
import { isDead, meanOf, summarize } from './summary.ts';

/** The training examples at which Jacobians are taken. */
export interface AnalysisSamples {
  /** Normalized inputs, [count, …]. */
  readonly inputs: Float32Array;
  readonly labels: readonly number[];
  /** Their positions in the training set. */
  readonly indices: readonly number[];
}

/** All measures of one network at one moment but those that need more than a few images. */
export type NetworkMeasures = Omit<
  Measures,
  'trainAccuracy' | 'testAccuracy' | 'collapse' | 'blockLoss' | 'blockLossExamples'
>;

/** What an analysis says of its network. */
export function networkInfo({ options, stages }: ResidualNetwork): NetworkInfo {
  const { kind, classes, activation, skip } = options;
  return {
    kind: kind as NetworkInfo['kind'],
    depth: stages.reduce((sum, { blocks }) => sum + blocks.length, 0),
    width: stages.at(-1)!.shape.at(-1)!,
    classes,
    activation,
    skip,
    stages: stages.map(({ blocks, shape }) => ({ blocks: [...blocks], shape: [...shape] })),
  };
}

/** Measures RA1–RA4 (docs/results.md) of a network at the given samples. */
export async function measureNetwork(
  gpu: Gpu,
  network: ResidualNetwork,
  state: HostState,
  samples: AnalysisSamples,
  options: AnalysisOptions,
): Promise<NetworkMeasures> {
  using loaded = new TrainingState(gpu, network, { momentum: false });
  loaded.load({ ...state, momentum: new Map() });
  const { points, branches, logits } = await representations(gpu, network, loaded, samples);
  const paths = hasPaths(network) ? await pathShares(gpu, network, loaded.weights, points[0]!) : null;
  const rows = classifierRows(network, state);
  const stages: StageMeasures[] = [];
  for (const [s, stage] of network.stages.entries()) {
    const classifier = s === network.stages.length - 1 ? rowSpace(rows) : null;
    const input = { stage, points: points[s]!, branches: branches[s]!, labels: samples.labels, classifier };
    stages.push(await measureStage(gpu, network, state, input, options));
  }
  const perSample = samples.labels.map((label, n): SampleMeasures => {
    const own = logits.subarray(n * rows.length, (n + 1) * rows.length);
    return {
      index: samples.indices[n]!,
      label,
      predicted: own.indexOf(Math.max(...own)),
      ...joinStages(stages.map((stage) => stage.samples[n]!)),
      pathShares: paths?.[n] ?? null,
    };
  });
  return {
    step: state.step,
    samples: perSample,
    alignment: blockDiagonal(stages.map((stage) => stage.alignment)),
    frobenius: stages.map((stage) => stage.frobenius),
    deadBlocks: perSample[0]!.sigma.flatMap((_, i) =>
      perSample.some((s) => isDead(s.sigma[i]![0]!)) ? [i + 1] : [],
    ),
    summary: summarize(perSample, network.stages),
  };
}

/** The classifier's row of each class. */
export function classifierRows({ classifier, options }: ResidualNetwork, state: HostState): Float64Array[] {
  const weight = Float64Array.from(state.parameters.get(classifier)!);
  const features = weight.length / options.classes;
  return Array.from({ length: options.classes }, (_, c) => weight.slice(c * features, (c + 1) * features));
}

/** One sample's measures of all stages, in order. */
function joinStages(
  stages: readonly StageSample[],
): Omit<SampleMeasures, 'index' | 'label' | 'predicted' | 'pathShares'> {
  const mean = (name: keyof LineMeasures) => meanOf(stages.map(({ line }) => line[name]));
  return {
    line: mean('line'),
    straightness: mean('straightness'),
    lineShape: mean('lineShape'),
    stepCv: mean('stepCv'),
    stepCosine: mean('stepCosine'),
    perStage: stages.map(({ line }) => line),
    stepNorms: stages.flatMap((s) => s.stepNorms),
    trajectory: stages.flatMap((s) => s.trajectory),
    commonTrajectory: stages.flatMap((s) => s.commonTrajectory),
    sigma: stages.flatMap((s) => s.sigma),
    residual: stages.flatMap((s) => s.residual ?? []),
    gap: stages.flatMap((s) => s.gap ?? []),
    frobenius2: stages.flatMap((s) => s.frobenius2),
    topEnergy: stages.flatMap((s) => s.topEnergy),
    numericalRank: stages.flatMap((s) => s.numericalRank),
    stableRank: stages.flatMap((s) => s.stableRank),
    leftRight: stages.flatMap((s) => s.leftRight),
    classifierShare: stages.flatMap((s) => s.classifierShare),
    diagonalShare: blockDiagonal(stages.map((s) => s.diagonalShare)),
    diagonalShareError: blockDiagonal(stages.map((s) => s.diagonalShareError ?? [])),
    coupling: blockDiagonal(stages.map((s) => s.coupling)),
    alignedDimension: meanOf(stages.map((s) => s.alignedDimension)),
    branchRatio: stages.flatMap((s) => s.branchRatio),
  };
}

/** Square grids along the diagonal of one that is null elsewhere. */
function blockDiagonal<T>(grids: readonly (readonly (readonly T[])[])[]): (T | null)[][] {
  return grids.flatMap((grid, own) =>
    grid.map((row) =>
      grids.flatMap((other, s): (T | null)[] => (s === own ? [...row] : other.map(() => null))),
    ),
  );
}

/** h at all points of each stage and F of its blocks, [N, ...shape] each, and logits [N, classes], in inference mode. */
async function representations(
  gpu: Gpu,
  network: ResidualNetwork,
  loaded: TrainingState,
  samples: AnalysisSamples,
): Promise<{ points: Float32Array[][]; branches: Float32Array[][]; logits: Float32Array }> {
  using inputs = DeviceArray.from(gpu, samples.inputs, [samples.labels.length, ...network.input]);
  const args = [loaded.weights, inputs];
  const program = await compile(
    gpu,
    (weights: Weights, x: Tensor) => {
      const { points, branches, logits } = network.representations(weights, x, inferenceNorm);
      return { points, branches, logits };
    },
    specsOf(args),
    { label: 'representations' },
  );
  using bound = program.bind(args);
  bound.submit();
  const { points, branches, logits } = bound.result;
  const read = async (array: DeviceArray) => (await array.read()) as Float32Array;
  const readStages = (stages: readonly (readonly DeviceArray[])[]) =>
    Promise.all(stages.map((stage) => Promise.all(stage.map(read))));
  return {
    points: await readStages(points),
    branches: await readStages(branches),
    logits: await read(logits),
  };
}
