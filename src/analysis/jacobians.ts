import { DeviceArray } from '../autograd/array.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { AnyFunction } from '../autograd/tree.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork, Stage } from '../models/residual-network.ts';
import { type HostState, keyOf } from '../train/state.ts';
import { specsOf } from '../train/trainer.ts';
import { batchOf, isDense, sizeOf } from './batches.ts';
import { coloring, ESTIMATES, isExact, PROBES, withRemainder } from './frobenius.ts';
import { type JacobianOptions, JacobianPrograms, stackedShapes } from './jacobian-programs.ts';

/** Singular triples of J_i at each sample, in host memory: block i of the stage, sample n, triple k, coordinate d. */
export interface JacobianTriples {
  /** [L, N, K, d]. */
  readonly u: Float32Array;
  /** [L, N, r]. */
  readonly s: Float32Array;
  /** [L, N, K, d]. */
  readonly v: Float32Array;
  /** The larger of ‖J v − s u‖² and ‖Jᵀu − s v‖² of each triple, [L, N, K]. */
  readonly residual2: Float32Array;
  /** ‖J_i‖_F² at each sample: [L, N]. */
  readonly frobenius2: Float64Array;
  /** Its standard error over its value, [L, N]; 0 where it is exact. */
  readonly frobeniusError: Float64Array;
}

/** Blocks that run together, with their weights and points. */
interface Group {
  /** Number of the first in the stage, from 0. */
  readonly first: number;
  readonly blocks: number;
  readonly weights: Record<string, DeviceArray>;
  /** [blocks, N, ...shape]. */
  readonly points: DeviceArray;
}

/**
 * The Residual Jacobians J_i(x) = ∂F_i/∂h at h = h_i(x) of a stage's blocks, at some samples, as operators: nothing here
 * sees a matrix, only batched JVPs and VJPs of the branch. Blocks are stacked along a leading axis and run together, as
 * many as memory allows.
 */
export class ResidualJacobians implements Disposable {
  readonly #gpu: Gpu;
  readonly #stage: Stage;
  readonly #samples: number;
  readonly #dim: number;
  readonly #options: JacobianOptions;
  readonly #programs: JacobianPrograms;
  readonly #groups: Group[] = [];

  /** `points` holds h before each block of the stage at each sample, [N, ...shape] each. */
  constructor(
    gpu: Gpu,
    network: ResidualNetwork,
    stage: Stage,
    state: HostState,
    points: readonly Float32Array[],
    options: JacobianOptions,
  ) {
    this.#gpu = gpu;
    this.#stage = stage;
    this.#options = options;
    this.#programs = new JacobianPrograms(network, stage, options);
    this.#dim = sizeOf(stage.shape);
    this.#samples = points[0]!.length / this.#dim;
    const depth = stage.blocks.length;
    const { blocks } = batchOf(stage, this.#samples, options, gpu.traits);
    for (let first = 0; first < depth; first += blocks) {
      const count = Math.min(blocks, depth - first);
      const shape = [count, this.#samples, ...stage.shape];
      const stacked = new Float32Array(sizeOf(shape));
      for (let i = 0; i < count; i++) stacked.set(points[first + i]!, i * points[first]!.length);
      this.#groups.push({
        first,
        blocks: count,
        weights: stackBlocks(gpu, network, stage, state, first, count),
        points: DeviceArray.from(gpu, stacked, shape),
      });
    }
  }

  /** Leading singular triples of every J_i. */
  async triples(): Promise<JacobianTriples> {
    const { columns, triples, seed } = this.#options;
    const problems = this.#stage.blocks.length * this.#samples;
    const result: JacobianTriples = {
      u: new Float32Array(problems * triples * this.#dim),
      s: new Float32Array(problems * columns),
      v: new Float32Array(problems * triples * this.#dim),
      residual2: new Float32Array(problems * triples),
      frobenius2: new Float64Array(problems),
      frobeniusError: new Float64Array(problems),
    };
    const dense = isDense(this.#stage, this.#gpu.traits);
    if (!dense && isExact(this.#stage, this.#options)) await this.#probe(result.frobenius2);
    using key = DeviceArray.from(this.#gpu, keyOf(seed), [2], 'u32');
    for (const { first, weights, points } of this.#groups) {
      const inputs = [weights, points, key];
      const program = await compile(this.#gpu, this.#programs.triples(dense), specsOf(inputs), {
        label: 'randomized SVD',
      });
      using bound = program.bind(inputs);
      bound.submit();
      const { u, s, v, residual2, frobenius2, estimates } = bound.result;
      const start = first * this.#samples;
      const read = async (array: DeviceArray | undefined, into: Float32Array | Float64Array, each: number) =>
        array && into.set((await array.read()) as Float32Array, start * each);
      await Promise.all([
        read(u, result.u, triples * this.#dim),
        read(s, result.s, columns),
        read(v, result.v, triples * this.#dim),
        read(residual2, result.residual2, triples),
        read(frobenius2, result.frobenius2, 1),
      ]);
      if (estimates) this.#estimate(result, start, (await estimates.read()) as Float32Array);
    }
    return result;
  }

  /** The energy found and the mean of the estimates of the rest, [problems, ESTIMATES], with its standard error. */
  #estimate(result: JacobianTriples, start: number, estimates: Float32Array): void {
    const { columns } = this.#options;
    for (let n = 0; n < estimates.length / ESTIMATES; n++) {
      const p = start + n;
      const { value, relativeError } = withRemainder(
        result.s.subarray(p * columns, (p + 1) * columns),
        estimates.subarray(n * ESTIMATES, (n + 1) * ESTIMATES),
      );
      result.frobenius2[p] = value;
      result.frobeniusError[p] = relativeError;
    }
  }

  /**
   * U_jᵀ J_i V_j for all i and j, at each sample: [i][j] is [N, K, K], rows running over U's columns. `u` and `v`
   * hold the first K vectors of each block, [L, N, K, d].
   */
  async couplings(u: Float32Array, v: Float32Array): Promise<Float32Array[][]> {
    const result = this.#grid();
    for (const group of this.#groups) {
      const own = [group.weights, group.points];
      await this.#pairs(result, group, 'couplings', this.#programs.couplings, own, [u, v]);
    }
    return result;
  }

  /**
   * How much of the vectors of block j lies in the span of those of block i, at each sample: [i][j] is [N, k], squared lengths of
   * projections. `u` [L, N, k, d] holds orthonormal vectors of each block, with zeros in the place of those that do not count.
   */
  async overlaps(u: Float32Array): Promise<Float32Array[][]> {
    const result = this.#grid();
    const each = u.length / result.length;
    for (const group of this.#groups) {
      const { first, blocks } = group;
      const shape = [blocks, ...this.#vectorShape(u)];
      using own = DeviceArray.from(this.#gpu, u.subarray(first * each, (first + blocks) * each), shape);
      await this.#pairs(result, group, 'overlaps', this.#programs.overlaps, [own], [u]);
    }
    return result;
  }

  #grid(): Float32Array[][] {
    return this.#stage.blocks.map(() => []);
  }

  /** Of vectors of every block, [L, N, k, d], the shape of one block's. */
  #vectorShape(vectors: Float32Array): number[] {
    const [samples, dim] = [this.#samples, this.#dim];
    return [samples, vectors.length / (this.#stage.blocks.length * samples * dim), dim];
  }

  /** Fills in what a program says of a group's blocks i and each block j, given `own` of those and vectors of this one. */
  async #pairs(
    result: Float32Array[][],
    { first, blocks }: Group,
    label: string,
    program: AnyFunction<Tensor>,
    own: readonly unknown[],
    vectors: readonly Float32Array[],
  ): Promise<void> {
    const depth = result.length;
    const others = vectors.map((x) => DeviceArray.zeros(this.#gpu, [1, ...this.#vectorShape(x)]));
    try {
      const inputs = [...own, ...others];
      const compiled = await compile(this.#gpu, program, specsOf(inputs), { label });
      using bound = compiled.bind(inputs);
      for (let j = 0; j < depth; j++) {
        for (const [k, x] of vectors.entries())
          others[k]!.write(x.subarray((j * x.length) / depth, ((j + 1) * x.length) / depth));
        bound.submit();
        const all = (await bound.outputs[0]!.read()) as Float32Array;
        const size = all.length / blocks;
        for (let i = 0; i < blocks; i++) result[first + i]![j] = all.slice(i * size, (i + 1) * size);
      }
    } finally {
      for (const array of others) array.dispose();
    }
  }

  /** ‖J_i‖_F² exactly, into [L, N]: J applied to unit vectors, those of one color together. */
  async #probe(result: Float64Array): Promise<void> {
    const { colors, count } = coloring(this.#stage);
    using device = DeviceArray.from(this.#gpu, colors, [colors.length], 'u32');
    using start = DeviceArray.zeros(this.#gpu, [1], 'u32');
    for (const { first, weights, points } of this.#groups) {
      const inputs = [weights, points, device, start];
      const program = await compile(this.#gpu, this.#programs.probes, specsOf(inputs), {
        label: 'Frobenius norms',
      });
      using bound = program.bind(inputs);
      // There is nothing of the colors beyond the last: they add nothing.
      for (let color = 0; color < count; color += PROBES) {
        start.write([color]);
        bound.submit();
        const part = await bound.outputs[0]!.read();
        part.forEach((x, i) => {
          result[first * this.#samples + i]! += x;
        });
      }
    }
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

/** Weights of consecutive blocks of a stage, stacked. */
function stackBlocks(
  gpu: Gpu,
  network: ResidualNetwork,
  stage: Stage,
  state: HostState,
  first: number,
  count: number,
): Record<string, DeviceArray> {
  const all = new Map([...state.parameters, ...state.statistics]);
  const shapes = [...stackedShapes(network, stage, count)];
  return Object.fromEntries(
    shapes.map(([name, shape]) => {
      const stacked = new Float32Array(sizeOf(shape));
      stage.blocks.slice(first, first + count).forEach((block, i) => {
        stacked.set(all.get(`${block}.${name}`)!, (i * stacked.length) / count);
      });
      return [`block.${name}`, DeviceArray.from(gpu, stacked, shape)];
    }),
  );
}
