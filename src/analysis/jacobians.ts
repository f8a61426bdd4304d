import { DeviceArray } from '../autograd/array.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { AnyFunction } from '../autograd/tree.ts';
import type { Gpu } from '../gpu/device.ts';
import { type ResidualNetwork, type Stage, stateShape } from '../models/residual-network.ts';
import { bound, floats } from '../train/bound.ts';
import { type HostState, keyOf } from '../train/state.ts';
import { batchOf, isDense } from './batches.ts';
import type { Arrays } from './block-programs.ts';
import { coloring, ESTIMATES, isExact, PROBES, withRemainder } from './frobenius.ts';
import { type JacobianOptions, jacobianPrograms, stackedShapes } from './jacobian-programs.ts';

/** Singular triples on the host: J_i of the stage's block i at sample n, triple k, coordinate d. */
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
  /** Whether that is exact rather than estimated. */
  readonly exact: boolean;
  /** Its relative standard error, [L, N]; 0 if exact. */
  readonly frobeniusError: Float64Array;
}

/** Blocks that run together, with their weights and points. */
interface Group {
  /** Number of the first in the stage, from 0. */
  readonly first: number;
  readonly blocks: number;
  readonly weights: Record<string, DeviceArray>;
  /** [blocks, N, ...state]. */
  readonly points: DeviceArray;
}

/**
 * The Residual Jacobians J_i(x) = ∂F_i/∂h at h = h_i(x) of a stage's blocks at some samples, as operators:
 * nothing here sees a matrix, only batched JVPs and VJPs of the branch. As many blocks as memory allows run
 * together, stacked. `points` holds h before each block, [N, ...state] each, with all tokens if any. Blocks
 * that run alone use weights that are `resident` on the device where they lie; others are copied there.
 * @example
 * const net = new FcResNet({ inputs: 2, depth: 2, width: 8, classes: 2, activation: 'relu', skip: true });
 * const { sketchColumns: columns, ...options } = analysisSettings(net, { seed: 1 });
 * const points = net.blocks.map(() => new Float32Array(8).fill(1)); // one sample
 * const [stage, state] = [net.stages[0]!, initialState(net, 1)];
 * using jacobians = residualJacobians(gpu, net, stage, state, points, { ...options, columns });
 * (await jacobians.triples()).frobenius2.length; // 2
 */
export function residualJacobians(
  gpu: Gpu,
  network: ResidualNetwork,
  stage: Stage,
  state: HostState,
  points: readonly Float32Array[],
  options: JacobianOptions,
  resident?: Readonly<Record<string, DeviceArray>>,
) {
  const { columns, triples, seed } = options;
  const programs = jacobianPrograms(network, stage, options);
  const dim = sizeOf(stage.shape);
  const samples = points[0]!.length / sizeOf(stateShape(stage));
  const depth = stage.blocks.length;
  const { blocks: together } = batchOf(stage, samples, options, gpu.traits);
  const groups: Group[] = [];
  for (let first = 0; first < depth; first += together) {
    const blocks = Math.min(together, depth - first);
    const shape = [blocks, samples, ...stateShape(stage)];
    const stacked = new Float32Array(sizeOf(shape));
    for (let i = 0; i < blocks; i++) stacked.set(points[first + i]!, i * points[first]!.length);
    const one = blocks === 1 && resident && network.ofBlocks(resident);
    const weights = one
      ? viewsOf(network, stage, one, first)
      : stackBlocks(gpu, network, stage, state, first, blocks);
    groups.push({ first, blocks, weights, points: DeviceArray.from(gpu, stacked, shape) });
  }

  /** Writes the exact ‖J_i‖_F² into [L, N]: J applied to unit vectors, those of one color together. */
  async function probe(result: Float64Array): Promise<void> {
    const { colors, count } = coloring(stage);
    using device = DeviceArray.from(gpu, colors, [colors.length], 'u32');
    using start = DeviceArray.zeros(gpu, [1], 'u32');
    for (const { first, weights, points } of groups) {
      const inputs = [weights, points, device, start];
      using program = await bound(gpu, 'Frobenius norms', inputs, programs.probes);
      // Colors beyond the last match nothing and add nothing.
      for (let color = 0; color < count; color += PROBES) {
        start.write([color]);
        program.submit();
        const part = await floats(program.outputs[0]!);
        part.forEach((x, i) => {
          result[first * samples + i]! += x;
        });
      }
    }
  }

  /** The energy found plus the mean estimate of the rest, [problems, ESTIMATES], and its standard error. */
  function estimate({ s, frobenius2, frobeniusError }: JacobianTriples, start: number, rest: Float32Array) {
    for (let n = 0; n < rest.length / ESTIMATES; n++) {
      const p = start + n;
      const found = s.subarray(p * columns, (p + 1) * columns);
      const { value, relativeError } = withRemainder(
        found,
        rest.subarray(n * ESTIMATES, (n + 1) * ESTIMATES),
      );
      frobenius2[p] = value;
      frobeniusError[p] = relativeError;
    }
  }

  const grid = (): Float32Array[][] => stage.blocks.map(() => []);

  /** Shape of one block's vectors, given those of every block, [L, N, k, d]. */
  const vectorShape = (vectors: Float32Array) => [samples, vectors.length / (depth * samples * dim), dim];

  /** Fills in what a program gives for a group's blocks i, with inputs `own`, and each j's vectors. */
  async function pairs(
    result: Float32Array[][],
    { first, blocks }: Group,
    label: string,
    program: AnyFunction<Tensor>,
    own: readonly unknown[],
    vectors: readonly Float32Array[],
  ): Promise<void> {
    const others = vectors.map((x) => DeviceArray.zeros(gpu, [1, ...vectorShape(x)]));
    try {
      using run = await bound(gpu, label, [...own, ...others], program);
      for (let j = 0; j < depth; j++) {
        for (const [k, x] of vectors.entries())
          others[k]!.write(x.subarray((j * x.length) / depth, ((j + 1) * x.length) / depth));
        run.submit();
        const all = await floats(run.outputs[0]!);
        const size = all.length / blocks;
        for (let i = 0; i < blocks; i++) result[first + i]![j] = all.slice(i * size, (i + 1) * size);
      }
    } finally {
      for (const array of others) array.dispose();
    }
  }

  return {
    /** Leading singular triples of every J_i. */
    async triples(): Promise<JacobianTriples> {
      const problems = depth * samples;
      const dense = isDense(stage, options, gpu.traits);
      const result: JacobianTriples = {
        u: new Float32Array(problems * triples * dim),
        s: new Float32Array(problems * columns),
        v: new Float32Array(problems * triples * dim),
        residual2: new Float32Array(problems * triples),
        frobenius2: new Float64Array(problems),
        exact: dense || isExact(stage, options),
        frobeniusError: new Float64Array(problems),
      };
      if (result.exact && !dense) await probe(result.frobenius2);
      using key = DeviceArray.from(gpu, keyOf(seed), [2], 'u32');
      for (const { first, weights, points } of groups) {
        using program = await bound(gpu, 'randomized SVD', [weights, points, key], programs.triples(dense));
        program.submit();
        const { estimates, ...found } = program.result;
        const read = async (name: keyof typeof found) => {
          const { [name]: array } = found;
          if (array) result[name].set(await floats(array), (first * result[name].length) / depth);
        };
        await Promise.all((['u', 's', 'v', 'residual2', 'frobenius2'] as const).map(read));
        if (estimates) estimate(result, first * samples, await floats(estimates));
      }
      return result;
    },

    /**
     * U_jᵀ J_i V_j for all i and j at each sample: [i][j] is [N, K, K], rows along U's columns. `u` and `v`
     * hold the first K vectors of each block, [L, N, K, d].
     */
    async couplings(u: Float32Array, v: Float32Array): Promise<Float32Array[][]> {
      const result = grid();
      for (const group of groups) {
        const own = [group.weights, group.points];
        await pairs(result, group, 'couplings', programs.couplings, own, [u, v]);
      }
      return result;
    },

    /** U_iᵀ J_i V_i of each block's own vectors [L, N, k, d], at each sample: [L, N, k, k]. */
    async own(u: Float32Array, v: Float32Array): Promise<Float32Array> {
      const side = vectorShape(u)[1]!;
      const result = new Float32Array(depth * samples * side ** 2);
      for (const { first, blocks, weights, points } of groups) {
        const array = (x: Float32Array) => {
          const each = x.length / depth;
          const own = x.subarray(first * each, (first + blocks) * each);
          return DeviceArray.from(gpu, own, [blocks, ...vectorShape(x)]);
        };
        using left = array(u);
        using right = array(v);
        using run = await bound(gpu, 'couplings', [weights, points, left, right], programs.couplings);
        run.submit();
        result.set(await floats(run.outputs[0]!), first * samples * side ** 2);
      }
      return result;
    },

    /**
     * How much of block j's vectors lies in the span of block i's: [i][j] is [N, k], squared lengths of
     * their projections. `u` [L, N, k, d] holds orthonormal vectors of each block, zeros for those left out.
     */
    async overlaps(u: Float32Array): Promise<Float32Array[][]> {
      const result = grid();
      const each = u.length / depth;
      for (const group of groups) {
        const { first, blocks } = group;
        const vectors = u.subarray(first * each, (first + blocks) * each);
        using own = DeviceArray.from(gpu, vectors, [blocks, ...vectorShape(u)]);
        await pairs(result, group, 'overlaps', programs.overlaps, [own], [u]);
      }
      return result;
    },

    [Symbol.dispose](): void {
      for (const { weights, points } of groups.splice(0))
        for (const array of [...Object.values(weights), points]) array.dispose();
    },
  };
}

/** One block's weights, in the shapes of a stack of one. */
function viewsOf(
  network: ResidualNetwork,
  stage: Stage,
  weights: Arrays,
  block: number,
): Record<string, DeviceArray> {
  return Object.fromEntries(
    [...stackedShapes(network, stage, 1)].map(([name, shape]) => [
      `block.${name}`,
      weights[`${stage.blocks[block]}.${name}`]!.view(0, shape),
    ]),
  );
}

function stackBlocks(
  gpu: Gpu,
  network: ResidualNetwork,
  stage: Stage,
  state: HostState,
  first: number,
  count: number,
): Record<string, DeviceArray> {
  const all = network.ofBlocks(Object.fromEntries([...state.parameters, ...state.statistics]));
  const shapes = [...stackedShapes(network, stage, count)];
  return Object.fromEntries(
    shapes.map(([name, shape]) => {
      const stacked = new Float32Array(sizeOf(shape));
      stage.blocks.slice(first, first + count).forEach((block, i) => {
        stacked.set(all[`${block}.${name}`]!, (i * stacked.length) / count);
      });
      return [`block.${name}`, DeviceArray.from(gpu, stacked, shape)];
    }),
  );
}
