import * as v from 'valibot';
import { DeviceArray } from '../../autograd/array.ts';
import { mul } from '../../autograd/functions.ts';
import { percent } from '../../number-format.ts';
import { whole as integer, measured } from '../../schema.ts';
import { Evaluator } from '../../train/evaluate.ts';
import type { Network } from '../../train/network.ts';
import { spreadOf } from '../statistics.ts';
import { ofNetwork, type Values } from './field.ts';
import { alongBlocks, type Panels } from './figure.ts';
import type { Images, Series } from './measure.ts';

export const title = 'What a block is worth';

/** Enough test images to see losses of 1/2000; each block takes a pass over them. */
const EXAMPLES = 2000;

export const whole = {
  blockLoss: ofNetwork(
    'test accuracy with all blocks, less that without the branch of block i: h_{i+1} = σ(h_i) (Veit, Wilber & Belongie, NeurIPS 2016). `null` without skip connections, at initialization and in `course.json`',
    v.nullable(v.array(measured)),
    (losses, { depth }) => losses === null || losses.length === depth,
  ),
  blockLossExamples: ofNetwork(
    'test images, the first ones, over which that was taken, at most 2,000, as each block takes a pass',
    v.nullable(integer()),
  ),
};
type Measures = Values<typeof whole>;

export const overImages = (images: Images): Promise<Measures> | Measures =>
  images.brief || !images.network.options.skip
    ? { blockLoss: null, blockLossExamples: null }
    : blockLoss(images);

/** Accuracy lost on a set's first examples without the branch of one block, for each analyzed block. */
export async function blockLoss({
  gpu,
  network,
  weights,
  test,
}: Pick<Images, 'gpu' | 'network' | 'weights' | 'test'>) {
  const examples = Math.min(EXAMPLES, test.labels.size);
  // Branch factors rather than a network per block: one program, and the same kernels for all blocks.
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
    const accuracy = await evaluator.accuracy();
    const losses: number[] = [];
    for (const factor of factors.values()) {
      factor.write([0]);
      losses.push(accuracy - (await evaluator.accuracy()));
      factor.write([1]);
    }
    return { blockLoss: losses, blockLossExamples: examples };
  } finally {
    for (const factor of factors.values()) factor.dispose();
  }
}

export const series = {
  blockLoss: {
    label: 'test accuracy lost without block i',
    short: 'lost without',
    from: (m) => m.blockLoss?.map((mean) => ({ mean })),
  },
} satisfies Record<string, Series<Measures>>;

export const panels: Panels<Measures> = {
  each: 'network',
  where: ({ blockLoss }) => blockLoss !== null,
  caption:
    'Test accuracy lost when a block’s branch is left out. Look for blocks that can be spared, and for the few that cannot.',
  draw: ({ measures: { blockLoss, blockLossExamples }, network }) => {
    const rows = blockLoss!.map((value, i) => ({ block: i + 1, value: 100 * value, zero: 0 }));
    return {
      note:
        blockLossExamples === null
          ? ''
          : `over ${blockLossExamples} test images, largest ${percent(spreadOf(blockLoss!).max ?? 0)}`,
      height: 210,
      x: alongBlocks(network),
      y: { label: 'test accuracy lost (%)', zero: true },
      marks: [
        { mark: 'ruleX', rows, x: 'block', y1: 'zero', y2: 'value', stroke: 'accent', strokeWidth: 1.75 },
        { mark: 'dot', rows, x: 'block', y: 'value', fill: 'accent', r: network.depth > 40 ? 1.5 : 2.75 },
        { mark: 'ruleY', rows: rows.slice(0, 1), y: 'zero', strokeOpacity: 0.4 },
      ],
    };
  },
};
