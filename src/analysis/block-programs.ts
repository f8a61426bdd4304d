import { DeviceArray } from '../autograd/array.ts';
import { add, argmax, mean, mul, reshape } from '../autograd/functions.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { linearize } from '../autograd/transform.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { bound, floats } from './bound.ts';

export type Arrays = Readonly<Record<string, DeviceArray>>;

/** The weights of one block, by the names of a block called `block`. `given` has those that blocks share under each block's name. */
export const ofBlock = (given: Arrays, block: string): Arrays =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, array]) =>
      name.startsWith(`${block}.`) ? [[`block${name.slice(block.length)}`, array]] : [],
    ),
  );

/** The blocks of a network of one stage, each a program by itself, at `count` images. */
export async function blockRunner(gpu: Gpu, network: ResidualNetwork, weights: Arrays, count: number) {
  const h = DeviceArray.zeros(gpu, [count, ...network.stages[0]!.shape]);
  const given = network.ofBlocks(weights);
  const block = await compile(
    gpu,
    (weights: Weights, h: Tensor) => [
      network.join(h, network.branch(weights, 'block', h, inferenceNorm), weights, 'block'),
    ],
    [ofBlock(given, network.blocks[0]!), h],
    { label: 'block', inPlace: [[0, 1]] },
  );
  const blocks = network.blocks.map((name) => block.bind([ofBlock(given, name), h]));
  const classify = await bound(gpu, 'classes', [weights, h], (weights: Weights, h: Tensor) =>
    argmax(network.classify(weights, network.features(h, weights))),
  );
  const own = [classify, ...blocks, h];
  return {
    /** The classes that are predicted where h [count, ...shape] goes through blocks, given by their numbers. */
    async classes(from: Float32Array, steps: readonly number[]): Promise<Uint32Array> {
      h.write(from);
      for (const step of steps) blocks[step]!.submit();
      classify.submit();
      return (await classify.outputs[0]!.read()) as Uint32Array;
    },
    [Symbol.dispose](): void {
      for (const one of own) one.dispose();
    },
  };
}

/** What a skip connection makes of h: 1, unless it is scaled; 0 where there is none. */
export const carriedShare = ({ options }: ResidualNetwork): number =>
  options.skip ? (options.skipScale ?? 1) : 0;

/**
 * The Residual Jacobians of blocks taken together, mean over some images: rows are images of unit vectors under Π(c + J_i) − c, with c as
 * {@link carriedShare}. Like the Residual Jacobian of one block they leave σ out.
 */
export async function togetherJacobian(gpu: Gpu, network: ResidualNetwork, weights: Arrays, count: number) {
  const [dim] = network.stages[0]!.shape as [number];
  const h = DeviceArray.zeros(gpu, [count, dim]);
  const tangents = DeviceArray.zeros(gpu, [dim, count, dim]);
  const given = network.ofBlocks(weights);
  const c = carriedShare(network);
  const push = await compile(
    gpu,
    (weights: Weights, h: Tensor, t: Tensor) => {
      const image = linearize((x: Tensor) => network.branch(weights, 'block', x, inferenceNorm), h).apply(t);
      return [add(mul(t, c), image)];
    },
    [ofBlock(given, network.blocks[0]!), h, tangents],
    { label: 'Jacobian of blocks', inPlace: [[0, 2]] },
  );
  const blocks = network.blocks.map((name) => push.bind([ofBlock(given, name), h, tangents]));
  const units = new Float32Array(tangents.size).map((_, k) =>
    Number(k % dim === Math.floor(k / (count * dim))),
  );
  const end = await bound(gpu, 'mean Jacobian', [tangents], (t: Tensor) => [
    reshape(mean(t, -2), [dim, dim]),
  ]);
  const own = [end, ...blocks, h, tangents];
  return {
    /** Of blocks `from` to before `to`, where `points` are h before each block at the images, [count, d] each. */
    async of(points: readonly Float32Array[], from: number, to: number): Promise<Float32Array> {
      tangents.write(units);
      for (let i = from; i < to; i++) {
        h.write(points[i]!);
        blocks[i]!.submit();
      }
      end.submit();
      return (await floats(end.outputs[0]!)).map((x, k) => (k % (dim + 1) === 0 ? x - c : x));
    },
    [Symbol.dispose](): void {
      for (const one of own) one.dispose();
    },
  };
}
