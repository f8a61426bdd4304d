import { equal, greater, iota, mul, random, reshape, where } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { BranchGate, Network } from './network.ts';

/**
 * Stochastic depth: which blocks a step keeps depends on the seed, the step and the block alone. A branch that is kept is
 * divided by the probability of that; one that is dropped becomes 0, and so do its gradients. What it would have been
 * still enters the statistics of its BatchNorm layers.
 */
export function stochasticDepth(
  { blocks, probability }: NonNullable<Network['survival']>,
  step: Tensor,
  seed: Tensor,
): BranchGate {
  const key = where(equal(iota([2]), 0), seed, step);
  return (branch, block) => {
    const drawn = random(key, [1], { stream: blocks.indexOf(block) });
    const factor = where(greater(probability, drawn), 1 / probability, 0);
    return mul(
      branch,
      reshape(
        factor,
        branch.shape.map(() => 1),
      ),
    );
  };
}
