import { add, cast, cos, mul, sub } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { checkReal, checkWhole } from '../errors.ts';

/** Learning rate, momentum and weight decay of SGD, with PyTorch’s meaning, and the steps of the schedule. */
export interface SgdOptions {
  /** Learning rate at the first step. */
  readonly lr: number;
  /** Heavy-ball momentum as in PyTorch, without dampening. */
  readonly momentum: number;
  /** Coupled: added to the gradient, times the parameter. */
  readonly weightDecay: number;
  /** Steps over which the learning rate falls to 0. */
  readonly steps: number;
}

/** Throws if an option is out of range. */
export function checkSgd({ lr, momentum, weightDecay, steps }: SgdOptions): void {
  checkReal('lr', lr, 0);
  checkReal('momentum', momentum, 0, 1);
  checkReal('weightDecay', weightDecay, 0);
  checkWhole('steps', steps, 1);
}

/** Learning rate at a step: lr · (1 + cos(π t / T)) / 2 (Loshchilov & Hutter, 2017, without restarts). */
export function cosineSchedule(step: Tensor, { lr, steps }: Pick<SgdOptions, 'lr' | 'steps'>): Tensor {
  return mul(add(cos(mul(cast(step, 'f32'), Math.PI / steps)), 1), lr / 2);
}

/** The same on the host. */
export const cosineRate = (step: number, { lr, steps }: Pick<SgdOptions, 'lr' | 'steps'>): number =>
  (lr * (1 + Math.cos((Math.PI * step) / steps))) / 2;

/** One step of SGD: the new parameters and, with momentum, the new momentum buffer. */
export function sgd(
  parameters: Tensor,
  gradients: Tensor,
  momentum: Tensor | undefined,
  step: Tensor,
  options: SgdOptions,
): { parameters: Tensor; momentum?: Tensor } {
  const decayed = options.weightDecay ? add(gradients, mul(parameters, options.weightDecay)) : gradients;
  const velocity = momentum ? add(mul(momentum, options.momentum), decayed) : decayed;
  const updated = sub(parameters, mul(velocity, cosineSchedule(step, options)));
  return momentum ? { parameters: updated, momentum: velocity } : { parameters: updated };
}
