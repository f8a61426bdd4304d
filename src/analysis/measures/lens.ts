import * as v from 'valibot';
import { DeviceArray } from '../../autograd/array.ts';
import {
  add,
  argmax,
  broadcast,
  cast,
  concat,
  equal,
  full,
  iota,
  matmul,
  mean,
  reshape,
  slice,
  square,
  sub,
  sum,
} from '../../autograd/functions.ts';
import { sizeOf } from '../../autograd/shape.ts';
import type { Tensor, Typed } from '../../autograd/tensor.ts';
import { linearize } from '../../autograd/transform.ts';
import { type ResidualNetwork, type Stage, stateShape } from '../../models/residual-network.ts';
import { inferenceNorm } from '../../train/batch-norm.ts';
import { bound, floats } from '../../train/bound.ts';
import { largestActivation, type Weights } from '../../train/network.ts';
import { batchReader, pointsBatch } from '../batch-reader.ts';
import { batchBytes } from '../batches.ts';
import { chooseSamples } from '../samples.ts';
import { meanOf } from '../statistics.ts';
import { maybe, ofNetwork, optional, type Values } from './field.ts';
import type { Images, Scalar, Series } from './measure.ts';

/** Images over which Jacobians are averaged, and on which the lens is tried, if memory has room. */
const SAMPLES = 32;
const TESTED = 1000;

export const title = 'Jacobian lens';
export const about = `Whether one linear map stands for all blocks from i on (after descriptions of Gurnee et al., *Verbalizable representations form a
global workspace in language models*, 2026): Ḡ_i, the mean of G_i = ∂z/∂h_i over ${SAMPLES} training images, classes in turn, where z is h_{L+1} as the classifier sees it, in
front of a final norm: h_{L+1}, its mean over positions, or its token. The lens is the classifier at Ḡ_i h_i, with that norm and without any
shift. Of transformers whose Jacobians are of a token, h_i is that token's, and G_i counts what goes by way of others; Gurnee et al. add up
all later tokens' z. For all blocks at once it takes as many pullbacks through the network per image as z has numbers. Fewer images are
taken where activations are large.`;

const perBlock = (formula: string) =>
  optional(ofNetwork(formula, v.array(maybe), (list, { depth }) => list.length === depth));
export const whole = {
  lensError: perBlock(
    'for each block, (N/(N−1) · Σ‖G_i − Ḡ_i‖_F² / Σ‖G_i‖_F²)^½ over the N images: 0 if they share one G_i, about 1 if its mean is 0. Only with `--lens`, like the following',
  ),
  lensAgreement: perBlock(
    `share of the first test images, up to ${TESTED}, that the lens puts into the class into which the network puts them; \`null\` where targets are vectors`,
  ),
  directAgreement: perBlock(
    'the same of the classifier at h_i itself; `null` also in stages where h has another shape than at the end',
  ),
};
type Measures = Values<typeof whole>;

export const overImages = async (images: Images): Promise<Measures> =>
  images.lens ? await lensOf(images) : {};

async function lensOf(images: Images): Promise<Measures> {
  const { gpu, network, weights, train, test, classifies, features } = images;
  const blocks = blocksOf(network);
  const last = network.stages.at(-1)!;
  const outputs = last.shape.at(-1)!;
  const room = Math.floor(batchBytes(gpu.traits) / (4 * largestActivation(network)));
  const chosen = chooseSamples(features.labels, Math.min(SAMPLES, Math.max(2, room)), 1);
  const count = chosen.length;
  const rows = Math.max(1, Math.min(outputs, Math.floor(room / count)));
  const tested = Math.min(TESTED, test.labels.size, pointsBatch(gpu, network));
  const isLast = ({ stage }: Block) => `${stateShape(stage)}` === `${stateShape(last)}`;

  const given = { label: 'lens', count, batch: count, chosen };
  using linearized = await batchReader(gpu, network, weights, train, given, (_, x) => x);
  const tries = { label: 'lens', count: tested, batch: tested };
  using tried = await batchReader(gpu, network, weights, test, tries, (weights, x) => {
    const { points, logits } = network.representations(weights, x, inferenceNorm);
    const classOf = (logits: Tensor) => (classifies ? argmax(logits) : iota([tested]));
    const before = points.flatMap((all) => all.slice(0, -1));
    const direct = before.filter((_, k) => isLast(blocks[k]!));
    return {
      points: before.map((h, k) => ownPart(h, blocks[k]!.stage)),
      direct: direct.map((h) => classOf(network.classify(weights, network.features(h, weights)))),
      predicted: classOf(logits),
    };
  });
  const { result: x } = (await linearized.read().next()).value!;
  const { points, direct, predicted } = (await tried.read().next()).value!.result;

  using first = DeviceArray.zeros(gpu, [1], 'u32');
  const inputs = [weights, x, first, points];
  using lens = await bound(gpu, 'Jacobian lens', inputs, lensRows(network, blocks, rows));
  const moved = blocks.map(() => new Float32Array(tested * outputs));
  const sums = blocks.map(() => ({ energy: 0, deviation: 0 }));
  for (let row = 0; row < outputs; row += rows) {
    first.write([row]);
    lens.submit();
    const { transported, energy, deviation } = lens.result;
    const parts = { energy: await floats(energy), deviation: await floats(deviation) };
    const kept = Math.min(rows, outputs - row);
    for (const [k, sum] of sums.entries()) {
      sum.energy += parts.energy[k]!;
      sum.deviation += parts.deviation[k]!;
      const z = await floats(transported[k]!);
      for (let n = 0; n < tested; n++)
        moved[k]!.set(z.subarray(n * rows, n * rows + kept), n * outputs + row);
    }
  }
  const lensError = sums.map(({ energy, deviation }) =>
    energy > 0 && count > 1 ? Math.sqrt(((count / (count - 1)) * deviation) / energy) : null,
  );
  const none = blocks.map(() => null);
  if (!classifies) return { lensError, lensAgreement: none, directAgreement: none };

  const expected = Array.from((await predicted.read()) as Uint32Array);
  const agreement = async (classes: DeviceArray) => {
    const found = await classes.read();
    return expected.filter((c, n) => c === found[n]).length / tested;
  };
  using z = DeviceArray.zeros(gpu, [tested, outputs]);
  using classify = await bound(gpu, 'classes', [weights, z], (weights: Weights, z: Tensor) =>
    argmax(network.classify(weights, network.normed(z, weights))),
  );
  const lensAgreement: number[] = [];
  const directAgreement: (number | null)[] = [];
  for (const [k, block] of blocks.entries()) {
    z.write(moved[k]!);
    classify.submit();
    lensAgreement.push(await agreement(classify.outputs[0]!));
    directAgreement.push(isLast(block) ? await agreement(direct.shift()!) : null);
  }
  return { lensError, lensAgreement, directAgreement };
}

interface Block {
  readonly stage: Stage;
  /** Of those that the network runs, in order. */
  readonly place: number;
}

const blocksOf = ({ stages, blocks }: ResidualNetwork): Block[] =>
  stages.flatMap((stage) => stage.blocks.map((name) => ({ stage, place: blocks.indexOf(name) })));

/** What Jacobians are by, [… , n, d], of h [… , n, ...state]. */
function ownPart(h: Tensor, { shape, tokens }: Stage): Tensor {
  const part = tokens ? slice(h, tokens.to, tokens.to + 1, -2) : h;
  return reshape(part, [sizeOf(shape)], shape.length + (tokens ? 1 : 0));
}

/**
 * For `rows` of z's numbers from `first` (u32 [1]) on, at images x [N, ...input]: Ḡ_i h_i [tested, rows] of
 * the points [tested, d_i] before each block; and Σ‖G_i‖² and Σ‖G_i − Ḡ_i‖² over images and these rows, a
 * number per block.
 */
const lensRows =
  (network: ResidualNetwork, blocks: readonly Block[], rows: number) =>
  (weights: Weights, x: Tensor, first: Typed<'u32'>, points: readonly Tensor[]) => {
    const zeros = blocks.map(({ stage }) => full(0, [x.shape[0]!, ...stateShape(stage)]));
    const { value, applyTranspose } = linearize(
      (...shifts: Tensor[]) => {
        const at = new Map(blocks.map(({ place }, k) => [place, shifts[k]!]));
        const shift = (h: Tensor, i: number) => (at.has(i) ? add(h, at.get(i)!) : h);
        return network.representations(weights, x, inferenceNorm, shift).pooled;
      },
      ...zeros,
    );
    const units = equal(iota([1, 1, value.shape.at(-1)!], -1), add(iota([rows, 1, 1], 0), first));
    const cotangents = broadcast(cast(units, 'f32'), [rows, ...value.shape]);
    const jacobians = applyTranspose(cotangents).map((image, k) => ownPart(image, blocks[k]!.stage));
    const means = jacobians.map((j) => mean(j, -2));
    const total = (j: Tensor) => reshape(sum(square(j), [-3, -2, -1]), [1]);
    return {
      transported: means.map((m, k) =>
        matmul(points[k]!, reshape(m, [rows, m.shape.at(-1)!]), { transposeB: true }),
      ),
      energy: concat(jacobians.map(total), 0),
      deviation: concat(
        jacobians.map((j, k) => total(sub(j, means[k]!))),
        0,
      ),
    };
  };

const NAMES = {
  lensError: ['error of the Jacobian lens', 'spread of G_i = ∂z/∂h_i over images, relative to its size'],
  lensAgreement: [
    'agreement of the Jacobian lens',
    'share of test images that the Jacobian lens at h_i classifies as the network does',
  ],
  directAgreement: [
    'agreement without lens',
    'share of test images that the classifier at h_i classifies as the network does',
  ],
} as const;
type Name = keyof typeof NAMES;
const each = <T>(make: (name: Name) => T) =>
  Object.fromEntries(Object.keys(NAMES).map((name) => [name, make(name as Name)])) as Record<Name, T>;

export const series: Record<Name, Series<Measures>> = each((name) => ({
  label: NAMES[name][0],
  from: (m) => m[name]?.map((mean) => ({ mean })),
}));

export const scalars: Record<Name, Scalar<Measures>> = each((name) => ({
  label: NAMES[name][0],
  what: `${NAMES[name][1]}, mean over blocks`,
  from: (m) => meanOf(m[name] ?? []),
}));
