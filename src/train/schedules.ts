import { add, cast, cos, div, maximum, minimum, mul, pow, sub } from '../autograd/functions.ts';
import type { Tensor, Typed } from '../autograd/tensor.ts';
import { checkReal, checkWhole } from '../errors.ts';

/** The learning rate at a step (u32, from 0), computed on the GPU. */
export type Schedule = (step: Tensor) => Typed;

/** Where and how fast a rate falls. */
export interface DecayOptions {
  /** At the first step. */
  readonly lr: number;
  /** Steps after which it stays constant. */
  readonly steps: number;
}

function checkDecay({ lr, steps }: DecayOptions): void {
  checkReal('lr', lr, 0);
  checkWhole('steps', steps, 1);
}

/**
 * lr · (1 + cos(π t / T)) / 2, and 0 from step T on (Loshchilov & Hutter, *SGDR*, 2017, without restarts).
 *
 * @example
 * const optimizer = sgd({ lr: cosine({ lr: 0.1, steps: 1000 }) });
 */
export function cosine({ lr, steps }: DecayOptions): Schedule {
  checkDecay({ lr, steps });
  return (step) => mul(add(cos(mul(cast(minimum(step, steps), 'f32'), Math.PI / steps)), 1), lr / 2);
}

/** {@link cosine} on the host. */
export const cosineRate = (step: number, { lr, steps }: DecayOptions): number =>
  (lr * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps))) / 2;

/**
 * From `lr` to `to` (default: 0) in equal steps, and `to` from step T on.
 *
 * @example
 * const optimizer = sgd({ lr: linear({ lr: 0.1, to: 0.01, steps: 1000 }) });
 */
export function linear({ lr, steps, to = 0 }: DecayOptions & { readonly to?: number }): Schedule {
  checkDecay({ lr, steps });
  checkReal('to', to, 0);
  return (step) => add(mul(cast(minimum(step, steps), 'f32'), (to - lr) / steps), lr);
}

/**
 * `lr`, multiplied by `factor` after every `every` steps: PyTorch's StepLR.
 *
 * @example
 * const optimizer = sgd({ lr: stepDecay({ lr: 0.1, every: 300, factor: 0.1 }) });
 */
export function stepDecay(options: {
  readonly lr: number;
  readonly every: number;
  readonly factor: number;
}): Schedule {
  const { lr, every, factor } = options;
  checkReal('lr', lr, 0);
  checkWhole('every', every, 1);
  checkReal('factor', factor, 0);
  return (step) => mul(pow(factor, cast(div(step, every), 'f32')), lr);
}

/**
 * A linear rise from 0 over the first `steps` steps to `rate`, whose steps count from there.
 *
 * @example
 * const optimizer = adamw({ lr: warmup(100, cosine({ lr: 1e-3, steps: 900 })) });
 */
export function warmup(steps: number, rate: number | Schedule): Schedule {
  checkWhole('steps', steps, 1);
  return (step) => {
    const share = minimum(div(cast(step, 'f32'), steps), 1);
    return mul(share, rateAt(rate, sub(maximum(step, steps), steps)));
  };
}

/** The rate at a step, of a schedule or constant. */
export const rateAt = (rate: number | Schedule, step: Tensor): Typed | number =>
  typeof rate === 'number' ? rate : rate(step);
