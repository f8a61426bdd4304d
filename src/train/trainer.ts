import { DeviceArray } from '../autograd/array.ts';
import type { BoundProgram } from '../autograd/program.ts';
import { CollimateError, checkWhole } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { bound } from './bound.ts';
import { checkExamples, type DeviceExamples } from './examples.ts';
import { Loader } from './loader.ts';
import { type Network, statisticsOf } from './network.ts';
import { objectiveOf } from './objective.ts';
import { shuffleSeed, TrainingState } from './state.ts';
import {
  exampleAt,
  gradientStep,
  LOG_LENGTH,
  momentsOf,
  statisticsRates,
  type TrainingOptions,
  updateStep,
} from './step.ts';

/** Options of the optimizer, the batch size, and the seed of the order of examples. */
export interface TrainerOptions extends TrainingOptions {
  readonly batch: number;
  readonly seed: number;
}

/** What a step logs. */
export interface StepRecord {
  readonly step: number;
  /** Mean loss of the batch, before the step. */
  readonly loss: number;
  /** Share of the batch that was classified correctly, or R². */
  readonly accuracy: number;
}

/**
 * The training loop. A whole step runs on the GPU: batch gather, forward and backward pass, SGD, the
 * schedule, running statistics, and a ring of losses that the host reads at any time.
 *
 * @example
 * const net = new FcResNet({ inputs: 2, depth: 2, width: 8, classes: 2, activation: 'relu', skip: true });
 * const images = DeviceArray.from(gpu, [0, 9, 9, 0, 0, 7, 7, 0], [4, 2], 'u8');
 * const labels = DeviceArray.from(gpu, [0, 1, 0, 1], [4], 'u8');
 * const examples = { images, labels, scale: [0.1], shift: [0] };
 * const options = { batch: 4, seed: 1, lr: 0.1, momentum: 0.9, weightDecay: 0, steps: 40 };
 * const trainer = await Trainer.create(gpu, net, examples, options);
 * trainer.load(initialState(net, 1));
 * trainer.queue(40);
 * const evaluator = await Evaluator.create(gpu, net, trainer.state.weights, examples);
 * await evaluator.accuracy(); // 1
 */
export class Trainer implements Disposable {
  #queued = 0;
  /** Step from which this session continues. */
  #first = 0;

  private constructor(
    private readonly gpu: Gpu,
    readonly state: TrainingState,
    readonly stepsPerEpoch: number,
    /** What a step runs, in this order. */
    readonly programs: readonly BoundProgram[],
    private readonly loader: Loader,
    private readonly own: readonly DeviceArray[],
    private readonly log: DeviceArray,
    private readonly steps: number,
  ) {}

  /** Compiles the loop for a network and its training set. An epoch skips the last, partial batch. */
  static async create(
    gpu: Gpu,
    network: Network,
    examples: DeviceExamples,
    options: TrainerOptions,
  ): Promise<Trainer> {
    checkExamples(network, examples);
    const updating = updateStep(options);
    const count = examples.labels.size;
    const stepsPerEpoch = Math.floor(count / options.batch);
    if (!Number.isInteger(options.batch) || options.batch < 2 || stepsPerEpoch < 1) {
      throw new CollimateError(
        `batch is ${options.batch}, with ${count} training examples`,
        `Give a whole number from 2 (BatchNorm needs two) to ${count}.`,
      );
    }
    const seedValue = shuffleSeed(options.seed);
    const loader = new Loader(gpu, examples, options.batch, (step, i) =>
      exampleAt(step, i, count, options.batch, seedValue),
    );
    const state = new TrainingState(gpu, network, momentsOf(options));
    const seed = DeviceArray.from(gpu, [seedValue], [1], 'u32', 'seed');
    const log = DeviceArray.zeros(gpu, [2 * LOG_LENGTH], 'f32', 'losses');
    const entry = (['u32', 'f32', 'f32'] as const).map((dtype) => DeviceArray.zeros(gpu, [1], dtype));
    const rates = statisticsRates(gpu, network, state, options.batch);
    const { parameters, gradients, running, batch, step, moments } = state;

    const gradientInputs = [
      state.parameterLayout.views(parameters),
      loader.table,
      objectiveOf(network, examples).truth,
      step,
      seed,
    ] as const;
    const updateInputs = [parameters, gradients, running, batch, rates, step, log, entry, ...moments];
    const gradientViews = state.parameterLayout.views(gradients);
    const batchViews = state.statisticsLayout.views(batch);
    const found = [
      network.parameters.map(({ name }) => gradientViews[name]!),
      statisticsOf(network).map(({ name }) => batchViews[name]!),
      entry,
    ] as const;
    const moved = [parameters, running, step, log, ...moments];
    const kept = moments.map((_, i) => [4 + i, 8 + i] as const);
    const inPlace = [[0, 0], [1, 2], [2, 5], [3, 6], ...kept] as const;
    const computing = gradientStep(network, examples, loader, options.batch);
    const programs = await Promise.all([
      bound(gpu, 'gradient', gradientInputs, computing, found),
      bound(gpu, 'update', updateInputs, updating, moved, inPlace),
    ]);
    const own = [seed, log, rates, ...entry];
    return new Trainer(gpu, state, stepsPerEpoch, programs, loader, own, log, options.steps);
  }

  /**
   * Queues the next `count` steps and returns at once.
   * @throws CollimateError beyond the last of the `steps` in the trainer's options
   */
  queue(count: number): void {
    checkWhole('the number of steps to queue', count, 0);
    if (this.#queued + count > this.steps) {
      throw new CollimateError(
        `cannot queue ${count} steps after step ${this.#queued}: the trainer has ${this.steps}`,
        'Queue fewer, or create the trainer with more `steps`.',
      );
    }
    this.loader.queue(this.#queued, count, (steps) => this.gpu.submit(this.programs, steps));
    this.#queued += count;
  }

  /** Sets the state from which the next queued step continues. */
  load(host: Parameters<TrainingState['load']>[0]): void {
    this.state.load(host);
    this.#queued = host.step;
    this.#first = host.step;
  }

  /** Steps queued so far, those of an earlier session included. */
  get step(): number {
    return this.#queued;
  }

  /** Losses of the last `count` steps since the state was loaded (at most 1,024), once they have run. */
  async records(count: number): Promise<StepRecord[]> {
    checkWhole('the number of records', count, 0);
    const end = this.#queued;
    const available = Math.min(count, end - this.#first, LOG_LENGTH);
    const log = await this.log.read();
    return Array.from({ length: available }, (_, i) => {
      const step = end - available + i;
      const at = 2 * (step % LOG_LENGTH);
      return { step, loss: log[at]!, accuracy: log[at + 1]! };
    });
  }

  /** Frees what it made, its state included, but not the examples. */
  dispose(): void {
    for (const own of [...this.programs, this.loader, ...this.own, this.state]) own.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
