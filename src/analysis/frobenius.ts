import {
  add,
  broadcast,
  cast,
  equal,
  iota,
  matmul,
  random,
  square,
  sub,
  sum,
} from '../autograd/functions.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Stage } from '../models/residual-network.ts';
import { type LinearMap, productsOf, type SketchOptions } from './randomized-svd.ts';

/**
 * Colors of the coordinates of h, flattened, so that unit vectors of one color have images that do not
 * overlap: the squared norm of their sum's image is the sum of theirs (Curtis, Powell & Reid, *On the
 * estimation of sparse Jacobian matrices*, 1974). Under convolutions that see `reach` positions to each
 * side, coordinates of one channel 2·reach + 1 positions apart share a color.
 */
export function coloring({ shape, reach }: Stage): {
  readonly colors: Uint32Array;
  readonly count: number;
} {
  const positions = shape.slice(0, -1);
  const channels = shape.at(-1)!;
  const periods = positions.map((size) => Math.min(size, 2 * reach + 1));
  const colors = Uint32Array.from({ length: sizeOf(shape) }, (_, coordinate) => {
    let rest = Math.floor(coordinate / channels);
    let color = 0;
    let weight = 1;
    for (let axis = positions.length - 1; axis >= 0; axis--) {
      const size = positions[axis]!;
      color += weight * ((rest % size) % periods[axis]!);
      weight *= periods[axis]!;
      rest = Math.floor(rest / size);
    }
    return color * channels + (coordinate % channels);
  });
  return { colors, count: periods.reduce((a, b) => a * b, channels) };
}

/** Whether ‖J‖_F² of an operator is probed, not estimated: if that takes no more products than its SVD. */
export const isExact = (stage: Stage, sketch: SketchOptions): boolean =>
  coloring(stage).count <= productsOf(sketch);

/** Colors probed at once. */
export const PROBES = 64;

/** Σ‖J e‖² over `count` colors from `first` (u32 [1]), [...batch, 1, 1]; e sums a color's unit vectors. */
export function probedEnergy(
  map: LinearMap,
  colors: Tensor,
  first: Tensor,
  batch: readonly number[],
  count: number,
): Tensor {
  const color = add(iota([...batch.map(() => 1), count, 1], -2), first);
  const units = cast(equal(colors, color), 'f32');
  return sum(square(map.apply(broadcast(units, [...batch, count, colors.size]))), [-2, -1]);
}

/** Number of independent estimates of a Frobenius norm that is not exact. */
export const ESTIMATES = 32;

/**
 * Unbiased estimates of ‖J − Q Qᵀ J‖_F², the energy that the orthonormal rows of `basis` [… , r, d] leave
 * out: [… , {@link ESTIMATES}, 1], each ‖Jᵀ(I − Q Qᵀ) g‖² for a Gaussian g. Added to the known
 * ‖Qᵀ J‖_F² = Σσ², this is Hutch++ (Meyer, Musco, Musco & Woodruff, 2021) for the trace of J Jᵀ.
 */
export function remainderEstimates(map: LinearMap, basis: Tensor, key: Tensor): Tensor {
  const shape = [...basis.shape.slice(0, -2), ESTIMATES, basis.shape.at(-1)!];
  // A stream of its own: these must not be the sketch's numbers.
  const g = random(key, shape, { distribution: 'normal', stream: 1 });
  const inside = matmul(matmul(g, basis, { transposeB: true }), basis);
  return sum(square(map.applyTranspose(sub(g, inside))), -1);
}

/** ‖J‖_F² as the energy found plus the mean estimate of the rest, with its relative standard error. */
export function withRemainder(sigma: Float32Array, estimates: Float32Array) {
  const count = estimates.length;
  const mean = estimates.reduce((a, b) => a + b, 0) / count;
  const variance = estimates.reduce((a, b) => a + (b - mean) ** 2, 0) / (count - 1);
  const found = sigma.reduce((a, b) => a + b * b, 0);
  const value = found + mean;
  return { value, relativeError: found > 0 ? Math.sqrt(variance / count) / value : 0 };
}
