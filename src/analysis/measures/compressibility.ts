import * as v from 'valibot';
import { range } from '../../lists.ts';
import type { ResidualNetwork } from '../../models/residual-network.ts';
import { atLeast0, whole as integer } from '../../schema.ts';
import { evaluationBatch } from '../../train/evaluate.ts';
import { readPoints } from '../batch-reader.ts';
import { batchBytes } from '../batches.ts';
import { blockRunner, blockSteps } from '../block-programs.ts';
import { chooseSamples } from '../samples.ts';
import { meanOf } from '../statistics.ts';
import { ofNetwork, type Values } from './field.ts';
import type { Row, Shown } from './figure.ts';
import type { Images, Scalar } from './measure.ts';

/** Images per class at which Jacobians are taken, and images per feature that coefficients are fitted to. */
const IMAGES = 5;
const FITTED = 8;

export const title = 'Compressibility';
export const about = `What is left of the test accuracy where blocks are replaced: the pairs of blocks 1 and 2, 3 and 4, …, the later half of the
blocks, and all of them. Blocks i … j are

- *dropped*: h_{j+1} is h_i;

- *iterated*: one of them stands for all, the one with which most is left (\`null\` of a single block);

- one *linear* step of rank C, in closed form: h_{j+1} = σ(h_i + s + P_C (h_i − m)), with m and s the means of h_i and h_{j+1} − h_i and P_C
  the leading C singular triples of the mean of Π(I + J_l) − I, the Residual Jacobian of the blocks as one (without skip connections: of
  ΠJ_l, and there is no h_i in front; with scaled ones h_i and I are scaled, too);

- the same step *distilled*: its directions stay, and the C×C coefficients between them are fitted to h_{j+1} − h_i by least squares.

Jacobians are taken at ${IMAGES} training images of each class, and means and fits are over the first training images, ${FITTED} for each feature;
accuracy is over the first 1,000 test images. Nothing else is trained, and no label is used.`;

const part = v.object({
  /** Blocks from 1, both included. */
  from: integer(1),
  to: integer(1),
  dropped: atLeast0,
  iterated: v.nullable(atLeast0),
  linear: v.nullable(atLeast0),
  distilled: v.nullable(atLeast0),
});
type Part = v.InferOutput<typeof part>;

export const whole = {
  compression: ofNetwork(
    'test accuracy where blocks `from` … `to` are replaced over that of the network, for each way. `null` in networks of several stages, in transformers, where skip connections come from the stem, where targets are vectors or nothing is classified correctly, at initialization, in `course.json`, and without `--compress`; linear steps, under convolutions',
    v.nullable(v.array(part)),
  ),
};
type Measures = Values<typeof whole>;

export const overImages = async (images: Images): Promise<Measures> => {
  return {
    compression:
      images.compress && images.classifies && replaceable(images.network) ? await compression(images) : null,
  };
};

/** Whether the blocks follow one another, each reading only what the one before puts out. */
const replaceable = ({ carriesOn, options, stages: [stage, ...others], blocks }: ResidualNetwork): boolean =>
  (carriesOn || !options.skip) &&
  others.length === 0 &&
  stage!.blocks.length === blocks.length &&
  !stage!.tokens;

/** Ranges [from, to): pairs of blocks (the last alone if L is odd), the later half, and all. */
function partsOf(depth: number): readonly (readonly [from: number, to: number])[] {
  const pairs = range(Math.ceil(depth / 2)).map((k) => [2 * k, Math.min(2 * k + 2, depth)] as const);
  const longer = [[Math.ceil(depth / 2), depth] as const, [0, depth] as const];
  return [...pairs, ...longer.filter(([from, to]) => to - from > 2)];
}

async function compression(images: Images): Promise<Part[] | null> {
  const { gpu, network, weights, test } = images;
  const depth = network.blocks.length;
  const labels = await test.labels.read();
  const count = Math.min(labels.length, evaluationBatch(network, gpu.traits));
  const [points] = await readPoints(gpu, network, weights, test, count);
  using runner = await blockRunner(gpu, network, weights, count);
  const accuracy = async (h: Float32Array, blocks: readonly number[]) => {
    const found = await runner.classes(h, blocks);
    return found.filter((c, n) => c === labels[n]).length / count;
  };
  const all = await accuracy(points![depth]!, []);
  if (all === 0) return null;
  using steps = await linearSteps(images, count);
  const parts: Part[] = [];
  for (const [from, to] of partsOf(depth)) {
    const h = points![from]!;
    const share = async (h: Float32Array, blocks: readonly number[] = []) =>
      (await accuracy(h, [...blocks, ...range(depth - to, to)])) / all;
    const iterated: number[] = [];
    for (const block of to - from > 1 ? range(to - from, from) : [])
      iterated.push(await share(h, new Array<number>(to - from).fill(block)));
    const [linear, distilled] = (await steps?.after(h, from, to)) ?? [];
    parts.push({
      ...{ from: from + 1, to, dropped: await share(h) },
      iterated: iterated.length > 0 ? Math.max(...iterated) : null,
      linear: linear ? await share(linear) : null,
      distilled: distilled ? await share(distilled) : null,
    });
  }
  return parts;
}

/** See {@link blockSteps}; undefined if Jacobians are too large to hold. */
async function linearSteps({ gpu, network, weights, train, features }: Images, tested: number) {
  const { shape } = network.stages[0]!;
  const [dim] = shape as [number];
  const held = Math.floor(batchBytes(gpu.traits) / (4 * dim ** 2));
  if (shape.length > 1 || held === 0) return undefined;
  const count = Math.min(train.labels.size, FITTED * dim);
  const [path] = await readPoints(gpu, network, weights, train, count);
  const labels = Array.from(features.labels).slice(0, count);
  const chosen = chooseSamples(labels, Math.min(held, IMAGES * network.options.classes), 1);
  return blockSteps(gpu, network, weights, path!, chosen, tested);
}

export const tables = {
  compression: ({ measures }: Shown<Measures>): Row[] => [...(measures.compression ?? [])],
};

const WAYS = {
  dropped: 'left out',
  iterated: 'replaced by one of them, iterated',
  linear: 'replaced by one linear step of rank C',
  distilled: 'replaced by one linear step of rank C, distilled',
} as const;
type Way = keyof typeof WAYS;

/** Accuracy kept with all blocks replaced, or with a pair, mean over pairs. */
const scalarOf = (way: Way, which: 'all' | 'pairs'): Scalar<Measures> => ({
  label: `kept, ${which === 'all' ? 'all blocks' : 'pairs'} ${way}`,
  what: `share of the test accuracy that is kept where ${which === 'all' ? 'all blocks are' : 'a pair of blocks is'} ${WAYS[way]}${which === 'all' ? '' : ', mean over pairs'}`,
  from: ({ compression }, { depth }) => {
    const parts = (compression ?? []).filter(({ from, to }) =>
      which === 'all' ? to - from + 1 === depth : to - from < 2,
    );
    return meanOf(parts.map((one) => one[way]));
  },
});

export const scalars = {
  keptDropped: scalarOf('dropped', 'all'),
  keptIterated: scalarOf('iterated', 'all'),
  keptLinear: scalarOf('linear', 'all'),
  keptDistilled: scalarOf('distilled', 'all'),
  pairsDropped: scalarOf('dropped', 'pairs'),
  pairsIterated: scalarOf('iterated', 'pairs'),
  pairsLinear: scalarOf('linear', 'pairs'),
  pairsDistilled: scalarOf('distilled', 'pairs'),
} satisfies Record<string, Scalar<Measures>>;
