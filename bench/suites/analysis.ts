import { residualJacobians } from '../../src/analysis/jacobians.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { EPSILON } from '../../src/train/batch-norm.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { noise, spreadOver } from '../inputs.ts';
import type { Check } from '../result.ts';
import { sample } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { CLASSES, INPUTS, mnistFc } from '../training.ts';

const SAMPLES = 16;
const TRIPLES = 30;

/** The top singular triples of the Jacobians of all blocks at all samples, as `reproduce` takes them. */
export const analysisSuite: Suite = {
  name: 'analysis',
  summary: 'randomized SVD of all Residual Jacobians of mnist-fc',
  // As the analysis runs, on Gpu.wide().
  threads: 'all',
  async run(context: Context) {
    const { gpu, time, peers } = context;
    const { depth, width } = mnistFc;
    const network = new FcResNet({
      ...{ inputs: INPUTS, depth, width, classes: CLASSES },
      ...{ activation: 'relu', skip: true },
    });
    const state = initialState(network, 1);
    const points = noise(depth * SAMPLES * width).map(Math.abs);
    const settings = analysisSettings(network, { seed: 1, spectrum: TRIPLES });
    const each = SAMPLES * width;
    const perBlock = network.stages[0]!.blocks.map((_, i) => points.subarray(i * each, (i + 1) * each));
    using jacobians = residualJacobians(gpu, network, network.stages[0]!, state, perBlock, {
      columns: settings.sketchColumns,
      triples: TRIPLES,
      powerIterations: settings.powerIterations,
      filters: settings.filters,
      convention: settings.convention,
      seed: settings.seed,
    });
    const once = async () => {
      const start = performance.now();
      await jacobians.triples();
      return performance.now() - start;
    };
    const triples = await jacobians.triples(); // Compiles; what is timed below finds all pipelines made.
    const check = checkTriples(triples, settings.sketchColumns, state, points);
    const milliseconds = await sample(once, { time: 4 * time });
    const work = { kind: 'analysis', samples: SAMPLES, depth, width, triples: TRIPLES } as const;
    const beside = await peers?.beside(work, once, (sigma) =>
      sigma > 0 && sigma < 100 ? undefined : `its mean σ₁ is ${sigma}`,
    );
    context.add({
      name: `top ${TRIPLES} triples, compiled`,
      size: `${depth * SAMPLES} of ${width}x${width}`,
      clock: 'wall',
      milliseconds,
      flops: 0,
      bytes: 0,
      check,
      figures: { 'SVDs per second': (depth * SAMPLES) / (milliseconds.median / 1000) },
      ...(beside ? { peers: beside } : {}),
    });
  },
};

/**
 * At a few blocks and samples: uₖᵀ J vₖ = σₖ and |J vₖ| = σₖ for the leading triples, with J in float64 from
 * the branch's formula at BatchNorm's initial statistics, W₂ · diag(h₁ > 0) · W₁ / (1 + ε).
 */
function checkTriples(
  { u, s, v }: { u: Float32Array; s: Float32Array; v: Float32Array },
  columns: number,
  { parameters }: HostState,
  points: Float32Array,
): Check {
  const { depth, width: d } = mnistFc;
  const apply = (matrix: Float32Array, x: ArrayLike<number>) =>
    Float64Array.from({ length: d }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += matrix[i * d + j]! * x[j]!;
      return sum;
    });
  let error = 0;
  for (const problem of spreadOver(depth * SAMPLES, 5)) {
    const block = Math.floor(problem / SAMPLES);
    const [w1, w2] = [1, 2].map((n) => parameters.get(`blocks.${block}.linear${n}.weight`)!) as [
      Float32Array,
      Float32Array,
    ];
    const inner = apply(w1, points.subarray(problem * d, (problem + 1) * d));
    const largest = s[problem * columns]!;
    for (let k = 0; k < TRIPLES; k++) {
      const at = problem * TRIPLES + k;
      const sigma = s[problem * columns + k]!;
      const image = apply(
        w2,
        apply(w1, v.subarray(at * d, (at + 1) * d)).map((x, i) => (inner[i]! > 0 ? x : 0)),
      ).map((x) => x / (1 + EPSILON));
      const product = image.reduce((sum, x, i) => sum + x * u[at * d + i]!, 0);
      error = Math.max(
        error,
        Math.abs(product - sigma) / largest,
        Math.abs(Math.hypot(...image) - sigma) / largest,
      );
    }
  }
  return { relativeTo: 'σ₁', error, tolerance: 1e-3 };
}
