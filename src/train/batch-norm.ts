import { add, mean, normalize, reshape, rsqrt, variance } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Normalizer, Weights } from './network.ts';

/** PyTorch's defaults. */
export const EPSILON = 1e-5;
export const MOMENTUM = 0.1;

/** Mean and variance of each channel over a batch. */
export interface BatchStatistics {
  readonly mean: Tensor;
  /** Biased, as used for normalizing. */
  readonly variance: Tensor;
}

/**
 * Normalizes by the batch's statistics (over height and width, too), and records them in `seen` by layer.
 * @example
 * const weights = { 'bn.weight': array([1]), 'bn.bias': array([0]) };
 * trainingNorm({})(array([1, 3], [2, 1]), 'bn', weights); // [-0.999995, 0.999995]
 */
export function trainingNorm(seen: Record<string, BatchStatistics>): Normalizer {
  return (x, name, weights) => {
    const axes = x.shape.slice(1).map((_, i) => -2 - i);
    const each = (of: Tensor) => reshape(of, [x.shape.at(-1)!]);
    const statistics = { mean: each(mean(x, axes)), variance: each(variance(x, axes)) };
    seen[name] = statistics;
    return affine(x, statistics, name, weights);
  };
}

/** Normalizes by the running statistics. Example: {@link TrainingState} */
export const inferenceNorm: Normalizer = (x, name, weights) =>
  affine(
    x,
    { mean: weights[`${name}.running_mean`]!, variance: weights[`${name}.running_var`]! },
    name,
    weights,
  );

function affine(x: Tensor, { mean, variance }: BatchStatistics, name: string, weights: Weights): Tensor {
  const rate = rsqrt(add(variance, EPSILON));
  return normalize(x, mean, rate, weights[`${name}.weight`]!, weights[`${name}.bias`]!);
}
