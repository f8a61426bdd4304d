import { DeviceArray } from '../autograd/array.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import { range } from '../lists.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { bound, floats } from '../train/bound.ts';
import type { Weights } from '../train/network.ts';
import { type HostState, TrainingState } from '../train/state.ts';
import type { Arrays } from './block-programs.ts';
import { joinStages, summarize } from './join.ts';
import { rowSpace } from './measures/classifier.ts';
import type { Measures, SampleMeasures } from './results.ts';
import { all } from './results.ts';
import type { AnalysisOptions } from './settings.ts';
import { measureStage, type StageMeasures } from './stage.ts';

/** The training examples at which Jacobians are taken. */
export interface AnalysisSamples {
  /** Normalized inputs, [count, …]. */
  readonly inputs: Float32Array;
  readonly labels: readonly number[];
  /** Their positions in the training set. */
  readonly indices: readonly number[];
}

/** What is measured of a network at some samples. */
export type NetworkMeasures = Pick<
  Measures,
  'step' | 'samples' | 'summary' | 'deadBlocks' | 'frobenius' | 'alignment'
>;

/**
 * Takes all measures (docs/measures.md) of a network at the given samples. `resident` are the same weights
 * where they lie on this device already; default: they are copied there.
 * @example
 * const net = new FcResNet({ inputs: 2, depth: 2, width: 8, classes: 2, activation: 'relu', skip: true });
 * const samples = { inputs: new Float32Array([0, 1, 1, 0]), labels: [0, 1], indices: [0, 1] };
 * const options = analysisSettings(net, { seed: 1 });
 * const measures = await measureNetwork(gpu, net, initialState(net, 1), samples, options);
 * measures.samples.length; // 2
 */
export async function measureNetwork(
  gpu: Gpu,
  network: ResidualNetwork,
  state: HostState,
  { inputs, labels, indices }: AnalysisSamples,
  options: AnalysisOptions,
  resident?: Readonly<Record<string, DeviceArray>>,
): Promise<NetworkMeasures> {
  using own = resident ? undefined : new TrainingState(gpu, network);
  own?.load(state);
  const weights = resident ?? own!.weights;
  const { points, branches, logits } = await representations(gpu, network, weights, inputs, labels.length);
  const given = { gpu, network, weights, points, count: labels.length };
  const whole = await Promise.all(all.flatMap((m) => m.atSamples?.(given) ?? []));
  const rows = classifierRows(network, state);
  const behind = network.behind(points);
  const stages: StageMeasures[] = [];
  for (const [s, stage] of network.stages.entries()) {
    const classifier = s === network.stages.length - 1 && !network.reconstructs ? rowSpace(rows) : null;
    const input = {
      stage,
      points: points[s]!,
      behind: behind[s]!,
      branches: branches[s]!,
      labels,
      classifier,
    };
    stages.push(await measureStage(gpu, network, { state, weights }, input, options));
  }
  const samples = labels.map((label, n) => {
    const own = logits.subarray(n * rows.length, (n + 1) * rows.length);
    const predicted = own.indexOf(Math.max(...own));
    const parts = stages.map((stage) => stage.samples[n]!);
    return Object.assign(
      { index: indices[n]!, label, predicted },
      joinStages('sample', parts),
      ...whole.map((w) => w[n]!),
    );
  }) as SampleMeasures[];
  return Object.assign(
    { step: state.step, samples, summary: summarize(samples, network.stages) },
    joinStages(
      'gathered',
      stages.map(({ gathered }) => gathered),
    ),
    ...all.map((m) => m.overSamples?.(samples)),
  ) as NetworkMeasures;
}

/** The classifier's row of each class, or of each other output. */
export function classifierRows({ classifier, stages }: ResidualNetwork, state: HostState): Float64Array[] {
  const weight = Float64Array.from(state.parameters.get(classifier)!);
  const features = stages.at(-1)!.shape.at(-1)!;
  return range(weight.length / features).map((c) => weight.slice(c * features, (c + 1) * features));
}

/** h at each stage's points, F of its blocks, [N, ...shape] each, and logits [N, classes], at inference. */
async function representations(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Arrays,
  images: Float32Array,
  count: number,
): Promise<{ points: Float32Array[][]; branches: Float32Array[][]; logits: Float32Array }> {
  using inputs = DeviceArray.from(gpu, images, [count, ...network.input]);
  using program = await bound(gpu, 'representations', [weights, inputs], (weights: Weights, x: Tensor) => {
    const { points, branches, logits } = network.representations(weights, x, inferenceNorm);
    return { points, branches, logits };
  });
  program.submit();
  const { points, branches, logits } = program.result;
  const readStages = (stages: readonly (readonly DeviceArray[])[]) =>
    Promise.all(stages.map((stage) => Promise.all(stage.map(floats))));
  return {
    points: await readStages(points),
    branches: await readStages(branches),
    logits: await floats(logits),
  };
}
