/** Residual Jacobians as matrices, and the measures of SCIENCE.md from them, in float64. */
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import {
  branchLayers,
  carried,
  type Inference,
  infer,
  inferenceNorm,
  layerName,
  type Shape,
  scaleOf,
  type Tensors,
} from './network.ts';

export type Convention = 'branch' | 'post-activation';

/** J of block `i` at sample `n`: product of layers and diag(1[input > 0]), gated by σ′ by convention. */
export function jacobian(
  shape: Shape,
  tensors: Tensors,
  { inner, sum }: Inference,
  i: number,
  n: number,
  convention: Convention,
): Matrix {
  const { width, activation } = shape;
  const open = (x: Float64Array) => Array.from({ length: width }, (_, d) => (x[n * width + d]! > 0 ? 1 : 0));
  let j = Matrix.eye(width).mul(scaleOf(shape, tensors, i));
  let relus = 0;
  for (const layer of branchLayers(shape)) {
    const name = layerName(shape, i, layer);
    if (layer === 'relu') j = Matrix.diag(open(inner[i]![relus++]!)).mmul(j);
    else if (layer.startsWith('bn')) j = Matrix.diag([...inferenceNorm(tensors, name).a]).mmul(j);
    else if (layer.startsWith('linear')) {
      j = Matrix.from1DArray(width, width, [...tensors.get(`${name}.weight`)!]).mmul(j);
    }
  }
  const gated = convention === 'post-activation' && activation === 'relu';
  return gated ? Matrix.diag(open(sum[i]!)).mmul(j) : j;
}

/** Measures of one sample, under the names that the analysis gives them. */
export interface ReferenceMeasures {
  line: number;
  straightness: number;
  lineShape: number;
  stepNorms: number[];
  stepCv: number;
  stepCosine: number;
  growthCv: number;
  /** All singular values of each block. */
  sigma: number[][];
  frobenius2: number[];
  topEnergy: (number | null)[];
  stableRank: (number | null)[];
  leftRight: (number | null)[][];
  diagonalShare: (number | null)[][];
  coupling: (number | null)[][];
  couplingAbsolute: (number | null)[][];
  classifierShare: (number | null)[];
  /** Within which the number of common directions lies, however rounding decides at its threshold. */
  alignedDimension: { minimum: number; maximum: number } | null;
}

/** Measures of a sample's whole path through the network. */
export interface PathMeasures {
  branchRatio: number[];
  pathShares: number[] | null;
}

/** All measures at each sample of `x`, with the leading `k` triples of `spectrum` known ones. */
export function measure(
  shape: Shape,
  tensors: Tensors,
  x: Float64Array,
  k: number,
  spectrum: number,
  convention: Convention,
  margin?: number,
): (ReferenceMeasures & PathMeasures)[] {
  const { depth, width, inputs, classes } = shape;
  const inference = infer(shape, tensors, x);
  const head = new SingularValueDecomposition(
    Matrix.from1DArray(classes, width, [...tensors.get('head.weight')!]).transpose(),
  );
  const rowSpace = head.leftSingularVectors.subMatrix(0, width - 1, 0, head.rank - 1);

  return Array.from({ length: x.length / inputs }, (_, n) => {
    const path = inference.h.map((h) => [...h.subarray(n * width, (n + 1) * width)]);
    const jacobians = Array.from({ length: depth }, (_, i) =>
      jacobian(shape, tensors, inference, i, n, convention),
    );
    const sums = inference.sum.map((s) => [...s.subarray(n * width, (n + 1) * width)]);
    const weight = Matrix.from1DArray(classes, width, [...tensors.get('head.weight')!]);
    const branches = Array.from({ length: depth }, (_, i) =>
      jacobian(shape, tensors, inference, i, n, 'branch'),
    );
    const gates = sums.map((s) => s.map((v) => (shape.activation === 'relu' && !(v > 0) ? 0 : 1)));
    return {
      ...measuresOf(path, jacobians, rowSpace, classes, k, spectrum, margin),
      branchRatio: sums.map((s, i) => {
        const past = [...carried(shape, Float64Array.from(path[i]!), Float64Array.from(path[0]!))];
        const branch = shape.skip ? s.map((v, d) => v - past[d]!) : s;
        return Math.sqrt(sumOfSquares(branch) / sumOfSquares(path[i]!));
      }),
      pathShares:
        shape.skip && shape.shortcut !== 'input'
          ? pathShares(path[0]!, branches, gates, weight, shape.skipScale)
          : null,
    };
  });
}

/**
 * The share of the output that paths of each length carry, path by path: each set of blocks is one, which
 * goes through its Jacobians and around the others. `gates` are σ′ behind each block.
 */
export function pathShares(
  first: number[],
  jacobians: Matrix[],
  gates: number[][],
  weight: Matrix,
  skipScale = 1,
): number[] {
  const depth = jacobians.length;
  const sums = Array.from({ length: depth + 1 }, () => Matrix.zeros(first.length, 1));
  for (let set = 0; set < 2 ** depth; set++) {
    let x = Matrix.columnVector(first);
    let through = 0;
    for (let i = 0; i < depth; i++) {
      if ((set >> i) & 1) {
        x = jacobians[i]!.mmul(x);
        through++;
      } else x = Matrix.mul(x, skipScale);
      x = Matrix.columnVector(gates[i]!.map((gate, d) => gate * x.get(d, 0)));
    }
    sums[through]!.add(x);
  }
  const norms = sums.map((x) => Math.sqrt(sumOfSquares(weight.mmul(x).to1DArray())));
  const total = norms.reduce((a, b) => a + b, 0);
  return norms.map((x) => x / total);
}

/** Directions of block j's numerical range in block i's, over i ≠ j; rounding moves shares by `margin`. */
function alignedDimension(
  blocks: ({ s: number[]; all: Matrix } | undefined)[],
  spectrum: number,
  margin: number,
): ReferenceMeasures['alignedDimension'] {
  const ranks = blocks.map((b) => b?.s.slice(0, spectrum).filter((x) => x >= 1e-2 * b.s[0]!).length ?? 0);
  const width = blocks.find((b) => b)?.all.rows ?? 0;
  const [low, high]: [number[], number[]] = [[], []];
  blocks.forEach((bi, i) => {
    blocks.forEach((bj, j) => {
      if (i === j || !bi || !bj || ranks[i] === width) return;
      const own = bi.all.subMatrix(0, width - 1, 0, ranks[i]! - 1).transpose();
      const inside = Array.from({ length: ranks[j]! }, (_, k) =>
        sumOfSquares(own.mmul(Matrix.columnVector(bj.all.getColumn(k))).to1DArray()),
      );
      const halfway = (ranks[i]! / width + 1) / 2;
      low.push(inside.filter((x) => x > halfway + margin).length);
      high.push(inside.filter((x) => x > halfway - margin).length);
    });
  });
  return low.length ? { minimum: average(low), maximum: average(high) } : null;
}

/**
 * Measures of one sample from its points h_1 … h_{L+1}, the Jacobians between them, and an orthonormal basis
 * of the classifier's row space in h-space, as columns.
 */
export function measuresOf(
  path: number[][],
  jacobians: Matrix[],
  rowSpace: Matrix | null,
  classes: number,
  k: number,
  spectrum: number,
  margin = 5e-3,
): ReferenceMeasures {
  const width = path[0]!.length;
  const blocks = jacobians.map((j) => {
    const frobenius2 = j.to1DArray().reduce((s, v) => s + v * v, 0);
    if (frobenius2 === 0) return undefined;
    const svd = new SingularValueDecomposition(j);
    return {
      frobenius2,
      s: svd.diagonal,
      all: svd.leftSingularVectors,
      u: svd.leftSingularVectors.subMatrix(0, width - 1, 0, k - 1),
      v: svd.rightSingularVectors.subMatrix(0, width - 1, 0, k - 1),
    };
  });
  const each = <T>(f: (b: NonNullable<(typeof blocks)[number]>) => T) => blocks.map((b) => (b ? f(b) : null));
  /** f of A_ij = U_jᵀ J_i V_j and of the singular values of J_i. */
  const pairs = (f: (a: Matrix, s: number[]) => number) =>
    blocks.map((bi, i) =>
      blocks.map((bj) => {
        if (!bi || !bj) return null;
        return f(bj.u.transpose().mmul(jacobians[i]!).mmul(bj.v), bi.s.slice(0, k));
      }),
    );
  return {
    ...pathMeasures(path),
    sigma: blocks.map((b) => b?.s ?? new Array<number>(width).fill(0)),
    frobenius2: blocks.map((b) => b?.frobenius2 ?? 0),
    topEnergy: each(({ s, frobenius2 }) => sumOfSquares(s.slice(0, classes)) / frobenius2),
    stableRank: each(({ s, frobenius2 }) => frobenius2 / s[0]! ** 2),
    leftRight: blocks.map((b) =>
      Array.from({ length: k }, (_, c) => (b ? dot(b.u.getColumn(c), b.v.getColumn(c)) : null)),
    ),
    diagonalShare: pairs((a) => sumOfSquares(a.diagonal()) / sumOfSquares(a.to1DArray())),
    coupling: pairs((a, s) => {
      const rest = Matrix.sub(a, Matrix.diag(s));
      return Math.sqrt(sumOfSquares(rest.to1DArray()) / sumOfSquares(s));
    }),
    couplingAbsolute: pairs((a, s) => {
      const rest = Matrix.sub(Matrix.abs(a), Matrix.diag(s));
      return Math.sqrt(sumOfSquares(rest.to1DArray()) / sumOfSquares(s));
    }),
    classifierShare: each(({ u }) => rowSpace && sumOfSquares(rowSpace.transpose().mmul(u).to1DArray()) / k),
    alignedDimension: alignedDimension(blocks, spectrum, margin),
  };
}

const dot = (a: number[], b: number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const sumOfSquares = (a: number[]): number => dot(a, a);
const average = (a: number[]): number => a.reduce((s, v) => s + v, 0) / a.length;

/** RA1 of the points h_1 … h_{L+1}. */
function pathMeasures(path: number[][]) {
  const minus = (a: number[], b: number[]) => a.map((v, d) => v - b[d]!);
  const center = path[0]!.map((_, d) => average(path.map((p) => p[d]!)));
  const variances = new SingularValueDecomposition(new Matrix(path.map((p) => minus(p, center))), {
    autoTranspose: true,
  }).diagonal.map((s) => s * s);
  const steps = path.slice(1).map((p, i) => minus(p, path[i]!));
  const stepNorms = steps.map((s) => Math.sqrt(sumOfSquares(s)));
  // A step of length zero has no direction.
  const units = steps.map((s, i) => (stepNorms[i]! > 0 ? s.map((v) => v / stepNorms[i]!) : null));
  const moving = units.filter((u) => u !== null);
  const reach = center.map((_, d) => moving.reduce((s, u) => s + u[d]!, 0));
  const mean = average(stepNorms);
  const logs = path.map((p) => Math.log(sumOfSquares(p)) / 2);
  const growth = logs.slice(1).map((log, i) => log - logs[i]!);
  return {
    line: variances[0]! / variances.reduce((a, b) => a + b, 0),
    straightness:
      Math.sqrt(sumOfSquares(minus(path.at(-1)!, path[0]!))) / stepNorms.reduce((a, b) => a + b, 0),
    lineShape: moving.length / Math.sqrt(sumOfSquares(reach)),
    stepNorms,
    stepCv: Math.sqrt(average(stepNorms.map((s) => (s - mean) ** 2))) / mean,
    growthCv: Math.sqrt(average(growth.map((g) => g ** 2)) / average(growth) ** 2 - 1),
    stepCosine: average(units.slice(1).flatMap((u, i) => (u && units[i] ? [dot(u, units[i])] : []))),
  };
}

/** RA4: a, b of the least-squares line 1/σ = (i + b)/a from the third block on, by its normal equations. */
export function fitInverse(sigma1: readonly number[]): { a: number; b: number } {
  const points = sigma1.slice(2).map((s, n) => [n + 3, 1 / s] as const);
  const sum = (f: (i: number, y: number) => number) => points.reduce((t, [i, y]) => t + f(i, y), 0);
  const [n, si, sii, sy, siy] = [
    points.length,
    sum((i) => i),
    sum((i) => i * i),
    sum((_, y) => y),
    sum((i, y) => i * y),
  ];
  const determinant = n * sii - si * si;
  const slope = (n * siy - si * sy) / determinant;
  const intercept = (sii * sy - si * siy) / determinant;
  return { a: 1 / slope, b: intercept / slope };
}
