import { DeviceArray } from '../autograd/array.ts';
import {
  add,
  argmax,
  cast,
  div,
  equal,
  iota,
  mean,
  mul,
  rem,
  reshape,
  shuffle,
  softmaxCrossEntropy,
  take,
  where,
} from '../autograd/functions.ts';
import { type BoundProgram, compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { valueAndGrad } from '../autograd/transform.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { type BatchStatistics, MOMENTUM, trainingNorm } from './batch-norm.ts';
import { type DeviceExamples, inputsOf } from './examples.ts';
import type { Network, Weights } from './network.ts';
import { type SgdOptions, sgd } from './sgd.ts';
import { shuffleSeed, TrainingState } from './state.ts';
import { stochasticDepth } from './stochastic-depth.ts';

export interface TrainerOptions extends SgdOptions {
  readonly batch: number;
  readonly seed: number;
}

export interface StepRecord {
  readonly step: number;
  /** Mean cross-entropy of the batch, before the step. */
  readonly loss: number;
  /** Share of the batch that was classified correctly. */
  readonly accuracy: number;
}

/** Steps whose losses are kept until they are read. */
export const LOG_LENGTH = 1024;

/**
 * The training loop. All of a step happens on the GPU: batch gather, forward and backward pass, SGD, the schedule,
 * running statistics, and a ring of losses that the host reads when it likes.
 */
export class Trainer implements Disposable {
  readonly state: TrainingState;
  readonly stepsPerEpoch: number;
  readonly #gpu: Gpu;
  /** What a step runs, in this order. */
  readonly programs: readonly BoundProgram[];
  readonly #own: readonly DeviceArray[];
  readonly #log: DeviceArray;
  #queued = 0;

  private constructor(
    gpu: Gpu,
    state: TrainingState,
    stepsPerEpoch: number,
    programs: readonly BoundProgram[],
    own: readonly DeviceArray[],
    log: DeviceArray,
  ) {
    this.#gpu = gpu;
    this.state = state;
    this.stepsPerEpoch = stepsPerEpoch;
    this.programs = programs;
    this.#own = own;
    this.#log = log;
  }

  /** Compiles the loop for a network and its training set. An epoch leaves out the last, partial batch. */
  static async create(
    gpu: Gpu,
    network: Network,
    examples: DeviceExamples,
    options: TrainerOptions,
  ): Promise<Trainer> {
    const count = examples.labels.size;
    const stepsPerEpoch = Math.floor(count / options.batch);
    if (!Number.isInteger(options.batch) || options.batch < 2 || stepsPerEpoch < 1) {
      throw new CollimateError(
        `batch is ${options.batch}, with ${count} training examples`,
        `Choose a whole number from 2 (BatchNorm needs two) to ${count}.`,
      );
    }
    const state = new TrainingState(gpu, network, { momentum: options.momentum !== 0 });
    const seed = DeviceArray.from(gpu, [shuffleSeed(options.seed)], [1], 'u32', 'seed');
    const log = DeviceArray.zeros(gpu, [LOG_LENGTH, 2], 'f32', 'losses');
    const rates = statisticsRates(gpu, network, state, options.batch);
    const { parameters, gradients, running, batch, step, momentum } = state;

    const gradientInputs = [
      state.parameterLayout.views(parameters),
      examples.images,
      examples.labels,
      step,
      seed,
      log,
    ];
    const updateInputs = [parameters, gradients, running, batch, rates, step, momentum];
    const [gradient, update] = await Promise.all([
      compile(gpu, gradientStep(network, examples, options.batch), specsOf(gradientInputs), {
        label: 'gradient',
        inPlace: [[network.parameters.length + 2 * network.norms.length, network.parameters.length + 4]],
      }),
      compile(gpu, updateStep(options), specsOf(updateInputs), {
        label: 'update',
        inPlace: [[0, 0], [1, 2], [2, 5], ...(momentum ? [[3, 6] as const] : [])],
      }),
    ]);
    const gradientViews = state.parameterLayout.views(gradients);
    const batchViews = state.statisticsLayout.views(batch);
    const programs = [
      gradient.bind(gradientInputs, [
        network.parameters.map(({ name }) => gradientViews[name]),
        network.norms.map(({ name }) => [
          batchViews[`${name}.running_mean`],
          batchViews[`${name}.running_var`],
        ]),
        log,
      ]),
      update.bind(updateInputs, [parameters, running, step, momentum]),
    ];
    return new Trainer(gpu, state, stepsPerEpoch, programs, [seed, log, rates], log);
  }

  /** Queues the next `count` steps and returns at once. */
  queue(count: number): void {
    this.#gpu.submit(this.programs, count);
    this.#queued += count;
  }

  /** Sets the state from which the next queued step continues. */
  load(host: Parameters<TrainingState['load']>[0]): void {
    this.state.load(host);
    this.#queued = host.step;
  }

  /** Steps queued so far, those of an earlier session included. */
  get step(): number {
    return this.#queued;
  }

  /** Losses of the last `count` (at most {@link LOG_LENGTH}) of the steps queued so far, once they have run. */
  async records(count: number): Promise<StepRecord[]> {
    const end = this.#queued;
    const available = Math.min(count, end, LOG_LENGTH);
    const log = await this.#log.read();
    return Array.from({ length: available }, (_, i) => {
      const step = end - available + i;
      const at = 2 * (step % LOG_LENGTH);
      return { step, loss: log[at]!, accuracy: log[at + 1]! };
    });
  }

  dispose(): void {
    for (const program of this.programs) program.dispose();
    for (const array of this.#own) array.dispose();
    this.state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The arrays of a structure as specs to trace with. */
export function specsOf(inputs: readonly unknown[]): unknown[] {
  const spec = (x: unknown): unknown =>
    x instanceof DeviceArray
      ? { shape: x.shape, dtype: x.dtype }
      : x && typeof x === 'object'
        ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, spec(v)]))
        : x;
  return inputs.map(spec);
}

/**
 * Gradients, batch statistics and the log of the step that the counter stands at. Each epoch visits the examples in
 * an order of its own, which depends on the seed and the epoch.
 */
function gradientStep(network: Network, examples: DeviceExamples, batch: number) {
  const count = examples.labels.size;
  const stepsPerEpoch = Math.floor(count / batch);
  return (weights: Weights, images: Tensor, labels: Tensor, step: Tensor, seed: Tensor, log: Tensor) => {
    const position = add(mul(rem(step, stepsPerEpoch), batch), iota([batch]));
    const index = shuffle(position, add(mul(div(step, stepsPerEpoch), 0x9e3779b1), seed), count);
    const x = inputsOf(images, index, examples, network.input);
    const y = take(labels, index);

    const gate = network.survival && stochasticDepth(network.survival, step, seed);
    const seen: Record<string, BatchStatistics> = {};
    const loss = (w: Weights): [Tensor, Tensor] => {
      const logits = network.forward(w, x, trainingNorm(seen), gate);
      return [softmaxCrossEntropy(logits, y), logits];
    };
    const [[value, logits], gradients] = valueAndGrad(loss, { hasAux: true })(weights);
    const accuracy = mean(cast(equal(argmax(logits), reshape(y, [batch, 1])), 'f32'));

    const here = equal(iota([LOG_LENGTH, 1], -2), rem(step, LOG_LENGTH));
    const entry = where(equal(iota([1, 2]), 0), value, accuracy);
    return [
      network.parameters.map(({ name }) => gradients[name]!),
      network.norms.map(({ name, features }) => {
        const { mean, variance } = seen[name]!;
        return [reshape(mean, [features]), reshape(variance, [features])];
      }),
      where(here, entry, log),
    ];
  };
}

/** What part of each batch statistic its running one takes over: a variance's follows the unbiased estimate, n/(n−1) times the one that normalizes. */
function statisticsRates(gpu: Gpu, network: Network, state: TrainingState, batch: number): DeviceArray {
  const layout = state.statisticsLayout;
  const rates = new Map(
    network.norms.flatMap(({ name, features, places }) => {
      const n = batch * places;
      return [
        [`${name}.running_mean`, new Float32Array(features).fill(MOMENTUM)] as const,
        [`${name}.running_var`, new Float32Array(features).fill((MOMENTUM * n) / (n - 1))] as const,
      ];
    }),
  );
  return DeviceArray.from(gpu, layout.pack(rates), [layout.size], 'f32', 'rates of the statistics');
}

function updateStep(options: SgdOptions) {
  return (
    parameters: Tensor,
    gradients: Tensor,
    running: Tensor,
    batch: Tensor,
    rates: Tensor,
    step: Tensor,
    momentum?: Tensor,
  ) => {
    const next = sgd(parameters, gradients, momentum, step, options);
    return [next.parameters, add(mul(running, 1 - MOMENTUM), mul(batch, rates)), add(step, 1), next.momentum];
  };
}
