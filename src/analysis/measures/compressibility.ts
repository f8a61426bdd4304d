import * as v from 'valibot';
import { orthonormalRows } from '../../autograd/ops/linalg-reference.ts';
import type { ResidualNetwork } from '../../models/residual-network.ts';
import { range } from '../../numbers.ts';
import { atLeast0, whole as integer } from '../../schema.ts';
import { evaluationBatch } from '../../train/evaluate.ts';
import { readPoints } from '../batch-reader.ts';
import { batchBytes } from '../batches.ts';
import { blockRunner, carriedShare, togetherJacobian } from '../block-programs.ts';
import { chooseSamples } from '../samples.ts';
import { meanOf } from '../statistics.ts';
import { centerOf, dot, minus, type Rows } from '../vectors.ts';
import { later, ofNetwork, type Values } from './field.ts';
import type { Row, Shown } from './figure.ts';
import type { Images, Scalar } from './measure.ts';

/** Images of each class at which Jacobians are taken, and images for each feature by which coefficients are fitted. */
const IMAGES = 5;
const FITTED = 8;

export const title = 'Compressibility';
export const about = `What is left of the test accuracy where blocks are replaced: the pairs of blocks 1 and 2, 3 and 4, …, the later half of the
blocks, and all of them. Blocks i … j are

- *dropped*: h_{j+1} is h_i;

- *iterated*: one of them stands for all, the one with which most is left;

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
  iterated: atLeast0,
  linear: v.nullable(atLeast0),
  distilled: v.nullable(atLeast0),
});
type Part = v.InferOutput<typeof part>;

export const whole = {
  compression: later(
    ofNetwork(
      'test accuracy where blocks `from` … `to` are replaced over that of the network, for each way. `null` in networks of several stages, in transformers, where skip connections come from the stem, where nothing is classified correctly, at initialization, in `course.json`, and without `--compress`; linear steps, under convolutions',
      v.nullable(v.array(part)),
    ),
  ),
};
type Measures = Values<typeof whole>;

export const overImages = async (images: Images): Promise<Measures> => {
  return { compression: images.compress && replaceable(images.network) ? await compression(images) : null };
};

/** Whether all blocks follow upon each other, and each reads nothing but what the one before puts out. */
const replaceable = ({ carriesOn, options, stages: [stage, ...others], blocks }: ResidualNetwork): boolean =>
  (carriesOn || !options.skip) &&
  others.length === 0 &&
  stage!.blocks.length === blocks.length &&
  !stage!.tokens;

/** Pairs (of an odd number of blocks the last is alone), the later half, and all of so many blocks: from and to before. */
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
  using linear = await linearSteps(images);
  const parts: Part[] = [];
  for (const [from, to] of partsOf(depth)) {
    const h = points![from]!;
    const share = async (h: Float32Array, blocks: readonly number[] = []) =>
      (await accuracy(h, [...blocks, ...range(depth - to, to)])) / all;
    const iterated: number[] = [];
    for (const block of range(to - from, from))
      iterated.push(await share(h, new Array<number>(to - from).fill(block)));
    const steps = await linear?.of(from, to);
    parts.push({
      ...{ from: from + 1, to, dropped: await share(h), iterated: Math.max(...iterated) },
      linear: steps ? await share(afterStep(network, h, steps.linear)) : null,
      distilled: steps ? await share(afterStep(network, h, steps.distilled)) : null,
    });
  }
  return parts;
}

/** Steps in the place of blocks `from` to before `to`; undefined where Jacobians are too large to be held. */
async function linearSteps({ gpu, network, weights, train, features }: Images) {
  const { classes } = network.options;
  const [dim, ...positions] = network.stages[0]!.shape as [number];
  const held = Math.floor(batchBytes(gpu.traits) / (4 * dim ** 2));
  if (positions.length > 0 || held === 0) return undefined;
  const count = Math.min(train.labels.size, FITTED * dim);
  const [path] = await readPoints(gpu, network, weights, train, count);
  const rows = path!.map((h) =>
    range(count).map((n) => Float64Array.from(h.subarray(n * dim, (n + 1) * dim))),
  );
  const labels = Array.from(features.labels).slice(0, count);
  const chosen = chooseSamples(labels, Math.min(held, IMAGES * classes), 1);
  const at = rows.map((h) => Float32Array.from(chosen.flatMap((n) => [...h[n]!])));
  const jacobian = await togetherJacobian(gpu, network, weights, chosen.length);
  const c = carriedShare(network);
  return {
    async of(from: number, to: number) {
      const moved = rows[to]!.map((h, n) => h.map((x, d) => x - c * rows[from]![n]![d]!));
      const mean = Float64Array.from(await jacobian.of(at, from, to));
      return stepsOf(mean, rows[from]!, moved, Math.min(classes, dim));
    },
    [Symbol.dispose]: () => jacobian[Symbol.dispose](),
  };
}

/** What stands in the place of a branch, in which it is of low rank: shift + ((h − center) Vᵀ) W. */
interface AffineStep {
  readonly center: Float64Array;
  readonly shift: Float64Array;
  readonly v: Rows;
  readonly w: Rows;
}

/** Rows h behind a step. */
function afterStep(
  network: ResidualNetwork,
  h: Float32Array,
  { center, shift, v, w }: AffineStep,
): Float32Array {
  const c = carriedShare(network);
  const result = new Float32Array(h.length);
  for (let start = 0; start < h.length; start += center.length) {
    const row = Float64Array.from(h.subarray(start, start + center.length));
    const offset = minus(row, center);
    const change = combination(
      Float64Array.from(v, (q) => dot(q, offset)),
      w,
    );
    const sum = row.map((x, d) => c * x + shift[d]! + change[d]!);
    result.set(network.options.activation === 'relu' ? sum.map((x) => Math.max(x, 0)) : sum, start);
  }
  return result;
}

/** More would not change the steps: each sharpens directions by the square of the ratio of their singular values. */
const ITERATIONS = 30;

/**
 * Steps along the leading directions of a mean Jacobian, whose rows are images of unit vectors: with its own singular values, and with
 * coefficients fitted to what `moved` is at each point.
 */
function stepsOf(jacobian: Float64Array, points: Rows, moved: Rows, rank: number) {
  const [center, shift] = [centerOf(points), centerOf(moved)];
  const dim = center.length;
  const rows = range(dim).map((k) => jacobian.subarray(k * dim, (k + 1) * dim));
  const image = (x: Float64Array) => combination(x, rows);
  let v: Rows = range(rank).map((k) => Float64Array.from(center, (_, d) => Math.cos((k + 1) * (d + 0.5))));
  for (let n = 0; n < ITERATIONS; n++)
    v = orthonormalRows(v.map(image).map((y) => Float64Array.from(rows, (row) => dot(row, y))));
  const w = v.map(image);
  const u = orthonormalRows(w);
  const along = (all: Rows, mean: Float64Array, directions: Rows) =>
    all.map((x) => Float64Array.from(directions, (q) => dot(minus(x, mean), q)));
  const coefficients = leastSquares(along(points, center, v), along(moved, shift, u));
  const distilled = coefficients.map((c) => combination(c, u));
  return { linear: { center, shift, v, w }, distilled: { center, shift, v, w: distilled } };
}

function combination(weights: Float64Array, rows: Rows): Float64Array {
  const sum = new Float64Array(rows[0]!.length);
  weights.forEach((weight, k) => {
    rows[k]!.forEach((x, d) => {
      sum[d]! += weight * x;
    });
  });
  return sum;
}

/** Rows M of the smallest ‖ZM − T‖², by elimination with the greatest pivots first; what Z does not have counts for nothing. */
function leastSquares(z: Rows, t: Rows): Rows {
  const size = z[0]!.length;
  const system = range(size).map((i) =>
    Float64Array.from({ length: 2 * size }, (_, j) =>
      z.reduce((sum, row, n) => sum + row[i]! * (j < size ? row[j]! : t[n]![j - size]!), 0),
    ),
  );
  const least = 1e-10 * Math.max(...system.map((row, i) => row[i]!));
  const open = new Set(range(size));
  while (open.size > 0) {
    const pivot = [...open].reduce((a, b) => (system[a]![a]! >= system[b]![b]! ? a : b));
    if (!(system[pivot]![pivot]! > least)) break;
    open.delete(pivot);
    const row = system[pivot]!.map((x, _, all) => x / all[pivot]!);
    system.forEach((other, i) => {
      const factor = other[pivot]!;
      other.set(i === pivot ? row : other.map((x, j) => x - factor * row[j]!));
    });
  }
  return system.map((row, i) => row.slice(size).map((x) => (open.has(i) ? 0 : x)));
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

/** Of all blocks, or the mean over pairs. */
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
