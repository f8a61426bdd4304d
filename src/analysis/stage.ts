import { sizeOf } from '../autograd/shape.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { range } from '../lists.ts';
import { type ResidualNetwork, type Stage, stateShape } from '../models/residual-network.ts';
import type { HostState } from '../train/state.ts';
import { batchOf } from './batches.ts';
import type { Arrays } from './block-programs.ts';
import { type JacobianTriples, residualJacobians } from './jacobians.ts';
import { DEAD_BELOW } from './measures/dead-blocks.ts';
import { list } from './measures/list.ts';
import type { BlockAt, Measure, StageAt } from './measures/measure.ts';
import type { AnalysisOptions } from './settings.ts';
import { tokenPairs } from './token-pairs.ts';
import { centerOf, principalPlane, type Rows } from './vectors.ts';

/** A stage at some samples. */
export interface StageInput {
  readonly stage: Stage;
  /** h before each of the stage's blocks and after the last one, [N, ...state] each. */
  readonly points: readonly Float32Array[];
  /** h behind each of them, likewise. */
  readonly behind: readonly Float32Array[];
  /** F of each block, [N, ...state] each. */
  readonly branches: readonly Float32Array[];
  readonly labels: readonly number[];
  readonly classifier: Rows | null;
}

/** A stage's part of each sample's fields, and of what is gathered over samples. */
export interface StageMeasures {
  readonly samples: readonly object[];
  readonly gathered: object;
}

/** Measures one stage, as many samples at a time as memory allows. */
export async function measureStage(
  gpu: Gpu,
  network: ResidualNetwork,
  { state, weights }: { readonly state: HostState; readonly weights: Arrays },
  input: StageInput,
  options: AnalysisOptions,
): Promise<StageMeasures> {
  const { stage, points, behind, branches, labels, classifier } = input;
  const { spectrum, triples: k, sketchColumns: columns } = options;
  const jacobianOptions = { ...options, columns, triples: spectrum };
  const count = labels.length;
  const [whole, dim] = [stateShape(stage), stage.shape].map(sizeOf) as [number, number];
  // With tokens, the path of the one that Jacobians are of.
  const own = (stage.tokens?.to ?? 0) * dim;
  const at = (h: Float32Array, n: number) =>
    Float64Array.from(h.subarray(n * whole + own, n * whole + own + dim));
  const commonPlane = planeOfClasses(
    labels.map((_, n) => at(points.at(-1)!, n)),
    labels,
  );
  const measures: readonly Measure[] = list;
  const gatherers = measures.flatMap((m) => m.gather?.(stage.blocks.length, k) ?? []);
  const samples: object[] = [];
  const { samples: each } = batchOf(stage, count, jacobianOptions, gpu.traits);
  for (let first = 0; first < count; first += each) {
    const size = Math.min(each, count - first);
    const here = points.slice(0, -1).map((h) => h.subarray(first * whole, (first + size) * whole));
    const open = (map: Stage) => residualJacobians(gpu, network, map, state, here, jacobianOptions, weights);
    using jacobians = open(stage);
    const triples = await jacobians.triples();
    const compared = (x: Float32Array) => leading(x, spectrum * dim, k * dim);
    const a = await jacobians.couplings(compared(triples.u), compared(triples.v));
    const blocks = range(size).map((n) =>
      stage.blocks.map((name, i) => {
        const block = blockAt(triples, i * size + n, dim, options);
        if (Number.isFinite(block.found[0])) return block;
        throw new CollimateError(
          `the Jacobian of ${name} at the sample ${first + n + 1} of ${count} is not finite`,
          'The weights hold, or lead to, NaN or infinities: measure a checkpoint from before training diverged.',
        );
      }),
    );
    const directions = triples.u.slice();
    // Vectors with next to no σ are arbitrary.
    blocks.forEach((own, n) => {
      own.forEach(({ rank }, i) => {
        const start = (i * size + n) * spectrum;
        directions.fill(0, (start + rank) * dim, (start + spectrum) * dim);
      });
    });
    const overlaps = await jacobians.overlaps(directions);
    const pairs = await tokenPairs(stage, open, jacobianOptions, k, triples);
    blocks.forEach((own, n) => {
      const path = points.map((h) => at(h, first + n));
      const stageAt: StageAt = {
        ...{ classes: network.options.classes, triples: k, shape: stage.shape },
        ...{ classifier, commonPlane, path },
        behind: behind.map((h) => at(h, first + n)),
        branches: branches.map((f) => at(f, first + n)),
        plane: principalPlane(path),
        blocks: own,
        coupling: (i, j) => Float64Array.from(a[i]![j]!.subarray(n * k * k, (n + 1) * k * k)),
        tokenPairs: pairs(n),
        overlap: (i, j) => overlaps[i]![j]!.subarray(n * spectrum, (n + 1) * spectrum),
      };
      samples.push(Object.assign({}, ...measures.map((m) => m.at?.(stageAt))));
      for (const gatherer of gatherers) gatherer.add(stageAt);
    });
  }
  return { samples, gathered: Object.assign({}, ...gatherers.map((gatherer) => gatherer.result())) };
}

/** The first `kept` numbers of each run of `each`. */
function leading(x: Float32Array, each: number, kept: number): Float32Array {
  const result = new Float32Array((x.length / each) * kept);
  for (let p = 0; p * each < x.length; p++) result.set(x.subarray(p * each, p * each + kept), p * kept);
  return result;
}

/** The plane of the class means; with one class, of its points. */
function planeOfClasses(points: Rows, labels: readonly number[]) {
  const means = [...new Set(labels)]
    .sort((a, b) => a - b)
    .map((c) => centerOf(points.filter((_, n) => labels[n] === c)));
  return principalPlane(means.length > 1 ? means : points);
}

/** One block at one sample: number `problem` among the triples. */
function blockAt(
  triples: JacobianTriples,
  problem: number,
  dim: number,
  { spectrum, sketchColumns }: AnalysisOptions,
): BlockAt {
  const found = [...triples.s.subarray(problem * sketchColumns, (problem + 1) * sketchColumns)];
  const dead = found[0]! <= DEAD_BELOW;
  const sigma = found.slice(0, spectrum).map((s) => (dead ? 0 : s));
  const row = (x: Float32Array) => (k: number) => {
    const start = (problem * spectrum + k) * dim;
    return Float64Array.from(x.subarray(start, start + dim));
  };
  const residual2 = triples.residual2.subarray(problem * spectrum, (problem + 1) * spectrum);
  return {
    ...{ dead, found, sigma, frobeniusExact: triples.exact },
    rank: dead ? 0 : sigma.filter((s) => s >= 1e-2 * sigma[0]!).length,
    u: row(triples.u),
    v: row(triples.v),
    residual: [...residual2].map((x) => Math.sqrt(x) / found[0]!),
    frobenius2: triples.frobenius2[problem]!,
    frobeniusError: triples.frobeniusError[problem]!,
  };
}
