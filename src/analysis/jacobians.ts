import { DeviceArray } from '../autograd/array.ts';
import {
  add,
  broadcast,
  cast,
  directionsFirst,
  directionsLast,
  equal,
  greater,
  iota,
  matmul,
  mul,
  square,
  sum,
  where,
} from '../autograd/functions.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { linearize } from '../autograd/transform.ts';
import type { Gpu } from '../gpu/device.ts';
import type { FcResNet } from '../models/fc-resnet.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { type HostState, keyOf } from '../train/state.ts';
import { specsOf } from '../train/trainer.ts';
import { type LinearMap, matrixMap, randomizedSvd, type SketchOptions } from './randomized-svd.ts';

export interface JacobianOptions extends SketchOptions {
  readonly convention: 'branch' | 'post-activation';
  readonly seed: number;
}

/** Singular triples of J_i at each sample, in host memory: block i, sample n, triple k of K (or r), coordinate d. */
export interface JacobianTriples {
  /** [L, N, K, D]. */
  readonly u: Float32Array;
  /** [L, N, r]: all columns of the sketch. */
  readonly s: Float32Array;
  /** [L, N, K, D]. */
  readonly v: Float32Array;
  /** ‖J_i‖_F² at each sample, exactly: [L, N]. */
  readonly frobenius2: Float64Array;
}

/** Directions multiplied at once when the Frobenius norm is taken over all of them. */
const IDENTITY_CHUNK = 64;
/** Bytes that one batch of directions may take, well below what adapters let a binding span. */
const BATCH_BYTES = 32 * 2 ** 20;

/**
 * The Residual Jacobians J_i(x) = ∂F_i/∂h at h = h_i(x), of all blocks and samples, as operators: nothing here sees
 * a matrix, only batched JVPs and VJPs of the branch. Blocks are stacked along a leading axis and run together, as
 * many as the memory for their directions allows.
 */
export class ResidualJacobians implements Disposable {
  readonly #gpu: Gpu;
  readonly #network: FcResNet;
  readonly #samples: number;
  readonly #options: JacobianOptions;
  /** Whether memory holds the Jacobians of at least one block as matrices. */
  readonly #dense: boolean;
  /** Blocks that run together, with their weights and points. */
  readonly #groups: {
    /** Number of the first, from 0. */
    first: number;
    /** How many there are. */
    blocks: number;
    weights: Record<string, DeviceArray>;
    points: DeviceArray;
  }[] = [];

  /** `points` holds h_1 … h_L at each sample, [L, N, D]. */
  constructor(gpu: Gpu, network: FcResNet, state: HostState, points: Float32Array, options: JacobianOptions) {
    const { depth, width } = network.options;
    this.#gpu = gpu;
    this.#network = network;
    this.#options = options;
    this.#samples = points.length / (depth * width);
    const most = Math.min(BATCH_BYTES, gpu.traits.maxBindingBytes);
    const bytesOf = (directions: number) => 4 * directions * this.#samples * width;
    this.#dense = bytesOf(width) <= most;
    const perBlock = bytesOf(this.#dense ? width : Math.max(options.columns, IDENTITY_CHUNK));
    const blocks = Math.max(1, Math.min(depth, Math.floor(most / perBlock)));
    const each = this.#samples * width;
    for (let first = 0; first < depth; first += blocks) {
      const count = Math.min(blocks, depth - first);
      this.#groups.push({
        first,
        blocks: count,
        weights: stackBlocks(gpu, state, first, count),
        points: DeviceArray.from(gpu, points.subarray(first * each, (first + count) * each), [
          count,
          this.#samples,
          width,
        ]),
      });
    }
  }

  /**
   * Leading singular triples of every J_i. As the Frobenius norm takes J_i's images of all directions anyway, the sketch
   * runs on them wherever they fit in memory: a product for each application instead of a pass through the branch.
   */
  async triples(): Promise<JacobianTriples> {
    const { depth, width } = this.#network.options;
    const { columns, triples } = this.#options;
    const vectors = this.#samples * triples * width;
    const result: JacobianTriples = {
      u: new Float32Array(depth * vectors),
      s: new Float32Array(depth * this.#samples * columns),
      v: new Float32Array(depth * vectors),
      frobenius2: this.#dense ? new Float64Array(depth * this.#samples) : await this.#frobenius(),
    };
    using key = DeviceArray.from(this.#gpu, keyOf(this.#options.seed), [2], 'u32');
    for (const { first, weights, points } of this.#groups) {
      const inputs = [weights, points, key];
      const program = await compile(
        this.#gpu,
        (w: Weights, h: Tensor, k: Tensor) => {
          const batch = h.shape.slice(0, 2);
          const map = this.#map(w, h);
          const images = this.#dense ? map.apply(unitVectors(width, width, batch)) : undefined;
          const { u, s, v } = randomizedSvd(images ? matrixMap(images) : map, batch, width, {
            ...this.#options,
            key: k,
          });
          return { u, s, v, ...(images && { frobenius2: sum(square(images), [-2, -1]) }) };
        },
        specsOf(inputs),
        { label: 'randomized SVD' },
      );
      using bound = program.bind(inputs);
      bound.submit();
      const read = async (array: DeviceArray | undefined, into: Float32Array | Float64Array, each: number) =>
        array && into.set((await array.read()) as Float32Array, first * each);
      const { u, s, v, frobenius2 } = bound.result;
      await Promise.all([
        read(u, result.u, vectors),
        read(s, result.s, this.#samples * columns),
        read(v, result.v, vectors),
        read(frobenius2, result.frobenius2, this.#samples),
      ]);
    }
    return result;
  }

  /**
   * U_jᵀ J_i V_j for all i and j, at each sample: [i][j] is [N, K, K], rows running over U's columns. `u` and `v`
   * hold the first K vectors of each block, [L, N, K, D].
   */
  async couplings(u: Float32Array, v: Float32Array, triples: number): Promise<Float32Array[][]> {
    const { depth, width } = this.#network.options;
    const shape = [1, this.#samples, triples, width];
    const each = this.#samples * triples * width;
    const result: Float32Array[][] = Array.from({ length: depth }, () => []);
    using left = DeviceArray.zeros(this.#gpu, shape);
    using right = DeviceArray.zeros(this.#gpu, shape);
    for (const { first, blocks, weights, points } of this.#groups) {
      const inputs = [weights, points, left, right];
      const program = await compile(
        this.#gpu,
        (w: Weights, h: Tensor, uj: Tensor, vj: Tensor) => {
          const directions = broadcast(vj, [...h.shape.slice(0, 2), triples, width]);
          return matmul(uj, this.#map(w, h).apply(directions), { transposeB: true });
        },
        specsOf(inputs),
        { label: 'couplings' },
      );
      using bound = program.bind(inputs);
      for (let j = 0; j < depth; j++) {
        left.write(u.subarray(j * each, (j + 1) * each));
        right.write(v.subarray(j * each, (j + 1) * each));
        bound.submit();
        const all = (await bound.outputs[0]!.read()) as Float32Array;
        const size = all.length / blocks;
        for (let i = 0; i < blocks; i++) result[first + i]![j] = all.slice(i * size, (i + 1) * size);
      }
    }
    return result;
  }

  /** Σ of the squares of J's columns: J applied to every direction of the identity, a chunk at a time. */
  async #frobenius(): Promise<Float64Array> {
    const { depth, width } = this.#network.options;
    const result = new Float64Array(depth * this.#samples);
    const chunk = Math.min(IDENTITY_CHUNK, width);
    using start = DeviceArray.zeros(this.#gpu, [1], 'u32');
    for (const { first, weights, points } of this.#groups) {
      const inputs = [weights, points, start];
      const program = await compile(
        this.#gpu,
        (w: Weights, h: Tensor, from: Tensor) => {
          const batch = h.shape.slice(0, 2);
          return sum(square(this.#map(w, h).apply(unitVectors(chunk, width, batch, from))), [-2, -1]);
        },
        specsOf(inputs),
        { label: 'Frobenius norms' },
      );
      using bound = program.bind(inputs);
      // Directions beyond the width are zero: they add nothing.
      for (let direction = 0; direction < width; direction += chunk) {
        start.write([direction]);
        bound.submit();
        const part = await bound.outputs[0]!.read();
        part.forEach((x, i) => {
          result[first * this.#samples + i]! += x;
        });
      }
    }
    return result;
  }

  /** The derivative of the stacked branches at their points. */
  #map(weights: Weights, h: Tensor): LinearMap {
    const branch = (x: Tensor) => this.#network.branch(weights, 'block', x, inferenceNorm);
    const gated = (x: Tensor) => {
      if (this.#options.convention === 'branch' || this.#network.options.activation === 'identity')
        return branch(x);
      // σ′ at h + F(h), held fixed: it belongs to the block, not to the branch.
      const open = greater(this.#network.join(h, branch(h)), 0);
      return where(open, branch(x), mul(x, 0));
    };
    const { apply, applyTranspose } = linearize(gated, h);
    return {
      apply: (v) => directionsLast(apply(directionsFirst(v))),
      applyTranspose: (u) => directionsLast(applyTranspose(directionsFirst(u))[0]),
    };
  }

  dispose(): void {
    for (const { weights, points } of this.#groups.splice(0)) {
      for (const array of Object.values(weights)) array.dispose();
      points.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `count` unit vectors from number `from` on, for every point of a batch: [… , count, width]. */
function unitVectors(
  count: number,
  width: number,
  batch: readonly number[],
  from: Tensor | number = 0,
): Tensor {
  const number = add(iota([...batch.map(() => 1), count, 1], -2), from);
  return broadcast(cast(equal(iota([width]), number), 'f32'), [...batch, count, width]);
}

/**
 * Weights of consecutive blocks, each along a leading axis: matrices become [count, out, in], vectors
 * [count, 1, features], so that they broadcast over samples.
 */
function stackBlocks(gpu: Gpu, state: HostState, first: number, count: number): Record<string, DeviceArray> {
  const all = new Map([...state.parameters, ...state.statistics]);
  const prefix = `blocks.${first}.`;
  const names = [...all.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  return Object.fromEntries(
    names.map((name) => {
      const parts = Array.from({ length: count }, (_, i) => all.get(`blocks.${first + i}.${name}`)!);
      const size = parts[0]!.length;
      const stacked = new Float32Array(count * size);
      parts.forEach((part, i) => {
        stacked.set(part, i * size);
      });
      const side = Math.sqrt(size);
      const shape = name.includes('linear') ? [count, side, side] : [count, 1, size];
      return [`block.${name}`, DeviceArray.from(gpu, stacked, shape)];
    }),
  );
}
