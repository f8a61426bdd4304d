import { featureReader } from '../analysis/features.ts';
import { classifierRows, measureNetwork } from '../analysis/measure-network.ts';
import type { Images } from '../analysis/measures/measure.ts';
import { describe } from '../analysis/network-info.ts';
import { ANALYSIS_FORMAT, type Analysis, all, type Measures } from '../analysis/results.ts';
import { type AnalysisOptions, analysisSettings } from '../analysis/settings.ts';
import { sizeOf } from '../autograd/shape.ts';
import { type NetworkOptions, networkOf } from '../models/networks.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { Evaluator } from '../train/evaluate.ts';
import { type HostState, initialState, TrainingState } from '../train/state.ts';
import { batchStatistics, permutedWeights } from './permuted.ts';
import { analysisSamples, type DeviceTask } from './task.ts';

export interface AnalysisRequest {
  /** Seed of the training, from which initialization follows. */
  readonly trainingSeed: number;
  /** Seed of the choice of samples and of the sketch. */
  readonly seed: number;
  readonly samples: number;
  /** What is measured beside the trained weights: those at initialization (default), or these permuted. */
  readonly control?: 'initial' | 'permuted' | undefined;
  /** Whether to measure what remains when blocks are replaced; default: false. */
  readonly compress?: boolean | undefined;
  /** Whether to measure the Jacobian lens, at initialization too; default: false. */
  readonly lens?: boolean | undefined;
  /** Number K of leading triples to compare; default: the number of classes. */
  readonly triples?: number | undefined;
  /** Singular values to find, at least K; default: three times the classes, or as many as fit. */
  readonly spectrum?: number | undefined;
  readonly convention?: AnalysisOptions['convention'] | undefined;
}

const COLLAPSE_IMAGES = 10_000;
/** A second device pays once all Jacobians' tangents hold this many numbers: about those of `mnist-fc`. */
const WIDE_FROM = 1e6;

/** Measures one network at any number of training steps; programs over whole datasets are compiled once. */
export function analystOf(data: DeviceTask, network: ResidualNetwork, request: AnalysisRequest) {
  const { gpu, task } = data;
  const { trainingSeed: _, control: __, samples: count, ...rest } = request;
  const { compress = false, lens = false, ...chosen } = rest;
  const settings = analysisSettings(network, chosen);
  const samples = analysisSamples(task, count, request.seed);
  const state = new TrainingState(gpu, network);
  const { weights } = state;
  const own: Disposable[] = [state];
  /** Made on first use. */
  const once = <T extends Disposable>(make: () => Promise<T>) => {
    let made: Promise<T> | undefined;
    return () => {
      made ??= make().then((one) => {
        own.unshift(one);
        return one;
      });
      return made;
    };
  };
  const test = once(() => Evaluator.create(gpu, network, weights, data.test));
  const train = once(() => Evaluator.create(gpu, network, weights, data.train));
  const reader = once(() => featureReader(gpu, network, weights, data.train, COLLAPSE_IMAGES));
  const vectors = network.stages.reduce((sum, { blocks, shape }) => sum + blocks.length * sizeOf(shape), 0);
  /** Whether to measure Jacobians on all cores; small jobs are done before another device is ready. */
  const wide = count * settings.sketchColumns * vectors >= WIDE_FROM;

  return {
    settings,
    /** Weights in random order, whose BatchNorm statistics are those of the first images. */
    async permuted(host: HostState): Promise<HostState> {
      const moved = permutedWeights(network, host, request.seed);
      state.load({ ...moved, statistics: host.statistics });
      return { ...moved, statistics: await batchStatistics(gpu, network, weights, data.train) };
    },
    /** All measures at a step. `brief` skips slow ones and takes training accuracy on COLLAPSE_IMAGES. */
    async measure(host: HostState, { brief }: { brief: boolean }): Promise<Measures> {
      state.load(host);
      const evaluator = await test();
      const read = await (await reader()).read();
      const { predicted } = read;
      const labels = task.train.labels.subarray(0, predicted.length);
      const correct = predicted.filter((p, i) => p === labels[i]).length / predicted.length;
      const classifies = !network.reconstructs && !data.train.targets;
      const enough = brief || predicted.length === task.train.count;
      const images: Images = {
        gpu,
        network,
        weights,
        train: data.train,
        test: data.test,
        brief,
        compress: compress && !brief,
        lens,
        classifies,
        features: { ...read, labels },
        classifier: classifierRows(network, host),
        testAccuracy: () => evaluator.accuracy(),
        trainAccuracy: async () => (enough && classifies ? correct : (await train()).accuracy()),
      };
      const parts: object[] = [];
      for (const { overImages } of all) if (overImages) parts.push(await overImages(images));
      const on = wide ? await gpu.wide() : gpu;
      const resident = on === gpu ? weights : undefined;
      const atSamples = measureNetwork(on, network, host, samples, settings, resident);
      return Object.assign(await atSamples, ...parts) as Measures;
    },
    [Symbol.dispose](): void {
      for (const one of own) one[Symbol.dispose]();
    },
  };
}

/**
 * Measures a network as trained, and briefly at initialization or with permuted weights. `trained` may read
 * the weights each time: they are let go of before others are drawn, so that one network is in memory.
 */
export async function analyzeRun(
  data: DeviceTask,
  options: NetworkOptions,
  trained: () => HostState,
  request: AnalysisRequest,
): Promise<Analysis> {
  const network = networkOf(options);
  using analyst = analystOf(data, network, request);
  const permuted = request.control === 'permuted';
  const measures = await analyst.measure(trained(), { brief: false });
  const other = permuted ? await analyst.permuted(trained()) : initialState(network, request.trainingSeed);
  return {
    schema: ANALYSIS_FORMAT,
    network: describe(network),
    settings: analyst.settings,
    ...(permuted && { control: 'permuted' }),
    initialization: await analyst.measure(other, { brief: true }),
    trained: measures,
  };
}
