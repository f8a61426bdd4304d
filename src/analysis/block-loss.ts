import { DeviceArray } from '../autograd/array.ts';
import { mul } from '../autograd/functions.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { Evaluator } from '../train/evaluate.ts';
import type { DeviceExamples } from '../train/examples.ts';
import type { Network } from '../train/network.ts';

/** Test images that are enough: each block takes a pass over them, and losses are seen to 1/2000. */
const EXAMPLES = 2000;

/**
 * Accuracy that a network with skip connections loses on the first examples of a set when the branch of one block is left out,
 * h_{i+1} = σ(h_i), for each block that is analysed (as by Veit, Wilber & Belongie, NeurIPS 2016).
 */
export async function blockLoss(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  test: DeviceExamples,
): Promise<{ losses: number[]; examples: number }> {
  const examples = Math.min(EXAMPLES, test.labels.size);
  // Factors of the branches rather than a network for each block: one program, and the same kernels for all blocks.
  const blocks = network.stages.flatMap((stage) => stage.blocks);
  const factors = new Map(blocks.map((block) => [`${block}.factor`, DeviceArray.from(gpu, [1], [1])]));
  const gated: Network = {
    input: network.input,
    parameters: network.parameters,
    norms: network.norms,
    forward: (weights, x, norm) =>
      network.forward(weights, x, norm, {
        branch(branch, block) {
          const factor = weights[`${block}.factor`];
          return factor ? mul(branch, factor) : branch;
        },
      }),
  };
  try {
    const all = { ...weights, ...Object.fromEntries(factors) };
    using evaluator = await Evaluator.create(gpu, gated, all, test, examples);
    const whole = await evaluator.accuracy();
    const losses: number[] = [];
    for (const factor of factors.values()) {
      factor.write([0]);
      losses.push(whole - (await evaluator.accuracy()));
      factor.write([1]);
    }
    return { losses, examples };
  } finally {
    for (const factor of factors.values()) factor.dispose();
  }
}
