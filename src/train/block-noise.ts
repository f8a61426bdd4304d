import { equal, greater, iota, mul, random, reshape, where } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { BlockNoise, Network } from './network.ts';

/** A step's stochastic depth and dropout, by seed, step, block and position alone, so runs can resume. */
export function blockNoise(
  { survival, dropout }: Pick<Network, 'survival' | 'dropout'>,
  step: Tensor,
  seed: Tensor,
): BlockNoise {
  const key = where(equal(iota([2]), 0), seed, step);
  return {
    // A kept branch is divided by its probability; a dropped one becomes 0, and so do its gradients, but it
    // still enters the statistics of its BatchNorm layers.
    ...(survival && {
      branch(branch, block) {
        const drawn = random(key, [1], { stream: survival.blocks.indexOf(block) });
        const factor = where(greater(survival.probability, drawn), 1 / survival.probability, 0);
        return mul(
          branch,
          reshape(
            factor,
            branch.shape.map(() => 1),
          ),
        );
      },
    }),
    // Inverted dropout; its streams are those behind stochastic depth's.
    ...(dropout && {
      inner(x, block) {
        const { blocks, rate } = dropout;
        const drawn = random(key, x.shape, { stream: blocks.length + blocks.indexOf(block) });
        return mul(x, where(greater(rate, drawn), 0, 1 / (1 - rate)));
      },
    }),
  };
}
