import { type AnalysisOptions, analysisSettings, measureNetwork } from '../analysis/measure.ts';
import type { Analysis, Measures } from '../analysis/results.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { FcResNet } from '../models/fc-resnet.ts';
import type { NetworkOptions } from '../models/network-of.ts';
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
  if (options.kind !== 'fc') {
    throw new CollimateError(
      `the network is ${options.kind}, which cannot be analysed yet`,
      'Analyse a fully connected one.',
    );
  }
  const network = new FcResNet(options);
  const { depth, width, classes, activation, skip } = options;
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
    return { ...(await measureNetwork(gpu, network, host, samples, settings)), testAccuracy, trainAccuracy };
  }
  const initialization = await measure(initialState(network, request.trainingSeed));
  return {
    schema: 'collimate/analysis@1',
    network: { depth, width, classes, activation, skip },
    settings,
    initialization,
    trained: await measure(trained),
  };
}
