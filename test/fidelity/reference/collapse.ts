/**
 * Neural collapse as Papyan, Han & Donoho (PNAS 2020) define it, from whole covariance matrices in float64
 * and plain loops. Classes count alike, however many examples each has.
 */
import { Matrix, SingularValueDecomposition } from 'ml-matrix';

export function collapseOf(
  features: readonly number[][],
  labels: readonly number[],
  predicted: readonly number[],
  weights: readonly number[][],
) {
  const classes = [...new Set(labels)].sort((a, b) => a - b);
  const dim = features[0]!.length;
  const average = (rows: readonly number[][]) => {
    const sum = new Array<number>(dim).fill(0);
    for (const row of rows) for (let d = 0; d < dim; d++) sum[d]! += row[d]! / rows.length;
    return sum;
  };
  const minus = (a: readonly number[], b: readonly number[]) => a.map((x, d) => x - b[d]!);
  const length = (a: readonly number[]) => Math.hypot(...a);
  const means = classes.map((c) => average(features.filter((_, n) => labels[n] === c)));
  const centre = average(means);
  const centred = means.map((m) => minus(m, centre));

  const within = Matrix.zeros(dim, dim);
  const between = Matrix.zeros(dim, dim);
  const addOuter = (into: Matrix, x: readonly number[], share: number) => {
    for (let a = 0; a < dim; a++)
      for (let b = 0; b < dim; b++) into.set(a, b, into.get(a, b) + share * x[a]! * x[b]!);
  };
  classes.forEach((c, k) => {
    addOuter(between, centred[k]!, 1 / classes.length);
    const own = features.filter((_, n) => labels[n] === c);
    for (const x of own) addOuter(within, minus(x, means[k]!), 1 / classes.length / own.length);
  });
  // Float32's rounding of the features leaves no more than this in a direction that has nothing.
  const svd = new SingularValueDecomposition(between);
  const inverse = Matrix.zeros(dim, dim);
  svd.diagonal.forEach((s, k) => {
    if (s <= 1e-12 * svd.diagonal[0]!) return;
    const [u, v] = [svd.leftSingularVectors.getColumn(k), svd.rightSingularVectors.getColumn(k)];
    for (let a = 0; a < dim; a++)
      for (let b = 0; b < dim; b++) inverse.set(a, b, inverse.get(a, b) + (v[a]! * u[b]!) / s);
  });

  const spread = (rows: readonly number[][]) => {
    const norms = rows.map(length);
    const mean = norms.reduce((s, x) => s + x, 0) / norms.length;
    return Math.sqrt(norms.reduce((s, x) => s + (x - mean) ** 2, 0) / norms.length) / mean;
  };
  const angles = (rows: readonly number[][]) => {
    const off: number[] = [];
    for (const [a, x] of rows.entries())
      for (const y of rows.slice(a + 1)) {
        const cosine = x.reduce((s, v, d) => s + v * y[d]!, 0) / (length(x) * length(y));
        off.push(Math.abs(cosine + 1 / (rows.length - 1)));
      }
    return off.reduce((s, x) => s + x, 0) / off.length;
  };
  const rows = classes.map((c) => weights[c]!);
  const unit = (m: readonly number[][]) => {
    const size = length(m.flat());
    return m.flat().map((x) => x / size);
  };
  const nearest = (x: readonly number[]) => {
    const distances = means.map((m) => length(minus(x, m)));
    return classes[distances.indexOf(Math.min(...distances))];
  };
  return {
    nc1: within.mmul(inverse).trace() / classes.length,
    nc2Norms: spread(centred),
    nc2Angles: angles(centred),
    nc3: length(minus(unit(rows), unit(centred))),
    nc4: features.filter((x, n) => nearest(x) !== predicted[n]).length / features.length,
    weightNorms: spread(rows),
    weightAngles: angles(rows),
  };
}
