import { add, cast, constant, mul, square, sub } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';

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

/** Coefficients of sin(x)/x in powers of x², enough for float32 up to π/2. */
const SINE = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362_880, -1 / 39_916_800, 1 / 6_227_020_800];

/**
 * Learning rate at a step: lr · (1 + cos(π t / T)) / 2 (Loshchilov & Hutter, 2017, without restarts), as
 * lr · sin²(π (T − t) / 2T), which keeps its digits as it falls to 0. WGSL's own functions may be wrong by 2⁻¹¹.
 */
export function cosineSchedule(step: Tensor, { lr, steps }: Pick<SgdOptions, 'lr' | 'steps'>): Tensor {
  const angle = mul(sub(steps, cast(step, 'f32')), Math.PI / (2 * steps));
  const squared = square(angle);
  const series = SINE.slice(0, -1).reduceRight(
    (rest, coefficient) => add(mul(rest, squared), coefficient),
    constant(SINE.at(-1)!),
  );
  return mul(square(mul(series, angle)), lr);
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
