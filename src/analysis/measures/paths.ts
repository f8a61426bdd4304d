import * as v from 'valibot';
import { DeviceArray } from '../../autograd/array.ts';
import {
  add,
  equal,
  greater,
  iota,
  matmul,
  maximum,
  reshape,
  sub,
  take,
  where,
} from '../../autograd/functions.ts';
import { compile } from '../../autograd/program.ts';
import { sizeOf } from '../../autograd/shape.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import { linearize } from '../../autograd/transform.ts';
import type { AdapterTraits } from '../../gpu/kernel.ts';
import type { ResidualNetwork } from '../../models/residual-network.ts';
import { defined, format } from '../../number-format.ts';
import { measured } from '../../schema.ts';
import { inferenceNorm } from '../../train/batch-norm.ts';
import { bound } from '../../train/bound.ts';
import type { Weights } from '../../train/network.ts';
import { batchBytes } from '../batches.ts';
import { ofBlock } from '../block-programs.ts';
import { spreadOf } from '../statistics.ts';
import { norm } from '../vectors.ts';
import { type None, type Own, ofNetwork, type Summary, spreads, type Values } from './field.ts';
import type { Panels, Row, Shown } from './figure.ts';
import type { SamplesAt, Series } from './measure.ts';

export const title = 'Paths of each length';
export const about = `A residual network is a sum over paths: each block is gone through or gone around (Veit, Wilber & Belongie, NeurIPS 2016;
Dherin & Munn, *On residual network depth*, expand it by the number of blocks gone through). With each branch linearized at h_i, and
D_i = σ′(h_i + F_i(h_i)) a diagonal of zeros and ones (the identity where σ is): p⁰ = h_1 before the first block, and each block makes of
all lengths at once p^l ← D_i (p^l + J_i p^{l−1}). Behind the last block, \`pathShares[l]\` = ‖W p^l‖ / Σ_m ‖W p^m‖, l = 0 … L. J_i is ∂F_i/∂h
here whatever the convention. Biases are left out, and parts may cancel: these are shares of norms.`;

const fits = (lengths: readonly unknown[] | null, { depth }: { depth: number }) =>
  lengths === null || lengths.length === depth + 1;

export const sample = {
  pathShares: ofNetwork(
    'share of the output that paths of each length carry. `null` in networks of several stages, in transformers, and without skip connections',
    v.nullable(v.array(measured)),
    fits,
  ),
};
type Sample = Values<typeof sample>;
export const summary = {
  pathShares: {
    schema: v.nullable(spreads),
    over: 'length',
    of: (samples, depth) =>
      samples.some((s) => s.pathShares)
        ? Array.from({ length: depth + 1 }, (_, l) => spreadOf(samples.map((s) => s.pathShares?.[l])))
        : null,
  } satisfies Summary<v.GenericSchema, Sample>,
};
type Measures = Own<None, typeof summary>;

/**
 * Whether the blocks follow one another with skip connections around them, so that paths have lengths.
 * Blocks of transformers end in a norm, after which what paths carry does not add up.
 */
const hasPaths = ({ carriesOn, stages, blocks }: ResidualNetwork): boolean =>
  carriesOn && stages.length === 1 && stages[0]!.blocks.length === blocks.length && !stages[0]!.peak;

/** Shares for each sample; null if nothing reaches the output. */
export async function atSamples(given: SamplesAt): Promise<Sample[]> {
  const { network, gpu, count } = given;
  const all: Sample[] = [];
  const each = hasPaths(network) ? pathSamples(network, gpu.traits) : count;
  for (let first = 0; first < count; first += each) {
    const samples = Math.min(each, count - first);
    const parts = hasPaths(network) ? await outputParts(given, first, samples) : [];
    for (let n = 0; n < samples; n++) {
      const norms = parts.map((part) => norm(part[n]!));
      const total = norms.reduce((a, b) => a + b, 0);
      all.push({ pathShares: total > 0 ? norms.map((x) => x / total) : null });
    }
  }
  return all;
}

/** Samples that run together. */
export function pathSamples({ blocks, stages }: ResidualNetwork, traits: AdapterTraits): number {
  const numbers = (blocks.length + 1) * sizeOf(stages[0]!.shape);
  return Math.max(1, Math.floor(batchBytes(traits) / (4 * numbers)));
}

/** W p^l at the output for some samples, [length][sample], C numbers each. All blocks share one program. */
async function outputParts(
  { gpu, network, weights, points: [path], count }: SamplesAt,
  first: number,
  samples: number,
): Promise<Float64Array[][]> {
  const { shape } = network.stages[0]!;
  const dim = path![0]!.length / count;
  const points = path!.map((h) => h.subarray(first * dim, (first + samples) * dim));
  const lengths = network.blocks.length + 1;
  const zeros = (...lead: number[]) => DeviceArray.zeros(gpu, [...lead, ...shape]);
  using h = zeros(samples);
  using even = zeros(lengths, samples);
  using odd = zeros(lengths, samples);
  const initial = new Float32Array(even.size);
  initial.set(points[0]!);
  even.write(initial);

  const given = network.ofBlocks(weights);
  const inputsOf = (block: string, parts: DeviceArray) => [ofBlock(given, block), h, parts] as const;
  const step = await compile(gpu, pathStep(network), inputsOf(network.blocks[0]!, even), { label: 'paths' });
  for (const [i, block] of network.blocks.entries()) {
    const [from, to] = i % 2 === 0 ? [even, odd] : [odd, even];
    h.write(points[i]!);
    using program = step.bind(inputsOf(block, from), to);
    program.submit();
  }
  const last = network.blocks.length % 2 === 0 ? even : odd;
  const head = weights[network.classifier]!;
  using read = await bound(gpu, 'outputs of paths', [last, head], (parts: Tensor, w: Tensor) =>
    matmul(network.features(parts, {}), w, { transposeB: true }),
  );
  read.submit();
  const all = await read.outputs[0]!.read();
  const { classes } = network.options;
  return Array.from({ length: lengths }, (_, l) =>
    Array.from({ length: samples }, (_, n) => {
      const start = (l * samples + n) * classes;
      return Float64Array.from(all.subarray(start, start + classes));
    }),
  );
}

/** p^l after a block, [L + 1, n, ...shape], from those before it and h [n, ...shape]. */
export const pathStep =
  (network: ResidualNetwork) =>
  (weights: Weights, h: Tensor, parts: Tensor): Tensor => {
    const branch = linearize((x: Tensor) => network.branch(weights, 'block', x, inferenceNorm), h);
    const lengths = parts.shape[0]!;
    // Length l becomes l + 1.
    const before = sub(maximum(iota([lengths]), 1), 1);
    const images = branch.apply(parts);
    const longer = reshape(take(reshape(images, [lengths, h.size]), before), parts.shape);
    const length = reshape(iota([lengths]), [lengths, ...h.shape.map(() => 1)]);
    const sum = add(network.carried(parts), where(equal(length, 0), 0, longer));
    if (network.options.activation === 'identity') return sum;
    return where(greater(network.join(h, branch.value, weights, 'block'), 0), sum, 0);
  };

export const series = {
  pathShares: {
    label: 'share of the output',
    along: 'blocks on the path',
    from: (m) => m.summary.pathShares,
  },
} satisfies Record<string, Series<Measures>>;

export const tables = {
  paths: ({ measures: { summary } }: Shown<Measures>): Row[] =>
    (summary.pathShares ?? []).map(({ mean, std }, length) => ({ length, share: mean, std })),
};

export const panels: Panels<Measures> = {
  each: 'network',
  where: ({ summary }) => summary.pathShares !== null,
  caption:
    'Share of the output that is carried by paths through so many of the linearized blocks: mean over samples, with a bar of one standard deviation. Look for the lengths that matter.',
  draw: ({ measures: { summary }, network }) => {
    const rows = summary.pathShares!.flatMap(({ mean, std }, length) =>
      defined(mean) ? [{ length, mean, low: Math.max(0, mean - (std ?? 0)), high: mean + (std ?? 0) }] : [],
    );
    return {
      note: `through no block ${format(summary.pathShares![0]?.mean)}`,
      height: 210,
      x: { label: series.pathShares.along, counted: [0, network.depth] },
      y: { label: series.pathShares.label, zero: true },
      marks: [
        {
          ...{ mark: 'ruleX', rows, x: 'length', y1: 'low', y2: 'high' },
          ...{ stroke: 'accent', strokeOpacity: 0.45, strokeWidth: 4 },
        },
        { mark: 'dot', rows, x: 'length', y: 'mean', fill: 'accent', r: network.depth > 40 ? 1.5 : 2.75 },
      ],
    };
  },
};
