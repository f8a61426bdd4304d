import {
  broadcast,
  cast,
  equal,
  greater,
  iota,
  matmul,
  maximum,
  moveaxis,
  mul,
  reshape,
  slice,
  square,
  sub,
  sum,
  where,
} from '../autograd/functions.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { linearize } from '../autograd/transform.ts';
import { type ResidualNetwork, type Stage, stateShape } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { statisticsOf, type Weights } from '../train/network.ts';
import { isExact, PROBES, probedEnergy, remainderEstimates } from './frobenius.ts';
import { type LinearMap, leading, matrixMap, randomizedSvd, type SketchOptions } from './randomized-svd.ts';

/** How Residual Jacobians are decomposed. */
export interface JacobianOptions extends SketchOptions {
  readonly convention: 'branch' | 'post-activation';
  readonly seed: number;
}

/**
 * What is computed from a stage's Residual Jacobians, as functions to trace. Their first arguments are the
 * stacked weights of some blocks (see {@link stackedShapes}) and h before these blocks at some samples,
 * [blocks, samples, ...state]. Tangents are flattened: [blocks, samples, r, d].
 */
export function jacobianPrograms(network: ResidualNetwork, stage: Stage, options: JacobianOptions) {
  const dim = sizeOf(stage.shape);

  /** The derivative of the stacked branches at their points; with tokens, by one of them. */
  function mapAt(weights: Weights, h: Tensor): LinearMap {
    const { tokens } = stage;
    const at = tokens ? reshape(slice(h, tokens.from, tokens.from + 1, -2), stage.shape, 2) : h;
    const branch = (x: Tensor) => network.tokenBranch(weights, 'block', h, x, inferenceNorm, tokens);
    const gated = (x: Tensor) => {
      if (options.convention === 'branch' || network.options.activation === 'identity') return branch(x);
      // σ′ at h + F(h), held fixed: it belongs to the block, not to the branch.
      const open = greater(network.join(h, branch(h), weights, 'block'), 0);
      return where(open, branch(x), mul(x, 0));
    };
    const { apply, applyTranspose } = linearize(gated, at);
    const whole = (t: Tensor) => reshape(moveaxis(t, -2, 0), stage.shape, 1);
    const flat = (t: Tensor) => moveaxis(reshape(t, [dim], stage.shape.length), 0, -2);
    return { apply: (v) => flat(apply(whole(v))), applyTranspose: (u) => flat(applyTranspose(whole(u))[0]) };
  }

  function identity(batch: readonly number[]): Tensor {
    const unit = cast(equal(iota([dim, dim]), iota([dim, dim], -2)), 'f32');
    return broadcast(reshape(unit, [...batch.map(() => 1), ...unit.shape]), [...batch, ...unit.shape]);
  }

  return {
    /**
     * u and v [blocks, samples, K, d]; all singular values found, s [blocks, samples, r]; the larger of
     * ‖J v − s u‖² and ‖Jᵀu − s v‖², computed anew, residual2 [blocks, samples, K, 1]; and ‖J‖_F² if
     * `dense`, or estimates of what s leaves out of it. `key` (u32 [2]) is the sketch's. With `dense`, J is
     * a matrix, and applying it is a matmul instead of a pass through the branch.
     */
    triples: (dense: boolean) => (weights: Weights, h: Tensor, key: Tensor) => {
      const operator = mapAt(weights, h);
      const batch = h.shape.slice(0, 2);
      const images = dense ? operator.apply(identity(batch)) : undefined;
      const map = images ? matrixMap(images) : operator;
      const { u, s, v, basis } = randomizedSvd(map, batch, dim, { ...options, key });
      const values = leading(reshape(s, [s.shape.at(-1)!, 1], 1), options.triples);
      const off = (image: Tensor, x: Tensor) => sum(square(sub(image, mul(x, values))), -1);
      const residual2 = maximum(off(operator.apply(v), u), off(operator.applyTranspose(u), v));
      return {
        ...{ u, s, v, residual2 },
        ...(images && { frobenius2: sum(square(images), [-2, -1]) }),
        ...(!dense && !isExact(stage, options) && { estimates: remainderEstimates(map, basis, key) }),
      };
    },

    /** U_jᵀ J_i V_j [blocks, samples, K, K] for one j with vectors [1, samples, K, d], or a j for each i. */
    couplings(weights: Weights, h: Tensor, uj: Tensor, vj: Tensor): Tensor {
      const directions = broadcast(vj, [...h.shape.slice(0, 2), ...vj.shape.slice(-2)]);
      return matmul(uj, mapAt(weights, h).apply(directions), { transposeB: true });
    },

    /**
     * Shares of unit vectors u_j [1, samples, k, d] within the span of orthonormal u_i
     * [blocks, samples, k, d]: [blocks, samples, k]. Rows of zeros count for nothing.
     */
    overlaps: (ui: Tensor, uj: Tensor): Tensor => sum(square(matmul(uj, ui, { transposeB: true })), -1),

    /** Σ‖J e‖² [blocks, samples, 1, 1] over {@link PROBES} of the colors [d], from `first` (u32 [1]) on. */
    probes: (weights: Weights, h: Tensor, colors: Tensor, first: Tensor): Tensor =>
      probedEnergy(mapAt(weights, h), colors, first, h.shape.slice(0, 2), PROBES),
  };
}

/**
 * Shapes of `count` blocks' weights stacked along a leading axis, by their names below the block: kernels
 * are [count, …], matrices and vectors [count, 1, …, features], to broadcast over samples and positions.
 */
export function stackedShapes(
  network: ResidualNetwork,
  stage: Stage,
  count: number,
): Map<string, readonly number[]> {
  const prefix = `${stage.blocks[0]}.`;
  const ones = stateShape(stage).map(() => 1);
  // Kernels have four axes: their channels tell the blocks apart.
  const lead = (shape: readonly number[]) =>
    shape.length === 1 ? ones : shape.length === 2 ? ones.slice(1) : [];
  const given = [...network.parameters, ...statisticsOf(network)].map(({ name, shape }) => [name, shape]);
  const shapes = network.ofBlocks<readonly number[]>(Object.fromEntries(given));
  return new Map(
    Object.entries(shapes)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, shape]) => [name.slice(prefix.length), [count, ...lead(shape), ...shape]]),
  );
}
