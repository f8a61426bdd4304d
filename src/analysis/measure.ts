import { DeviceArray } from '../autograd/array.ts';
import { compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { CollimateError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import type { FcResNet } from '../models/fc-resnet.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import type { Weights } from '../train/network.ts';
import { type HostState, TrainingState } from '../train/state.ts';
import { specsOf } from '../train/trainer.ts';
import { coupling, diagonalShare, leftRight, type Rows, rowSpace, shareInside } from './alignment.ts';
import { type JacobianTriples, ResidualJacobians } from './jacobians.ts';
import { lineMeasures, principal } from './line.ts';
import type { Analysis, Measures, SampleMeasures } from './results.ts';
import { isDead, summarize } from './summary.ts';
import { centreOf } from './vectors.ts';

/** The training examples at which Jacobians are taken. */
export interface AnalysisSamples {
  /** Normalized inputs [count, features]. */
  readonly inputs: Float32Array;
  readonly labels: readonly number[];
  /** Their positions in the training set. */
  readonly indices: readonly number[];
}

export type AnalysisOptions = Analysis['settings'];

/** All measures of one network at one moment but its accuracies, which need the whole data set. */
export type NetworkMeasures = Omit<Measures, 'trainAccuracy' | 'testAccuracy'>;

/** Columns of the sketch for so many singular values: twice as many, in the fours and eights that kernels like. */
const sketchFor = (spectrum: number, width: number) =>
  Math.min(Math.max(24, 8 * Math.ceil((2 * spectrum + 4) / 8)), width);

/**
 * Power iterations with which each singular value comes out to 1e-4·σ_1 with a margin where the spectrum is
 * at its flattest, before training. Fitted to simulations of W₂·diag(open)·W₁ in float64, for spectra of 6 to 30, widths
 * of 128 to 512, and half of the units open; at 128 up to 70% of them may be.
 */
const iterationsFor = (columns: number, width: number) =>
  Math.max(1, Math.ceil((1.6 * width) / columns - 1.2));

/** The settings of an analysis where the user leaves them open: K = C triples, spectra to 3C. */
export function analysisSettings(
  network: FcResNet,
  chosen: Partial<AnalysisOptions> & { seed: number },
): AnalysisOptions {
  const { width, classes } = network.options;
  const triples = Math.min(chosen.triples ?? classes, width);
  const spectrum = Math.min(chosen.spectrum ?? 3 * classes, width);
  if (triples < 1 || spectrum < triples) {
    throw new CollimateError(
      `${triples} triples and a spectrum of ${spectrum} singular values were asked for`,
      'Ask for one triple or more, and for a spectrum at least as long.',
    );
  }
  const sketchColumns = chosen.sketchColumns ?? sketchFor(spectrum, width);
  return {
    triples,
    spectrum,
    convention: chosen.convention ?? 'branch',
    sketchColumns,
    powerIterations: chosen.powerIterations ?? iterationsFor(sketchColumns, width),
    seed: chosen.seed,
  };
}

/** Measures RA1–RA4 (docs/results.md) of a network at the given samples. */
export async function measureNetwork(
  gpu: Gpu,
  network: FcResNet,
  state: HostState,
  samples: AnalysisSamples,
  options: AnalysisOptions,
): Promise<NetworkMeasures> {
  const { depth, width } = network.options;
  const count = samples.labels.length;
  const { paths, logits } = await representations(gpu, network, state, samples);

  const points = new Float32Array(depth * count * width);
  for (let i = 0; i < depth; i++)
    paths.forEach((path, n) => {
      points.set(path[i]!, (i * count + n) * width);
    });
  using jacobians = new ResidualJacobians(gpu, network, state, points, {
    columns: options.sketchColumns,
    triples: options.triples,
    powerIterations: options.powerIterations,
    convention: options.convention,
    seed: options.seed,
  });
  const triples = await jacobians.triples();
  const a = await jacobians.couplings(triples.u, triples.v, options.triples);

  const head = state.parameters.get('head.weight')!;
  const classifier = rowSpace(rowsOf(head, 0, network.options.classes, width));
  const common = commonTrajectories(paths, samples.labels);
  const perSample = paths.map((path, n): SampleMeasures => {
    const blocks = Array.from({ length: depth }, (_, i) =>
      blockMeasures(triples, i * count + n, options, network, classifier),
    );
    const k = options.triples;
    const share = (i: number, j: number) => Float64Array.from(a[i]![j]!.subarray(n * k * k, (n + 1) * k * k));
    const live = (i: number, j: number) => !blocks[i]!.dead && !blocks[j]!.dead;
    const grid = <T>(f: (i: number, j: number) => T) =>
      blocks.map((_, i) => blocks.map((_, j) => (live(i, j) ? f(i, j) : null)));
    return {
      index: samples.indices[n]!,
      label: samples.labels[n]!,
      predicted: logits[n]!.indexOf(Math.max(...logits[n]!)),
      ...lineMeasures(path),
      commonTrajectory: common[n]!,
      sigma: blocks.map((b) => b.sigma),
      frobenius2: blocks.map((b) => b.frobenius2),
      topEnergy: blocks.map((b) => b.topEnergy),
      numericalRank: blocks.map((b) => b.numericalRank),
      stableRank: blocks.map((b) => b.stableRank),
      leftRight: blocks.map((b) => b.leftRight),
      diagonalShare: grid((i, j) => diagonalShare(share(i, j), k)),
      coupling: grid((i, j) => coupling(share(i, j), Float64Array.from(blocks[i]!.sigma.slice(0, k)))),
      classifierShare: blocks.map((b) => b.classifierShare),
    };
  });
  return {
    step: state.step,
    samples: perSample,
    alignment: meanAlignment(a, perSample, options.triples),
    deadBlocks: Array.from({ length: depth }, (_, i) => i + 1).filter((i) =>
      perSample.some((s) => isDead(s.sigma[i - 1]![0]!)),
    ),
    summary: summarize(perSample),
  };
}

/** h_1 … h_{L+1} and logits of each sample, in inference mode. */
async function representations(
  gpu: Gpu,
  network: FcResNet,
  state: HostState,
  samples: AnalysisSamples,
): Promise<{ paths: Float64Array[][]; logits: number[][] }> {
  const count = samples.labels.length;
  using loaded = new TrainingState(gpu, network, { momentum: false });
  loaded.load({ ...state, momentum: new Map() });
  using inputs = DeviceArray.from(gpu, samples.inputs, [count, ...network.input]);
  const args = [loaded.weights, inputs];
  const program = await compile(
    gpu,
    (weights: Weights, x: Tensor) => {
      const { points, logits } = network.representations(weights, x, inferenceNorm);
      return [points[0]!, logits];
    },
    specsOf(args),
    { label: 'representations' },
  );
  using bound = program.bind(args);
  bound.submit();
  const values = await Promise.all(bound.outputs.map(async (a) => (await a.read()) as Float32Array));
  const logits = values.pop()!;
  const row = (x: Float32Array, n: number) =>
    x.subarray((n * x.length) / count, ((n + 1) * x.length) / count);
  return {
    paths: Array.from({ length: count }, (_, n) => values.map((h) => Float64Array.from(row(h, n)))),
    logits: Array.from({ length: count }, (_, n) => [...row(logits, n)]),
  };
}

const rowsOf = (x: Float32Array, start: number, count: number, width: number): Float64Array[] =>
  Array.from({ length: count }, (_, k) =>
    Float64Array.from(x.subarray(start + k * width, start + (k + 1) * width)),
  );

/** Measures of one block's Jacobian at one sample; `problem` counts blocks, then samples. */
function blockMeasures(
  triples: JacobianTriples,
  problem: number,
  options: AnalysisOptions,
  network: FcResNet,
  classifier: Rows,
) {
  const { width, classes } = network.options;
  const { triples: k, sketchColumns } = options;
  const all = [...triples.s.subarray(problem * sketchColumns, (problem + 1) * sketchColumns)];
  const sigma = all.slice(0, options.spectrum);
  const frobenius2 = triples.frobenius2[problem]!;
  const dead = isDead(sigma[0]!);
  const [u, v] = [triples.u, triples.v].map((x) => rowsOf(x, problem * k * width, k, width)) as [
    Float64Array[],
    Float64Array[],
  ];
  const top = all.slice(0, classes).reduce((s, x) => s + x * x, 0);
  return {
    dead,
    sigma: dead ? sigma.map(() => 0) : sigma,
    frobenius2,
    // Rounding may put the sum a hair above the whole.
    topEnergy: dead ? null : Math.min(top / frobenius2, 1),
    numericalRank: dead ? 0 : sigma.filter((s) => s >= 1e-2 * sigma[0]!).length,
    stableRank: dead ? null : frobenius2 / sigma[0]! ** 2,
    leftRight: leftRight(u, v).map((c) => (dead ? null : c)),
    classifierShare: dead ? null : shareInside(u, classifier),
  };
}

/** Each path on the two leading directions of the classes' mean h_{L+1}, about the mean of all. */
function commonTrajectories(
  paths: readonly Float64Array[][],
  labels: readonly number[],
): [number, number][][] {
  const last = paths.map((p) => p.at(-1)!);
  const means = [...new Set(labels)]
    .sort((a, b) => a - b)
    .map((c) => centreOf(last.filter((_, n) => labels[n] === c)));
  const base = means.length > 1 ? means : last;
  return paths.map((path) => principal(base, [...path, base.at(-1)!]).coordinates.slice(0, -1));
}

/** |A_ij| / σ_{i,1}, averaged over the samples at which neither block is dead. */
function meanAlignment(
  a: readonly Float32Array[][],
  samples: readonly SampleMeasures[],
  k: number,
): (number[][] | null)[][] {
  return a.map((row, i) =>
    row.map((values, j) => {
      const live = samples.flatMap((s, n) => (isDead(s.sigma[i]![0]!) || isDead(s.sigma[j]![0]!) ? [] : [n]));
      if (!live.length) return null;
      return Array.from({ length: k }, (_, p) =>
        Array.from({ length: k }, (_, q) => {
          const sum = live.reduce(
            (t, n) => t + Math.abs(values[(n * k + p) * k + q]!) / samples[n]!.sigma[i]![0]!,
            0,
          );
          return sum / live.length;
        }),
      );
    }),
  );
}
