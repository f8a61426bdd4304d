import { type AnalysisSamples, measureNetwork } from '../src/analysis/measure-network.ts';
import { spectra } from '../src/analysis/measures/spectrum.ts';
import { describe } from '../src/analysis/network-info.ts';
import { analysisSettings } from '../src/analysis/settings.ts';
import type { DeviceTask } from '../src/experiments/task.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { range } from '../src/lists.ts';
import { FcResNet } from '../src/models/fc-resnet.ts';
import type { ResidualNetwork } from '../src/models/residual-network.ts';
import { Evaluator } from '../src/train/evaluate.ts';
import { initialState } from '../src/train/state.ts';
import { Trainer } from '../src/train/trainer.ts';
import { PIXELS } from './images.ts';
import type { Picture } from './protocol.ts';
import type { PageSettings } from './settings.ts';

export const BATCH = 128;

/** What a contestant trains with. */
interface Options extends PageSettings {
  readonly steps: number;
}

/** One of the two networks, its training and its measures. */
export class Contestant implements Disposable {
  readonly trainer: Trainer;
  readonly #gpu: Gpu;
  readonly #network: ResidualNetwork;
  readonly #seed: number;
  readonly #samples: AnalysisSamples;
  readonly #evaluating: Promise<Evaluator>;
  #evaluator: Evaluator | undefined;

  private constructor(
    gpu: Gpu,
    network: ResidualNetwork,
    seed: number,
    trainer: Trainer,
    evaluating: Promise<Evaluator>,
    samples: AnalysisSamples,
  ) {
    this.#gpu = gpu;
    this.#network = network;
    this.#seed = seed;
    this.trainer = trainer;
    this.#evaluating = evaluating;
    this.#samples = samples;
  }

  /** Ready to train from initialization on. */
  static async create(
    gpu: Gpu,
    { train, test }: DeviceTask,
    samples: AnalysisSamples,
    { seed, depth, width, classes, skip, norm, branchScale, ...training }: Options,
  ): Promise<Contestant> {
    const scale = { '1': 1, '1/L': 1 / depth, learned: 'learned' } as const;
    const network = new FcResNet({
      ...{ inputs: PIXELS, depth, width, classes, activation: 'relu', skip },
      ...(!norm && { norm: 'none' }),
      ...(skip && branchScale !== '1' && { branchScale: scale[branchScale] }),
    });
    const trainer = await Trainer.create(gpu, network, train, { ...training, batch: BATCH, seed });
    trainer.load(initialState(network, seed));
    // First needed for a picture: it is compiled while steps run.
    const evaluating = Evaluator.create(gpu, network, trainer.state.weights, test);
    evaluating.catch(() => {}); // Reported by `ready`.
    return new Contestant(gpu, network, seed, trainer, evaluating, samples);
  }

  /** Resolves when pictures can be taken. */
  async ready(): Promise<void> {
    this.#evaluator = await this.#evaluating;
  }

  /** Measures the network after all steps queued before this call; at once, when it is {@link ready}. */
  async picture(): Promise<Picture> {
    const network = this.#network;
    const settings = analysisSettings(network, { seed: this.#seed });
    // Both are queued before anything is waited for, and so see the same step.
    const [state, testAccuracy] = await Promise.all([this.trainer.state.save(), this.#evaluator!.accuracy()]);
    const measures = await measureNetwork(this.#gpu, network, state, this.#samples, settings);
    const { summary, samples, alignment } = measures;
    const info = describe(network);
    const rows = spectra({ measures, network: info });
    return {
      testAccuracy,
      diagonalShare: summary.diagonalShare.mean,
      line: summary.line.mean,
      sigma1: summary.sigma1.map(({ mean }) => mean),
      spectra: range(info.depth, 1).map((block) =>
        rows.flatMap((row) => (row.block === block ? [row.relative as number] : [])),
      ),
      alignment: alignment as Picture['alignment'],
      paths: samples.map(({ commonTrajectory }) => commonTrajectory as Picture['paths'][number]),
      predicted: samples.map(({ predicted }) => predicted),
    };
  }

  dispose(): void {
    this.#evaluating.then((evaluator) => evaluator.dispose()).catch(() => {});
    this.trainer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
