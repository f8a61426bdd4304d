import type { DeviceArray } from '../autograd/array.ts';
import { add, div, equal, iota, mean, mul, rem, reshape, shuffle, where } from '../autograd/functions.ts';
import type { Tensor, Typed } from '../autograd/tensor.ts';
import { valueAndGrad } from '../autograd/transform.ts';
import type { Gpu } from '../gpu/device.ts';
import { shuffleIndex } from '../kernels/shuffle.ts';
import { type BatchStatistics, MOMENTUM, trainingNorm } from './batch-norm.ts';
import { blockNoise } from './block-noise.ts';
import { type DeviceExamples, inputsOf } from './examples.ts';
import type { Loader } from './loader.ts';
import { type Network, statisticsOf, type Weights } from './network.ts';
import { objectiveOf } from './objective.ts';
import { adamw, sgd } from './optimizers.ts';
import { cosine } from './schedules.ts';
import type { TrainingState } from './state.ts';

/** Steps whose losses are kept until they are read. */
export const LOG_LENGTH = 1024;

/** Multiplies the epoch's number, which is added to the seed to choose the epoch's order. */
const EPOCH_KEY = 0x9e3779b1;

/** Number of the example at a position in a step's batch, as {@link gradientStep} finds it on the GPU. */
export function exampleAt(step: number, i: number, count: number, batch: number, seed: number): number {
  const stepsPerEpoch = Math.floor(count / batch);
  const key = (Math.imul(Math.floor(step / stepsPerEpoch), EPOCH_KEY) + seed) >>> 0;
  return shuffleIndex((step % stepsPerEpoch) * batch + i, key, count);
}

/** The counter's step: gradients, batch statistics, what to log. Seed and epoch choose the epoch's order. */
export function gradientStep(network: Network, examples: DeviceExamples, loader: Loader, batch: number) {
  const count = examples.labels.size;
  const stepsPerEpoch = Math.floor(count / batch);
  const objective = objectiveOf(network, examples);
  return (weights: Weights, images: Tensor, truth: Tensor, step: Tensor, seed: Tensor) => {
    const position = add(mul(rem(step, stepsPerEpoch), batch), iota([batch]));
    const index = shuffle(position, add(mul(div(step, stepsPerEpoch), EPOCH_KEY), seed), count);
    const x = inputsOf(images, loader.rows(step, index), examples, network.input);
    const y = objective.expected(truth, index, x);

    const noise = blockNoise(network, step, seed);
    const seen: Record<string, BatchStatistics> = {};
    const loss = (w: Weights): [Tensor, Tensor] => {
      const logits = network.forward(w, x, trainingNorm(seen), noise);
      return [objective.loss(logits, y), logits];
    };
    const [[value, logits], gradients] = valueAndGrad(loss, { hasAux: true })(weights);
    const accuracy = mean(objective.worth(logits, y));
    return [
      network.parameters.map(({ name }) => gradients[name]!),
      network.norms.flatMap(({ name }) => [seen[name]!.mean, seen[name]!.variance]),
      [rem(step, LOG_LENGTH), reshape(value, [1]), reshape(accuracy, [1])],
    ];
  };
}

/** Weight of each batch statistic in its running one; a variance is made unbiased by n/(n−1). */
export function statisticsRates(
  gpu: Gpu,
  network: Network,
  state: TrainingState,
  batch: number,
): DeviceArray {
  const layout = state.statisticsLayout;
  const rates = new Map(
    statisticsOf(network).map(({ kind, name, norm: { features, positions } }) => {
      const n = batch * positions;
      return [name, new Float32Array(features).fill(kind === 'var' ? (MOMENTUM * n) / (n - 1) : MOMENTUM)];
    }),
  );
  const whole = layout.allocate(gpu, 'rates of the statistics');
  layout.write(whole, rates);
  return whole;
}

/** How a step moves parameters: SGD or AdamW, whose learning rate falls as {@link cosine} says. */
export interface TrainingOptions {
  /** Learning rate at the first step. */
  readonly lr: number;
  /** Default: `sgd`. */
  readonly optimizer?: 'sgd' | 'adamw';
  /** Of SGD; of AdamW, β₁. */
  readonly momentum: number;
  readonly weightDecay: number;
  /** Steps over which the learning rate falls to 0. */
  readonly steps: number;
}

/** How many running averages of gradients the optimizer keeps. */
export const momentsOf = ({ optimizer, momentum }: TrainingOptions): number =>
  optimizer === 'adamw' ? 2 : momentum ? 1 : 0;

/** The optimizer, running statistics, the counter of steps, and a ring of losses and accuracies in turns. */
export function updateStep({ lr: first, steps, optimizer: rule, momentum, weightDecay }: TrainingOptions) {
  const lr = cosine({ lr: first, steps });
  const optimizer =
    rule === 'adamw'
      ? adamw({ lr, weightDecay, betas: [momentum, 0.999] })
      : sgd({ lr, momentum, weightDecay });
  return (
    parameters: Tensor,
    gradients: Tensor,
    running: Tensor,
    batch: Tensor,
    rates: Tensor,
    step: Typed<'u32'>,
    log: Tensor,
    [position, loss, accuracy]: readonly [Tensor, Tensor, Tensor],
    ...moments: Tensor[]
  ) => {
    const [next, state] = optimizer.update(parameters, gradients, { step, moments });
    const statistics = add(mul(running, 1 - MOMENTUM), mul(batch, rates));
    const number = iota([log.size]);
    const entry = where(equal(rem(number, 2), 0), loss, accuracy);
    const logged = where(equal(div(number, 2), position), entry, log);
    return [next, statistics, state.step, logged, ...state.moments];
  };
}
