import { sizeOf } from '../analysis/batches.ts';
import { type FeatureReader, featureReader } from '../analysis/features.ts';
import { type AnalysisSamples, classifierRows, measureNetwork } from '../analysis/measure-network.ts';
import type { Images } from '../analysis/measures/measure.ts';
import { all, type Measures } from '../analysis/results.ts';
import { type AnalysisOptions, analysisSettings } from '../analysis/settings.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { Evaluator } from '../train/evaluate.ts';
import { type HostState, TrainingState } from '../train/state.ts';
import { analysisSamples, type DeviceTask, type Task } from './task.ts';

/** The options of an analysis. */
export interface AnalysisRequest {
  /** Seed of the training, from which initialization follows. */
  readonly trainingSeed: number;
  /** Seed of the choice of samples and of the sketch. */
  readonly seed: number;
  readonly samples: number;
  /** Number K of leading triples to compare; default: the number of classes. */
  readonly triples?: number | undefined;
  readonly convention?: AnalysisOptions['convention'] | undefined;
}

/** Training images over which neural collapse is measured, at most. */
const COLLAPSE_IMAGES = 10_000;
/** Numbers in the directions of all Jacobians from which on opening a device for them pays: about those of `mnist-fc`. */
const WIDE_FROM = 1e6;

/** Measures one network at any number of training steps; programs over whole datasets are compiled once. */
export class Analyst implements Disposable {
  readonly settings: AnalysisOptions;
  readonly #gpu: Gpu;
  readonly #network: ResidualNetwork;
  readonly #task: Task;
  readonly #data: DeviceTask;
  readonly #samples: AnalysisSamples;
  readonly #state: TrainingState;
  #test: Evaluator | undefined;
  #train: Evaluator | undefined;
  #features: FeatureReader | undefined;

  constructor(gpu: Gpu, task: Task, data: DeviceTask, network: ResidualNetwork, request: AnalysisRequest) {
    const { seed, triples, convention } = request;
    this.settings = analysisSettings(network, {
      seed,
      ...(triples && { triples }),
      ...(convention && { convention }),
    });
    this.#gpu = gpu;
    this.#network = network;
    this.#task = task;
    this.#data = data;
    this.#samples = analysisSamples(task, request.samples, seed);
    this.#state = new TrainingState(gpu, network, { momentum: false });
  }

  /** All measures at a step. If `brief`, training accuracy covers the images of neural collapse only, and slow measures are skipped. */
  async measure(host: HostState, { brief }: { brief: boolean }): Promise<Measures> {
    const [gpu, network, { weights }] = [this.#gpu, this.#network, this.#state];
    const { train, test } = this.#data;
    this.#state.load({ ...host, momentum: new Map() });
    this.#test ??= await Evaluator.create(gpu, network, weights, test);
    this.#features ??= await featureReader(gpu, network, weights, train, COLLAPSE_IMAGES);
    const { features, predicted } = await this.#features.read();
    const labels = this.#task.train.labels.subarray(0, predicted.length);
    const correct = predicted.filter((p, i) => p === labels[i]).length / predicted.length;
    const images: Images = {
      ...{ gpu, network, weights, test, brief, features: { features, predicted, labels } },
      classifier: classifierRows(network, host),
      testAccuracy: () => this.#test!.accuracy(),
      trainAccuracy: async () =>
        brief || predicted.length === this.#task.train.count ? correct : this.#trainAccuracy(),
    };
    const parts: object[] = [];
    for (const { overImages } of all) if (overImages) parts.push(await overImages(images));
    const atSamples = measureNetwork(await this.#measuringGpu(), network, host, this.#samples, this.settings);
    return Object.assign(await atSamples, ...parts) as Measures;
  }

  /** Where Jacobians are measured: on all cores, unless that is done before another device is ready. */
  #measuringGpu(): Promise<Gpu> | Gpu {
    const vectors = this.#network.stages.map(({ blocks, shape }) => blocks.length * sizeOf(shape));
    const directions = this.#samples.labels.length * this.settings.sketchColumns;
    return directions * vectors.reduce((a, b) => a + b, 0) < WIDE_FROM ? this.#gpu : this.#gpu.wide();
  }

  /** Over all training images. */
  async #trainAccuracy(): Promise<number> {
    this.#train ??= await Evaluator.create(this.#gpu, this.#network, this.#state.weights, this.#data.train);
    return this.#train.accuracy();
  }

  [Symbol.dispose](): void {
    for (const own of [this.#test, this.#train, this.#features, this.#state]) own?.[Symbol.dispose]();
  }
}
