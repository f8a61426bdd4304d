import { DeviceArray } from '../autograd/array.ts';
import {
  add,
  amax,
  argmax,
  array,
  div,
  eye,
  greater,
  iota,
  matmul,
  mean,
  mT,
  mul,
  relu,
  reshape,
  sub,
  take,
  where,
} from '../autograd/functions.ts';
import { orthonormalize, svd } from '../autograd/linalg.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { linearize } from '../autograd/transform.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { bound, floats } from '../train/bound.ts';
import type { Weights } from '../train/network.ts';
import { keyOf } from '../train/state.ts';
import { matrixMap, randomizedSvd } from './randomized-svd.ts';
import { analysisSettings } from './settings.ts';

export type Arrays = Readonly<Record<string, DeviceArray>>;

/** The weights of one block, renamed to `block`; `given` has shared weights under each block's name. */
export const ofBlock = (given: Arrays, block: string): Arrays =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, array]) =>
      name.startsWith(`${block}.`) ? [[`block${name.slice(block.length)}`, array]] : [],
    ),
  );

/** The blocks of a network with one stage, each a program of its own, at `count` images. */
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
    /** Predicted classes if h [count, ...shape] goes through the blocks numbered `steps`. */
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

/**
 * Stand-ins for blocks: steps along the leading C singular directions of their Residual Jacobian, averaged
 * over the images `chosen`. Like that of one block, it leaves out σ. `path` has h of the first images before
 * each block and after the last, [images, d] each: means and coefficients come from these.
 */
export async function blockSteps(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Arrays,
  path: readonly Float32Array[],
  chosen: readonly number[],
  count: number,
) {
  const { skip, skipScale = 1, activation, classes } = network.options;
  const c = skip ? skipScale : 0;
  const [dim] = network.stages[0]!.shape as [number];
  const images = path[0]!.length / dim;
  const zeros = (...shape: number[]) => DeviceArray.zeros(gpu, shape);
  const [at, tangents] = [zeros(chosen.length, dim), zeros(dim, chosen.length, dim)];
  const given = network.ofBlocks(weights);
  const push = await compile(
    gpu,
    (weights: Weights, h: Tensor, t: Tensor) => {
      const image = linearize((x: Tensor) => network.branch(weights, 'block', x, inferenceNorm), h).apply(t);
      return [add(mul(t, c), image)];
    },
    [ofBlock(given, network.blocks[0]!), at, tangents],
    { label: 'Jacobian of blocks', inPlace: [[0, 2]] },
  );
  const blocks = network.blocks.map((name) => push.bind([ofBlock(given, name), at, tangents]));
  const units = new Float32Array(tangents.size).map((_, k) =>
    Number(k % dim === Math.floor(k / (chosen.length * dim))),
  );
  const sketch = analysisSettings(network, { seed: 1 });
  const rank = Math.min(classes, sketch.triples, images);
  const points = [zeros(images, dim), zeros(images, dim), zeros(count, dim)];
  const steps = await bound(
    gpu,
    'linear steps',
    [tangents, ...points],
    (t: Tensor, before: Tensor, behind: Tensor, h: Tensor) => {
      const jacobian = sub(reshape(mean(t, -2), [dim, dim]), mul(eye(dim), c));
      const key = array(keyOf(sketch.seed), [2], 'u32');
      const options = { ...sketch, columns: sketch.sketchColumns, triples: rank, key };
      const { u, s, v } = randomizedSvd(matrixMap(jacobian), [], dim, options);
      const moved = sub(behind, mul(before, c));
      const [center, shift] = [before, moved].map((x) => mean(x, -2)) as [Tensor, Tensor];
      const along = (x: Tensor, center: Tensor, directions: Tensor) =>
        matmul(sub(x, center), directions, { transposeB: true });
      const fitted = leastSquares(along(before, center, v), along(moved, shift, u));
      const own = mul(u, reshape(take(s, iota([rank])), [rank, 1]));
      return [own, matmul(fitted, u)].map((images) => {
        const sum = add(add(mul(h, c), shift), matmul(along(h, center, v), images));
        return activation === 'relu' ? relu(sum) : sum;
      });
    },
  );
  const own = [steps, ...blocks, at, tangents, ...points];
  return {
    /** h [count, d] with blocks `from` … `to` − 1 replaced: by singular values, by fitted coefficients. */
    async after(h: Float32Array, from: number, to: number): Promise<Float32Array[]> {
      tangents.write(units);
      for (let i = from; i < to; i++) {
        at.write(Float32Array.from(chosen.flatMap((n) => [...path[i]!.subarray(n * dim, (n + 1) * dim)])));
        blocks[i]!.submit();
      }
      for (const [k, x] of [path[from]!, path[to]!, h].entries()) points[k]!.write(x);
      steps.submit();
      return Promise.all(steps.outputs.map(floats));
    },
    [Symbol.dispose](): void {
      for (const one of own) one.dispose();
    },
  };
}

/** Singular values of Z below this share of the largest count as 0. */
const NOTHING = 1e-5;

/** The smallest M among those that minimize ‖ZM − T‖²; Z has more rows than columns. */
function leastSquares(z: Tensor, t: Tensor): Tensor {
  const q = orthonormalize(mT(z));
  // Zᵀ = R Q and R = Uᵀ diag(s) V, so that M = Uᵀ diag(1/s) V Q T.
  const { u, s, v } = svd(matmul(mT(z), q, { transposeB: true }));
  const column = reshape(s, [s.size, 1]);
  const kept = greater(column, mul(amax(column, -2), NOTHING));
  const inverse = where(kept, div(1, column), 0);
  return matmul(u, mul(inverse, matmul(v, matmul(q, t))), { transposeA: true });
}
