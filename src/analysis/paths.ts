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
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { specsOf } from '../train/trainer.ts';
import { batchBytes } from './batches.ts';
import { norm } from './vectors.ts';

/** Whether all blocks follow upon each other with skip connections around them, so that paths have lengths. */
export const hasPaths = ({ options, stages, blocks }: ResidualNetwork): boolean =>
  options.skip && stages.length === 1 && stages[0]!.blocks.length === blocks.length;

/**
 * Shares of the output that paths of each length carry through the linearized blocks, L + 1 numbers for each sample (Veit,
 * Wilber & Belongie, NeurIPS 2016; expanded as by Dherin & Munn). From p⁰ = h_1, each block makes p^l ← D(p^l + J p^(l−1)) with
 * D = σ′(h + F(h)); the share of length l is ‖W p^l‖ over the sum of these norms. Null where nothing reaches the output.
 * `h` is h_1, [N, ...shape].
 */
export async function pathShares(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  h: Float32Array,
): Promise<(number[] | null)[]> {
  const { shape } = network.stages[0]!;
  const dim = shape.reduce((a, b) => a * b, 1);
  const { classes } = network.options;
  const lengths = network.blocks.length + 1;
  const samples = h.length / dim;
  const each = Math.max(1, Math.floor(batchBytes(gpu.traits) / (4 * lengths * dim)));
  const shares: (number[] | null)[] = [];
  for (let first = 0; first < samples; first += each) {
    const count = Math.min(each, samples - first);
    using points = DeviceArray.from(gpu, h.subarray(first * dim, (first + count) * dim), [count, ...shape]);
    const inputs = [weights, points];
    const program = await compile(gpu, pathsOf(network), specsOf(inputs), { label: 'paths' });
    using bound = program.bind(inputs);
    bound.submit();
    const parts = await bound.outputs[0]!.read();
    for (let n = 0; n < count; n++) {
      const norms = Array.from({ length: lengths }, (_, l) => {
        const start = (l * count + n) * classes;
        return norm(Float64Array.from(parts.subarray(start, start + classes)));
      });
      const total = norms.reduce((a, b) => a + b, 0);
      shares.push(total > 0 ? norms.map((x) => x / total) : null);
    }
  }
  return shares;
}

/** W p^l for every length l, [L + 1, n, classes], of h_1 [n, ...shape]. */
const pathsOf = (network: ResidualNetwork) => (weights: Weights, first: Tensor) => {
  const lengths = network.blocks.length + 1;
  const length = reshape(iota([lengths]), [lengths, ...first.shape.map(() => 1)]);
  /** What has length l then has length l + 1. */
  const longer = (parts: Tensor) => {
    const rows = take(reshape(parts, [lengths, first.size]), sub(maximum(iota([lengths]), 1), 1));
    return where(equal(length, 0), 0, reshape(rows, parts.shape));
  };
  let h = first;
  let parts = where(equal(length, 0), first, 0);
  for (const block of network.blocks) {
    const branch = linearize((x: Tensor) => network.branch(weights, block, x, inferenceNorm), h);
    const next = network.join(h, branch.value);
    const sum = add(parts, longer(branch.apply(parts)));
    parts = network.options.activation === 'relu' ? where(greater(next, 0), sum, 0) : sum;
    h = next;
  }
  return matmul(network.features(parts), weights[network.classifier]!, { transposeB: true });
};
