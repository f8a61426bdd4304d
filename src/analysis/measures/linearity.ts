import * as v from 'valibot';
import { range } from '../../numbers.ts';
import { readPoints, rowsOf } from '../batch-reader.ts';
import { meanOf } from '../statistics.ts';
import { later, maybe, ofNetwork, type Values } from './field.ts';
import { type Images, type Scalar, type Series, SHARE } from './measure.ts';

/** Rows for each feature, and images, at least. */
const ROWS = 8;
const IMAGES = 100;

export const title = 'Linearity';
export const about = `How well a linear map makes h_{i+1} of h_i (Razzhigaev et al., *Your transformer is secretly linear*, ACL 2024, a
generalized Procrustes similarity): with X and Y the representations of many images in rows, centered and scaled to ‖X‖_F = ‖Y‖_F = 1,
1 − min_A ‖XA − Y‖_F². Y is h_{i+1}, or, without the residual, h_{i+1} − h_i, so that a block that changes little is not linear for
that. Rows are positions of the first training images, ${ROWS} to ${2 * ROWS} times as many as features where there are
enough: even of noise, an eighth is explained then.`;

const perBlock = (formula: string) =>
  later(ofNetwork(formula, v.array(maybe), (list, { depth }) => list.length === depth));
export const whole = {
  linearity: perBlock('of h_i and h_{i+1}, for each block; `null` where h_{i+1} does not vary'),
  linearityOfStep: perBlock('of h_i and h_{i+1} − h_i'),
};
type Measures = Values<typeof whole>;

export async function overImages({ gpu, network, weights, train }: Images): Promise<Measures> {
  const sides = network.stages.map(rowsOf);
  const asked = sides.map(({ features, positions }) => Math.ceil((ROWS * features) / positions));
  const count = Math.min(train.labels.size, Math.max(IMAGES, ...asked));
  const points = await readPoints(gpu, network, weights, train, count, (s) => {
    const { features, positions } = sides[s]!;
    return Math.max(1, Math.floor((count * positions) / (ROWS * features)));
  });
  const found = points.flatMap((path, s) => linearities(path, sides[s]!.features));
  return { linearity: found.map(([whole]) => whole), linearityOfStep: found.map(([, step]) => step) };
}

/** Below this share, what varies is float32's rounding: of the energy of all, and along a direction of that along the first. */
const ROUNDING = 1e-14;
const NOTHING = 1e-12;

/** Of rows of features before each block and after the last: of each block, with and without the residual. */
export function linearities(
  path: readonly Float32Array[],
  features: number,
): readonly (readonly [number | null, number | null])[] {
  const energy = (products: Float64Array) =>
    range(features).reduce((sum, i) => sum + products[i * features + i]!, 0);
  const own = path.map((x) => covariance(x, x, features));
  return path.slice(1).map((y, i) => {
    const across = covariance(path[i]!, y, features);
    const [before, after] = [energy(own[i]!), energy(own[i + 1]!)];
    const step = before + after - 2 * energy(across);
    const rest = unexplained(own[i]!, across, features, after);
    return [after > 0 ? 1 - rest / after : null, step > ROUNDING * after ? 1 - rest / step : null];
  });
}

/** XᵀY of centered rows, in float64; zeros, of which there are many, cost nothing, and neither does the lower half of XᵀX. */
function covariance(x: Float32Array, y: Float32Array, features: number): Float64Array {
  const result = new Float64Array(features ** 2);
  const [sumX, sumY] = [new Float64Array(features), new Float64Array(features)];
  const widened = new Float64Array(features);
  for (let row = 0; row < x.length; row += features) {
    widened.set(y.subarray(row, row + features));
    for (let i = 0; i < features; i++) {
      const value = x[row + i]!;
      sumX[i]! += value;
      sumY[i]! += widened[i]!;
      if (value === 0) continue;
      const start = i * features;
      for (let j = x === y ? i : 0; j < features; j++) result[start + j]! += value * widened[j]!;
    }
  }
  if (x === y)
    for (let i = 0; i < features; i++)
      for (let j = 0; j < i; j++) result[i * features + j] = result[j * features + i]!;
  const rows = x.length / features;
  return result.map((sum, k) => sum - (sumX[Math.floor(k / features)]! * sumY[k % features]!) / rows);
}

/** min_A ‖XA − Y‖², from XᵀX and XᵀY and ‖Y‖²: Cholesky's elimination, greatest pivots first, as far as there is anything. */
function unexplained(own: Float64Array, across: Float64Array, d: number, energy: number): number {
  const [a, b] = [own.slice(), across.slice()];
  const open = new Set(range(d));
  const largest = range(d).reduce((most, i) => Math.max(most, a[i * d + i]!), 0);
  let rest = energy;
  for (;;) {
    const p = [...open].reduce(
      (best, i) => (a[i * d + i]! > a[best * d + best]! ? i : best),
      [...open][0] ?? 0,
    );
    const pivot = a[p * d + p]!;
    if (!open.delete(p) || !(pivot > NOTHING * largest)) return Math.max(0, rest);
    for (let j = 0; j < d; j++) rest -= b[p * d + j]! ** 2 / pivot;
    for (const i of open) {
      const factor = a[i * d + p]! / pivot;
      for (let j = 0; j < d; j++) {
        a[i * d + j]! -= factor * a[p * d + j]!;
        b[i * d + j]! -= factor * b[p * d + j]!;
      }
    }
  }
}

export const series = {
  linearity: { label: 'linearity', from: (m) => m.linearity?.map((mean) => ({ mean })) },
  linearityOfStep: {
    label: 'linearity without the residual',
    from: (m) => m.linearityOfStep?.map((mean) => ({ mean })),
  },
} satisfies Record<string, Series<Measures>>;

export const scalars = {
  linearity: {
    label: 'linearity',
    what: 'linearity of h_i and h_{i+1}, mean over blocks',
    domain: SHARE,
    from: (m) => meanOf(m.linearity ?? []),
  },
  linearityOfStep: {
    label: 'linearity without residual',
    what: 'linearity of h_i and h_{i+1} − h_i, mean over blocks',
    domain: SHARE,
    from: (m) => meanOf(m.linearityOfStep ?? []),
  },
} satisfies Record<string, Scalar<Measures>>;
