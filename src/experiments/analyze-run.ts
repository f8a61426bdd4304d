import { measureNetwork, networkInfo } from '../analysis/measure.ts';
import type { Analysis, Measures } from '../analysis/results.ts';
import { type AnalysisOptions, analysisSettings } from '../analysis/settings.ts';
import type { Gpu } from '../gpu/device.ts';
import { type NetworkOptions, networkOf } from '../models/network-of.ts';
import { Evaluator } from '../train/evaluate.ts';
import { type HostState, initialState, TrainingState } from '../train/state.ts';
import { analysisSamples, type DeviceTask, type Task } from './task.ts';

/** What an analysis can be told. */
export interface AnalysisRequest {
  /** Of the training, from which initialization follows. */
  readonly trainingSeed: number;
  /** Of the choice of samples and of the sketch. */
  readonly seed: number;
  readonly samples: number;
  /** Number K of leading triples compared; by default that of the classes. */
  readonly triples?: number | undefined;
  readonly convention?: AnalysisOptions['convention'] | undefined;
}

/** Measures a network as trained, and as it was at initialization. */
export async function analyzeRun(
  gpu: Gpu,
  task: Task,
  data: DeviceTask,
  options: NetworkOptions,
  trained: HostState,
  request: AnalysisRequest,
): Promise<Analysis> {
  const network = networkOf(options);
  const { seed, triples, convention } = request;
  const settings = analysisSettings(network, {
    seed,
    ...(triples && { triples }),
    ...(convention && { convention }),
  });
  const samples = analysisSamples(task, request.samples, request.seed);

  using state = new TrainingState(gpu, network, { momentum: false });
  using test = await Evaluator.create(gpu, network, state.weights, data.test);
  using train = await Evaluator.create(gpu, network, state.weights, data.train);
  async function measure(host: HostState): Promise<Measures> {
    state.load(host);
    const [testAccuracy, trainAccuracy] = [await test.accuracy(), await train.accuracy()];
    const undecided = {
      nc1: null,
      nc2Norms: null,
      nc2Angles: null,
      nc3: null,
      weightNorms: null,
      weightAngles: null,
    };
    return {
      ...(await measureNetwork(gpu, network, host, samples, settings)),
      ...{ testAccuracy, trainAccuracy, blockLoss: null, blockLossExamples: null },
      collapse: { examples: 0, nc4: 0, ...undecided },
    };
  }
  const initialization = await measure(initialState(network, request.trainingSeed));
  return {
    schema: 'collimate/analysis@3',
    network: networkInfo(network),
    settings,
    initialization,
    trained: await measure(trained),
  };
}
