import { DeviceArray } from '../autograd/array.ts';
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
} from '../autograd/functions.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { linearize } from '../autograd/transform.ts';
import type { Gpu } from '../gpu/device.ts';
import type { AdapterTraits } from '../gpu/traits.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { specsOf } from '../train/trainer.ts';
import { batchBytes, sizeOf } from './batches.ts';
import { norm } from './vectors.ts';

/** Whether all blocks follow upon each other with skip connections around them, so that paths have lengths. */
export const hasPaths = ({ options, stages, blocks }: ResidualNetwork): boolean =>
  options.skip && stages.length === 1 && stages[0]!.blocks.length === blocks.length;

/**
 * Shares of the output that paths of each length carry through the linearized blocks, L + 1 numbers for each sample (Veit,
 * Wilber & Belongie, NeurIPS 2016; expanded as by Dherin & Munn). From p⁰ = h_1, each block makes p^l ← D(p^l + J p^(l−1)) with
 * D = σ′(h + F(h)); the share of length l is ‖W p^l‖ over the sum of these norms. Null where nothing reaches the output.
 * `points` are h_1 … h_{L+1}, [N, ...shape] each.
 */
export async function pathShares(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  points: readonly Float32Array[],
): Promise<(number[] | null)[]> {
  const dim = sizeOf(network.stages[0]!.shape);
  const samples = points[0]!.length / dim;
  const each = pathSamples(network, gpu.traits);
  const shares: (number[] | null)[] = [];
  for (let first = 0; first < samples; first += each) {
    const end = Math.min(first + each, samples);
    const parts = await outputParts(
      gpu,
      network,
      weights,
      points.map((h) => h.subarray(first * dim, end * dim)),
    );
    for (let n = 0; n < end - first; n++) {
      const norms = parts.map((part) => norm(part[n]!));
      const total = norms.reduce((a, b) => a + b, 0);
      shares.push(total > 0 ? norms.map((x) => x / total) : null);
    }
  }
  return shares;
}

/** Samples that run together. */
export function pathSamples({ blocks, stages }: ResidualNetwork, traits: AdapterTraits): number {
  const numbers = (blocks.length + 1) * sizeOf(stages[0]!.shape);
  return Math.max(1, Math.floor(batchBytes(traits) / (4 * numbers)));
}

/** W p^l at the end, [length][sample], each of C numbers. One program runs for all blocks. */
async function outputParts(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  points: readonly Float32Array[],
): Promise<Float64Array[][]> {
  const { shape } = network.stages[0]!;
  const samples = points[0]!.length / sizeOf(shape);
  const lengths = network.blocks.length + 1;
  const zeros = (...lead: number[]) => DeviceArray.zeros(gpu, [...lead, ...shape]);
  using h = zeros(samples);
  using even = zeros(lengths, samples);
  using odd = zeros(lengths, samples);
  const initial = new Float32Array(even.size);
  initial.set(points[0]!);
  even.write(initial);

  const inputsOf = (block: string, parts: DeviceArray) => [ofBlock(weights, block), h, parts];
  const specs = specsOf(inputsOf(network.blocks[0]!, even));
  const step = await compile(gpu, pathStep(network), specs, { label: 'paths' });
  for (const [i, block] of network.blocks.entries()) {
    const [from, to] = i % 2 === 0 ? [even, odd] : [odd, even];
    h.write(points[i]!);
    using bound = step.bind(inputsOf(block, from), to);
    bound.submit();
  }
  const last = network.blocks.length % 2 === 0 ? even : odd;
  const head = weights[network.classifier]!;
  const read = await compile(
    gpu,
    (parts: Tensor, w: Tensor) => matmul(network.features(parts), w, { transposeB: true }),
    specsOf([last, head]),
    { label: 'outputs of paths' },
  );
  using bound = read.bind([last, head]);
  bound.submit();
  const all = await bound.outputs[0]!.read();
  const { classes } = network.options;
  return Array.from({ length: lengths }, (_, l) =>
    Array.from({ length: samples }, (_, n) => {
      const start = (l * samples + n) * classes;
      return Float64Array.from(all.subarray(start, start + classes));
    }),
  );
}

/** The weights of one block, by the names of a block called `block`. */
const ofBlock = (weights: Readonly<Record<string, DeviceArray>>, block: string) =>
  Object.fromEntries(
    Object.entries(weights).flatMap(([name, array]) =>
      name.startsWith(`${block}.`) ? [[`block${name.slice(block.length)}`, array]] : [],
    ),
  );

/** p^l behind a block, [L + 1, n, ...shape], of those before it and of h [n, ...shape]. */
export const pathStep =
  (network: ResidualNetwork) =>
  (weights: Weights, h: Tensor, parts: Tensor): Tensor => {
    const branch = linearize((x: Tensor) => network.branch(weights, 'block', x, inferenceNorm), h);
    const lengths = parts.shape[0]!;
    // What has length l then has length l + 1.
    const before = sub(maximum(iota([lengths]), 1), 1);
    const images = branch.apply(parts);
    const longer = reshape(take(reshape(images, [lengths, h.size]), before), parts.shape);
    const length = reshape(iota([lengths]), [lengths, ...h.shape.map(() => 1)]);
    const sum = add(parts, where(equal(length, 0), 0, longer));
    if (network.options.activation === 'identity') return sum;
    return where(greater(network.join(h, branch.value), 0), sum, 0);
  };
