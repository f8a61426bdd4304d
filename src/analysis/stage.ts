import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork, Stage } from '../models/residual-network.ts';
import type { HostState } from '../train/state.ts';
import {
  alignedDimension,
  coupling,
  diagonalShare,
  leftRight,
  pooled,
  type Rows,
  shareInside,
} from './alignment.ts';
import { batchOf } from './batches.ts';
import { diagonalShareError, gapsOf, vectorErrors } from './certificates.ts';
import { isExact } from './frobenius.ts';
import type { JacobianOptions } from './jacobian-programs.ts';
import { type JacobianTriples, ResidualJacobians } from './jacobians.ts';
import { lineMeasures, onPlane, principalPlane } from './line.ts';
import type { LineMeasures, Measures, SampleMeasures } from './results.ts';
import type { AnalysisOptions } from './settings.ts';
import { isDead } from './summary.ts';
import { centreOf, norm } from './vectors.ts';

/** Triples of which `alignment` is kept. */
const SHOWN_TRIPLES = 32;

/** A stage at some samples. */
export interface StageInput {
  readonly stage: Stage;
  /** h before each of the stage's blocks and after the last one, [N, ...shape] each. */
  readonly points: readonly Float32Array[];
  /** F of each block, [N, ...shape] each. */
  readonly branches: readonly Float32Array[];
  readonly labels: readonly number[];
  /** Orthonormal rows that span the rows of the classifier's weight; null but in the last stage, which it reads. */
  readonly classifier: Rows | null;
}

type Path = Pick<SampleMeasures, 'stepNorms' | 'trajectory' | 'commonTrajectory' | 'branchRatio'> & {
  line: LineMeasures;
};
type Blocks = Pick<
  SampleMeasures,
  | 'sigma'
  | 'residual'
  | 'gap'
  | 'frobenius2'
  | 'topEnergy'
  | 'numericalRank'
  | 'stableRank'
  | 'leftRight'
  | 'classifierShare'
>;

/** One sample's measures of a stage's blocks. */
export type StageSample = Path &
  Blocks &
  Pick<SampleMeasures, 'diagonalShare' | 'diagonalShareError' | 'coupling' | 'alignedDimension'>;

export interface StageMeasures {
  readonly samples: StageSample[];
  readonly alignment: Measures['alignment'];
  readonly frobenius: Measures['frobenius'][number];
}

/** Measures one stage, as many samples at a time as memory allows. */
export async function measureStage(
  gpu: Gpu,
  network: ResidualNetwork,
  state: HostState,
  input: StageInput,
  options: AnalysisOptions,
): Promise<StageMeasures> {
  const { stage, points, labels } = input;
  const jacobianOptions: JacobianOptions = {
    columns: options.sketchColumns,
    powerIterations: options.powerIterations,
    filters: options.filters,
    triples: options.spectrum,
    convention: options.convention,
    seed: options.seed,
  };
  const count = labels.length;
  const dim = points[0]!.length / count;
  const { samples: each } = batchOf(stage, count, jacobianOptions, gpu.traits);
  const blocks: Omit<StageSample, keyof Path>[] = [];
  const alignment = new MeanAlignment(stage.blocks.length, options.triples);
  let relativeError = 0;
  for (let first = 0; first < count; first += each) {
    const here = points.slice(0, -1).map((h) => h.subarray(first * dim, Math.min(first + each, count) * dim));
    using jacobians = new ResidualJacobians(gpu, network, stage, state, here, jacobianOptions);
    const triples = await jacobians.triples();
    const { triples: k, spectrum } = options;
    const compared = (x: Float32Array) => leading(x, spectrum * dim, k * dim);
    const a = await jacobians.couplings(compared(triples.u), compared(triples.v));
    const samples = here[0]!.length / dim;
    const own = Array.from({ length: samples }, (_, n) =>
      blocksOf(triples, n, samples, dim, network.options.classes, input, options),
    );
    const directions = triples.u.slice();
    // Those of next to no σ are anybody's choice.
    own.forEach(({ numericalRank }, n) => {
      numericalRank.forEach((rank, i) => {
        const start = (i * samples + n) * spectrum;
        directions.fill(0, (start + rank) * dim, (start + spectrum) * dim);
      });
    });
    const overlaps = await jacobians.overlaps(directions);
    own.forEach((measured, n) => {
      const matrix = (i: number, j: number) => a[i]![j]!.subarray(n * k * k, (n + 1) * k * k);
      const shares = (i: number, j: number) => overlaps[i]![j]!.subarray(n * spectrum, (n + 1) * spectrum);
      blocks.push({
        ...measured,
        ...pairsOf(measured, matrix, k),
        alignedDimension: alignedDimension(measured.numericalRank, shares, dim),
      });
      alignment.add(measured.sigma, matrix);
    });
    relativeError = Math.max(relativeError, ...triples.frobeniusError);
  }
  const paths = pathsOf(input);
  return {
    samples: paths.map((path, n) => ({ ...path, ...blocks[n]! })),
    alignment: alignment.mean(),
    frobenius: { method: isExact(stage, jacobianOptions) ? 'exact' : 'estimated', relativeError },
  };
}

/** The first `kept` numbers of each stretch of `each`. */
function leading(x: Float32Array, each: number, kept: number): Float32Array {
  const result = new Float32Array((x.length / each) * kept);
  for (let p = 0; p * each < x.length; p++) result.set(x.subarray(p * each, p * each + kept), p * kept);
  return result;
}

/** RA1 of each sample, and how long its branches are. */
function pathsOf({ points, branches, labels }: StageInput): Path[] {
  const count = labels.length;
  const dim = points[0]!.length / count;
  const at = (h: Float32Array, n: number) => Float64Array.from(h.subarray(n * dim, (n + 1) * dim));
  const last = labels.map((_, n) => at(points.at(-1)!, n));
  const means = [...new Set(labels)]
    .sort((a, b) => a - b)
    .map((c) => centreOf(last.filter((_, n) => labels[n] === c)));
  const common = principalPlane(means.length > 1 ? means : last);
  return labels.map((_, n) => {
    const path = points.map((h) => at(h, n));
    const { stepNorms, trajectory, ...line } = lineMeasures(path);
    const branchRatio = branches.map((f, i) => {
      const length = norm(path[i]!);
      return length > 0 ? norm(at(f, n)) / length : null;
    });
    return { line, stepNorms, trajectory, commonTrajectory: onPlane(common, path), branchRatio };
  });
}

/** Measures of each block by itself, at sample `n` of the `count` that the triples are of. */
function blocksOf(
  triples: JacobianTriples,
  n: number,
  count: number,
  dim: number,
  classes: number,
  { stage, classifier }: StageInput,
  { triples: k, spectrum, sketchColumns }: AnalysisOptions,
): Blocks {
  const rows = (x: Float32Array, problem: number) =>
    Array.from({ length: k }, (_, t) => {
      const start = (problem * spectrum + t) * dim;
      return Float64Array.from(x.subarray(start, start + dim));
    });
  const all = stage.blocks.map((_, i) => {
    const problem = i * count + n;
    const found = [...triples.s.subarray(problem * sketchColumns, (problem + 1) * sketchColumns)];
    const sigma = found.slice(0, spectrum);
    const frobenius2 = triples.frobenius2[problem]!;
    if (!Number.isFinite(sigma[0])) {
      throw new CollimateError(
        `the Jacobian of ${stage.blocks[i]} at the sample ${n + 1} of ${count} is not finite`,
        'The weights hold, or lead to, NaN or infinities: measure a checkpoint from before training diverged.',
      );
    }
    const dead = isDead(sigma[0]!);
    const [u, v] = [rows(triples.u, problem), rows(triples.v, problem)];
    const top = found.slice(0, classes).reduce((s, x) => s + x * x, 0);
    const share = (into: Rows) =>
      shareInside(
        u.map((x) => pooled(x, stage.shape.at(-1)!)),
        into,
      );
    return {
      sigma: dead ? sigma.map(() => 0) : sigma,
      residual: [...triples.residual2.subarray(problem * spectrum, (problem + 1) * spectrum)].map((x) =>
        dead ? null : Math.sqrt(x) / sigma[0]!,
      ),
      gap: gapsOf(found, k).map((x) => (dead ? null : x)),
      frobenius2,
      // Rounding may put the sum a hair above the whole.
      topEnergy: dead || !(frobenius2 > 0) ? null : Math.min(top / frobenius2, 1),
      numericalRank: dead ? 0 : sigma.filter((s) => s >= 1e-2 * sigma[0]!).length,
      stableRank: dead ? null : frobenius2 / sigma[0]! ** 2,
      leftRight: leftRight(u, v).map((c) => (dead ? null : c)),
      classifierShare: dead || !classifier ? null : share(classifier),
    };
  });
  return {
    sigma: all.map((b) => b.sigma),
    residual: all.map((b) => b.residual),
    gap: all.map((b) => b.gap),
    frobenius2: all.map((b) => b.frobenius2),
    topEnergy: all.map((b) => b.topEnergy),
    numericalRank: all.map((b) => b.numericalRank),
    stableRank: all.map((b) => b.stableRank),
    leftRight: all.map((b) => b.leftRight),
    classifierShare: all.map((b) => b.classifierShare),
  };
}

/** RA2 of each pair of blocks; `matrix(i, j)` is A_ij. */
function pairsOf(
  { sigma, residual, gap }: Blocks,
  matrix: (i: number, j: number) => Float32Array,
  k: number,
): Pick<StageSample, 'diagonalShare' | 'diagonalShareError' | 'coupling'> {
  const errors = sigma.map((_, j) => vectorErrors(residual![j]!, gap![j]!));
  const grid = <T>(f: (a: Float64Array, i: number, j: number) => T) =>
    sigma.map((own, i) =>
      sigma.map((other, j) =>
        isDead(own[0]!) || isDead(other[0]!) ? null : f(Float64Array.from(matrix(i, j)), i, j),
      ),
    );
  return {
    diagonalShare: grid((a) => diagonalShare(a, k)),
    diagonalShareError: grid((a, _, j) => diagonalShareError(a, k, errors[j]!)),
    coupling: grid((a, i) => coupling(a, Float64Array.from(sigma[i]!.slice(0, k)))),
  };
}

/** |A_ij| / σ_{i,1}, averaged over the samples at which neither block is dead. */
class MeanAlignment {
  readonly #triples: number;
  readonly #shown: number;
  readonly #sums: { samples: number; sum: number[][] }[][];

  constructor(depth: number, triples: number) {
    this.#triples = triples;
    this.#shown = Math.min(triples, SHOWN_TRIPLES);
    const square = <T>(size: number, f: () => T) =>
      Array.from({ length: size }, () => Array.from({ length: size }, f));
    this.#sums = square(depth, () => ({ samples: 0, sum: square(this.#shown, () => 0) }));
  }

  add(sigma: readonly number[][], matrix: (i: number, j: number) => Float32Array): void {
    this.#sums.forEach((row, i) => {
      row.forEach((entry, j) => {
        if (isDead(sigma[i]![0]!) || isDead(sigma[j]![0]!)) return;
        const a = matrix(i, j);
        entry.samples++;
        entry.sum.forEach((line, p) => {
          for (let q = 0; q < this.#shown; q++)
            line[q]! += Math.abs(a[p * this.#triples + q]!) / sigma[i]![0]!;
        });
      });
    });
  }

  mean(): Measures['alignment'] {
    return this.#sums.map((row) =>
      row.map(({ samples, sum }) => (samples ? sum.map((line) => line.map((x) => x / samples)) : null)),
    );
  }
}
