import type { DeviceArray } from '../autograd/array.ts';
import {
  argmax,
  cast,
  equal,
  mean,
  reshape,
  softmaxCrossEntropy,
  square,
  sub,
  take,
} from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { DeviceExamples } from './examples.ts';
import type { Network } from './network.ts';

/** What a network is trained for. Outputs are [n, classes]. */
export interface Objective {
  /** The examples' true outputs, as steps read them. */
  readonly truth: DeviceArray;
  /** The true outputs of the examples at `index` (u32 [n]) with inputs x. */
  expected(truth: Tensor, index: Tensor, x: Tensor): Tensor;
  /** The mean loss over examples. */
  loss(outputs: Tensor, expected: Tensor): Tensor;
  /** What each example's outputs are worth, [n, 1], at most 1. Accuracy is their mean, at least 0. */
  worth(outputs: Tensor, expected: Tensor): Tensor;
}

const ofExamples = (truth: Tensor, index: Tensor) => take(truth, index);

/** Cross-entropy; an output is worth 1 if it is right. */
const classification = {
  expected: ofExamples,
  loss: softmaxCrossEntropy,
  worth: (logits: Tensor, labels: Tensor) =>
    cast(equal(argmax(logits), reshape(labels, [labels.size, 1])), 'f32'),
};

const squaredError = (outputs: Tensor, expected: Tensor) => mean(square(sub(outputs, expected)), -1);

/** Mean squared error against targets of variance 1: 1 − error is R², the share of variance explained. */
const regression = {
  expected: ofExamples,
  loss: (outputs: Tensor, expected: Tensor) => mean(squaredError(outputs, expected)),
  worth: (outputs: Tensor, expected: Tensor) => sub(1, squaredError(outputs, expected)),
};

/** The same against the inputs. */
const reconstruction = {
  ...regression,
  expected: (_: Tensor, index: Tensor, x: Tensor) => reshape(x, [index.size, x.size / index.size]),
};

/** What a network is trained for: to return its inputs, their target vectors, or else their classes. */
export function objectiveOf(
  { reconstructs }: Pick<Network, 'reconstructs'>,
  { labels, targets }: Pick<DeviceExamples, 'labels' | 'targets'>,
): Objective {
  if (reconstructs) return { ...reconstruction, truth: labels };
  return targets ? { ...regression, truth: targets } : { ...classification, truth: labels };
}
