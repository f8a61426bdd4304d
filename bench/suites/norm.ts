import { mul, sum } from '../../src/autograd/functions.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { grad } from '../../src/autograd/transform.ts';
import { type BatchStatistics, trainingNorm } from '../../src/train/batch-norm.ts';
import { type Case, runCases } from '../cases.ts';
import { noise, relativeError } from '../inputs.ts';
import type { Suite } from '../suite.ts';

/** BatchNorm of x [n, d] by its own statistics, which are outputs too, as training needs them. */
function forward(x: Tensor, weight: Tensor, bias: Tensor): Tensor[] {
  const seen: Record<string, BatchStatistics> = {};
  const y = trainingNorm(seen)(x, 'bn', { 'bn.weight': weight, 'bn.bias': bias });
  return [y, seen.bn!.mean, seen.bn!.variance];
}

/** Gradients for x, weight and bias where that of the output is `dy`. */
const backward = (x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor): unknown =>
  grad(({ x, weight, bias }: Record<'x' | 'weight' | 'bias', Tensor>) =>
    sum(mul(forward(x, weight, bias)[0]!, dy)),
  )({ x, weight, bias });

/** BatchNorm in training, as the graph of src/train/batch-norm.ts compiles. */
export const normSuite: Suite = {
  name: 'norm',
  summary: 'BatchNorm in training, forward and backward',
  threads: 'all',
  sizes: { notation: 'BATCHxFEATURES', defaults: ['128x128', '1024x256', '4096x128', '250x300'] },
  run: (context) =>
    runCases(
      context,
      context.sizes.flatMap(([batch, features]) => casesOf(batch!, features!)),
    ),
};

function casesOf(batch: number, features: number): Case[] {
  const [matrix, row] = [
    [batch, features],
    [1, features],
  ];
  const caseOf = (name: string, f: Case['f'], shapes: number[][]): Case => ({
    name,
    size: `${batch}x${features}`,
    f,
    shapes,
    inputs: () => shapes.map(([r, c], stream) => noise(r! * c!, stream)),
    check: (outputs, inputs, { graph }) => {
      const expected = interpret(graph, inputs);
      const errors = outputs.map((y, i) => relativeError(y, expected[i]!.data));
      return {
        relativeTo: 'the largest of each output',
        error: Math.max(...errors),
        tolerance: 2e-5,
      };
    },
  });
  return [
    caseOf('forward', forward, [matrix, row, row]),
    caseOf('forward and backward', backward, [matrix, row, row, matrix]),
  ];
}
