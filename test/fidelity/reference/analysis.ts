/**
 * All that `analysis.json` holds of a fully connected network, from its weights, in float64 and plain loops:
 * written from docs/measures.md, sharing nothing with `src` but the names of measures.
 */
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { collapseOf } from './collapse.ts';
import { compressionOf } from './compression.ts';
import { fitInverse, jacobian, measure } from './measures.ts';
import { accuracyOf, infer, logitsOf, type Shape, type Tensors } from './network.ts';

export interface Images {
  /** Normalized, [count, inputs]. */
  readonly x: Float64Array;
  readonly labels: readonly number[];
}

export interface Inputs {
  readonly shape: Shape;
  readonly tensors: Tensors;
  readonly step: number;
  readonly train: Images;
  readonly test: Images;
  /** Positions of the analysed images in the training set. */
  readonly samples: readonly number[];
  /** And of those at which replaced blocks are linearized. */
  readonly linearized: number[];
  readonly triples: number;
  readonly spectrum: number;
}

type Maybe = number | null;

/** Of shares of vectors inside spaces, by float32. */
const ROUNDING = 2e-5;

export const average = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** Mean, population standard deviation and extremes of the defined values. */
export function spreadOf(values: readonly Maybe[]) {
  const known = values.filter((v) => v !== null);
  if (known.length === 0) return { mean: null, std: null, min: null, max: null };
  const mean = average(known);
  const sorted = [...known].sort((a, b) => a - b);
  const std = Math.sqrt(average(known.map((v) => (v - mean) * (v - mean))));
  return { mean, std, min: sorted[0]!, max: sorted.at(-1)! };
}

const rows = (x: Float64Array, width: number) =>
  Array.from({ length: x.length / width }, (_, n) => [...x.subarray(n * width, (n + 1) * width)]);
const largest = (row: readonly number[]) => row.findIndex((v) => row.every((w) => w <= v));

/** Coordinates on the first two principal directions of `through`, its last point on positive sides. */
function onPrincipalPlane(through: readonly number[][], points: readonly number[][]): [number, number][] {
  const centre = through[0]!.map((_, d) => average(through.map((p) => p[d]!)));
  const minus = (p: readonly number[]) => p.map((v, d) => v - centre[d]!);
  const svd = new SingularValueDecomposition(new Matrix(through.map(minus)), { autoTranspose: true });
  const along = (p: readonly number[], k: number) => {
    const direction = svd.rightSingularVectors.getColumn(k);
    const dot = (q: readonly number[]) => minus(q).reduce((s, v, d) => s + v * direction[d]!, 0);
    return dot(through.at(-1)!) < 0 ? -dot(p) : dot(p);
  };
  return points.map((p) => [along(p, 0), along(p, 1)]);
}

/** |U_jᵀ J_i V_j| / σ_{i,1} of the leading triples, averaged over samples where both blocks are alive. */
function alignmentGrid({ shape, tensors, triples }: Inputs, x: Float64Array): (number[][] | null)[][] {
  const { depth, width, inputs } = shape;
  const inference = infer(shape, tensors, x);
  const perSample = Array.from({ length: x.length / inputs }, (_, n) =>
    Array.from({ length: depth }, (_, i) => {
      const j = jacobian(shape, tensors, inference, i, n, 'branch');
      if (j.norm() === 0) return null;
      const svd = new SingularValueDecomposition(j);
      const leading = (m: Matrix) => m.subMatrix(0, width - 1, 0, triples - 1);
      const [u, v] = [leading(svd.leftSingularVectors), leading(svd.rightSingularVectors)];
      return { j, u, v, sigma1: svd.diagonal[0]! };
    }),
  );
  return Array.from({ length: depth }, (_, i) =>
    Array.from({ length: depth }, (_, j) => {
      const grids = perSample.flatMap((blocks) => {
        const [own, basis] = [blocks[i], blocks[j]];
        return own && basis ? [basis.u.transpose().mmul(own.j).mmul(basis.v).abs().div(own.sigma1)] : [];
      });
      if (grids.length === 0) return null;
      return Array.from({ length: triples }, (_, k) =>
        Array.from({ length: triples }, (_, l) => average(grids.map((a) => a.get(k, l)))),
      );
    }),
  );
}

/** Measures of one network at one step; `brief` omits those that pass over the test images per block. */
export function measuresOf(given: Inputs, { brief }: { brief: boolean }) {
  const { shape, tensors, train, test, triples, spectrum } = given;
  const { inputs, width, depth, classes } = shape;
  const x = Float64Array.from(
    given.samples.flatMap((n) => [...train.x.subarray(n * inputs, (n + 1) * inputs)]),
  );
  const labels = given.samples.map((n) => train.labels[n]!);
  const inference = infer(shape, tensors, x);
  const paths = labels.map((_, n) => inference.h.map((h) => [...h.subarray(n * width, (n + 1) * width)]));
  const ends = paths.map((path) => path.at(-1)!);
  const classMeans = [...new Set(labels)]
    .sort((a, b) => a - b)
    .map((c) => {
      const own = ends.filter((_, n) => labels[n] === c);
      return own[0]!.map((_, d) => average(own.map((p) => p[d]!)));
    });

  const samples = measure(shape, tensors, x, triples, spectrum, 'branch', ROUNDING).map((measured, n) => {
    const { line, straightness, lineShape, stepCv, stepCosine, growthCv } = measured;
    const path = { line, straightness, lineShape, stepCv, stepCosine, growthCv };
    const { minimum, maximum } = measured.alignedDimension ?? { minimum: null, maximum: null };
    if (minimum !== maximum) throw new Error('rounding decides on the aligned dimension: take other weights');
    return {
      ...measured,
      ...{ index: given.samples[n]!, label: labels[n]!, alignedDimension: minimum },
      predicted: largest(rows(inference.logits, classes)[n]!),
      perStage: [path],
      trajectory: onPrincipalPlane(paths[n]!, paths[n]!),
      commonTrajectory: onPrincipalPlane(classMeans, paths[n]!),
      sigma: measured.sigma.map((s) => s.slice(0, spectrum)),
      // In float64 triples are right.
      residual: measured.sigma.map((s) => s.slice(0, spectrum).map((): Maybe => (s[0] === 0 ? null : 0))),
      gap: measured.sigma.map((s) => gapsOf(s).slice(0, triples)),
      blockInfluence: paths[n]!.slice(1).map((h, i) => 1 - cosine(h, paths[n]![i]!)),
      effectiveRank: measured.sigma.map((s) => (s[0] === 0 ? null : effectiveRank(s.slice(0, spectrum)))),
      diagonalShareError: measured.diagonalShare.map((row) => row.map((share): Maybe => share && 0)),
      numericalRank: measured.sigma.map(
        (s) => s.slice(0, spectrum).filter((v) => v > 0 && v >= s[0]! / 100).length,
      ),
    };
  });
  type Sample = (typeof samples)[number];
  const over = (of: (s: Sample) => Maybe) => spreadOf(samples.map(of));
  const perBlock = (of: (s: Sample, i: number) => Maybe) =>
    Array.from({ length: depth }, (_, i) => over((s) => of(s, i)));
  /** Over i ≠ j within each sample, then over samples. */
  const pairs = (of: (s: Sample) => Maybe[][]) =>
    over((s) => spreadOf(of(s).flatMap((row, i) => row.filter((_, j) => j !== i))).mean);
  const paired = {
    diagonalShare: pairs((s) => s.diagonalShare),
    ...{ coupling: pairs((s) => s.coupling), couplingAbsolute: pairs((s) => s.couplingAbsolute) },
  };
  const straight = {
    line: over((s) => s.line),
    straightness: over((s) => s.straightness),
    lineShape: over((s) => s.lineShape),
    stepCv: over((s) => s.stepCv),
    stepCosine: over((s) => s.stepCosine),
    growthCv: over((s) => s.growthCv),
  };
  const sigma1 = perBlock((s, i) => s.sigma[i]![0]!);
  const lengths = Array.from({ length: depth + 1 }, (_, length) =>
    over((s) => s.pathShares?.[length] ?? null),
  );

  const all = infer(shape, tensors, train.x);
  const predicted = rows(all.logits, classes).map(largest);
  const head = rows(tensors.get('head.weight')!, width);
  const features = rows(all.h.at(-1)!, width);
  const accuracyAt = (h: Float64Array) => {
    const classed = rows(logitsOf(shape, tensors, h), classes).map(largest);
    return average(classed.map((c, n) => Number(c === train.labels[n])));
  };
  const linearity = (residual: boolean) =>
    all.h.slice(1).map((after, i) => {
      const before = all.h[i]!;
      return linearityOf(
        rows(before, width),
        rows(residual ? after : after.map((v, k) => v - before[k]!), width),
      );
    });
  const accuracy = (without?: number) => accuracyOf(shape, tensors, test.x, test.labels, without);
  return {
    step: given.step,
    testAccuracy: accuracy(),
    trainAccuracy: average(predicted.map((c, n) => Number(c === train.labels[n]))),
    samples,
    alignment: alignmentGrid(given, x),
    frobenius: [{ method: 'exact', relativeError: 0 }],
    deadBlocks: sigma1.flatMap(({ min }, i) => (min === 0 ? [i + 1] : [])),
    summary: {
      ...straight,
      ...paired,
      perStage: [{ ...straight, ...paired, inverseDepthFit: inverseFit(sigma1.map(({ mean }) => mean!)) }],
      leftRight: perBlock((s, i) => spreadOf(s.leftRight[i]!.slice(0, 3)).mean),
      residual: perBlock((s, i) => spreadOf(s.residual[i]!).max),
      gap: perBlock((s, i) => spreadOf(s.gap[i]!).min),
      leftRightError: perBlock((s, i) => s.leftRight[i]![0]! && 0),
      diagonalShareError: pairs((s) => s.diagonalShareError),
      classifierShare: perBlock((s, i) => s.classifierShare[i]!),
      alignedDimension: over((s) => s.alignedDimension),
      topEnergy: perBlock((s, i) => s.topEnergy[i]!),
      numericalRank: perBlock((s, i) => s.numericalRank[i]!),
      stableRank: perBlock((s, i) => s.stableRank[i]!),
      effectiveRank: perBlock((s, i) => s.effectiveRank[i]!),
      sigma1,
      branchRatio: perBlock((s, i) => s.branchRatio[i]!),
      blockInfluence: perBlock((s, i) => s.blockInfluence[i]!),
      pathShares: shape.skip ? lengths : null,
    },
    collapse: { examples: train.labels.length, ...collapseOf(features, train.labels, predicted, head) },
    linearity: linearity(true),
    linearityOfStep: linearity(false),
    earlyAccuracy: all.h.map(accuracyAt),
    compression: brief ? null : compressionOf({ shape, tensors }, { train, test, at: given.linearized }),
    blockLoss:
      brief || !shape.skip ? null : Array.from({ length: depth }, (_, i) => accuracy() - accuracy(i)),
    blockLossExamples: brief || !shape.skip ? null : test.labels.length,
  };
}

export type ReferenceAnalysis = ReturnType<typeof measuresOf>;

const cosine = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, d) => sum + v * b[d]!, 0) / (Math.hypot(...a) * Math.hypot(...b));

/** 1 − min_A ‖XA − Y‖² of centered X and Y of norm 1: the share of Y in the span of X's columns. */
function linearityOf(x: readonly number[][], y: readonly number[][]): Maybe {
  const [a, b] = [x, y].map((m) => new Matrix(m.map((row) => [...row])).center('column'));
  const whole = b!.norm() ** 2;
  if (whole === 0) return null;
  const svd = new SingularValueDecomposition(a!, { autoTranspose: true });
  const rank = svd.diagonal.filter((s) => s > 1e-6 * svd.diagonal[0]!).length;
  const basis = svd.leftSingularVectors.subMatrix(0, x.length - 1, 0, rank - 1);
  return basis.transpose().mmul(b!).norm() ** 2 / whole;
}

/** 2 to the entropy, in bits, of the shares of the squares. */
function effectiveRank(sigma: readonly number[]): number {
  const squares = sigma.map((s) => s ** 2);
  const shares = squares.map((x) => x / (average(squares) * sigma.length));
  return 2 ** -shares.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 0);
}

/** How far each value is from the nearest other one, over the first. */
const gapsOf = (sigma: readonly number[]): Maybe[] =>
  sigma.map((s, k) =>
    sigma[0] === 0
      ? null
      : Math.min(...sigma.filter((_, l) => l !== k).map((other) => Math.abs(other - s))) / sigma[0]!,
  );

/** 1/σ over i as a line, from the third block on; null with fewer than three blocks or a dead one. */
function inverseFit(sigma1: readonly number[]): { a: number; b: number; r2: number } | null {
  const fitted = sigma1.slice(2);
  if (fitted.length < 3 || fitted.includes(0)) return null;
  const { a, b } = fitInverse(sigma1);
  const y = fitted.map((s) => 1 / s);
  const rest = y.reduce((sum, v, n) => sum + (v - (n + 3 + b) / a) ** 2, 0);
  return { a, b, r2: 1 - rest / y.reduce((sum, v) => sum + (v - average(y)) ** 2, 0) };
}
