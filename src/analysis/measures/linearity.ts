import * as v from 'valibot';
import { DeviceArray } from '../../autograd/array.ts';
import { matmul, square, sub, sum } from '../../autograd/functions.ts';
import type { Tensor } from '../../autograd/tensor.ts';
import type { Gpu } from '../../gpu/device.ts';
import { range } from '../../lists.ts';
import { bound, floats } from '../../train/bound.ts';
import { readPoints, rowsOf } from '../batch-reader.ts';
import { batchBytes } from '../batches.ts';
import { meanOf } from '../statistics.ts';
import { maybe, ofNetwork, type Values } from './field.ts';
import { type Images, type Scalar, type Series, SHARE } from './measure.ts';

/** Minimum rows per feature. */
const ROWS = 8;
/** With no more rows than this per varying feature, a map fits anything. */
const LEAST = 2;
const IMAGES = 100;

export const title = 'Linearity';
export const about = `How well a linear map makes h_{i+1} of h_i (Razzhigaev et al., *Your transformer is secretly linear*, ACL 2024, a
generalized Procrustes similarity): with X and Y the representations of many images in rows, centered and scaled to ‖X‖_F = ‖Y‖_F = 1,
1 − min_A ‖XA − Y‖_F². Y is h_{i+1}, what block i puts out, or, without the residual, h_{i+1} − h_i, so that a block that changes little is not linear for
that. Rows are positions of the first training images, ${ROWS} to ${2 * ROWS} times as many as features where there are
enough: even of noise, an eighth is explained then.`;

const perBlock = (formula: string) =>
  ofNetwork(formula, v.array(maybe), (list, { depth }) => list.length === depth);
export const whole = {
  linearity: perBlock(
    'of h_i and h_{i+1}, for each block; `null` where h_{i+1} does not vary, or rows are not twice as many as the features that vary, so that a map fits noise',
  ),
  linearityOfStep: perBlock('of h_i and h_{i+1} − h_i, likewise'),
};
type Measures = Values<typeof whole>;

export async function overImages({ gpu, network, weights, train }: Images): Promise<Measures> {
  const sides = network.stages.map(rowsOf);
  const asked = sides.map(({ features, positions }) => Math.ceil((ROWS * features) / positions));
  const count = Math.min(train.labels.size, Math.max(IMAGES, ...asked));
  const points = await readPoints(gpu, network, weights, train, count, (s) => strideOf(sides[s]!, count));
  const found: Awaited<ReturnType<typeof linearities>> = [];
  for (const [s, behind] of network.behind(points).entries())
    found.push(...(await linearities(gpu, points[s]!.slice(0, -1), behind, sides[s]!.features)));
  return { linearity: found.map(([whole]) => whole), linearityOfStep: found.map(([, step]) => step) };
}

/** Which rows of `count` images are taken: each of the stride, and so all positions alike. */
export function strideOf({ features, positions }: ReturnType<typeof rowsOf>, count: number): number {
  let stride = Math.max(1, Math.floor((count * positions) / (ROWS * features)));
  while (gcd(stride, positions) > 1) stride--;
  return stride;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Below this share of a point's or feature's energy, or of a feature's variance, variation is rounding. */
const ROUNDING = 1e-12;
const NOTHING = 1e-6;

/** Linearity of each block, with and without the residual, from rows of features, `bytes` at a time. */
export async function linearities(
  gpu: Gpu,
  before: readonly Float32Array[],
  behind: readonly Float32Array[],
  features: number,
  bytes = batchBytes(gpu.traits),
): Promise<(readonly [number | null, number | null])[]> {
  const size = Math.min(before[0]!.length, features * Math.ceil(bytes / (4 * features)));
  const sides = [0, 1].map(() => DeviceArray.zeros(gpu, [size / features, features]));
  using program = await bound(gpu, 'covariances', sides, (x: Tensor, y: Tensor) => {
    const step = sub(y, x);
    const [own, across] = [x, step].map((z) => matmul(x, z, { transposeA: true }));
    return [own!, across!, ...[y, step].map((z) => sum(square(z), [-2, -1]))];
  });
  const found: (readonly [number | null, number | null])[] = [];
  for (const [i, h] of before.entries()) {
    const centered = [h, behind[i]!].map((rows) => centeredRows(rows, features));
    let sums: Float64Array[] = [];
    for (let start = 0; start < h.length; start += size) {
      for (const [side, rows] of centered.entries()) {
        const part = new Float32Array(size);
        part.set(rows.subarray(start, start + size));
        sides[side]!.write(part);
      }
      program.submit();
      const each = await Promise.all(program.outputs.map(floats));
      sums = each.map((x, k) => Float64Array.from(x, (value, j) => value + (sums[k]?.[j] ?? 0)));
    }
    const [own, across, [after], [step]] = sums as [Float64Array, Float64Array, [number], [number]];
    const minimum = ROUNDING * behind[i]!.reduce((sum, x) => sum + x * x, 0);
    const energies = new Float64Array(features);
    h.forEach((x, k) => {
      energies[k % features]! += x * x;
    });
    const scale = energies.map((energy, k) => {
      const variance = own[k * (features + 1)]!;
      return variance > ROUNDING * energy ? 1 / Math.sqrt(variance) : 0;
    });
    // Features may differ in size by thousands: all that vary are scaled alike.
    const [x, xy] = [own, across].map((product, n) =>
      product.map((z, k) => z * scale[Math.floor(k / features)]! * (n ? 1 : scale[k % features]!)),
    ) as [Float64Array, Float64Array];
    const rest = unexplained(x, xy, features, step);
    const known = LEAST * scale.filter((s) => s > 0).length < h.length / features;
    found.push([
      known && after > minimum ? 1 - rest / after : null,
      known && step > minimum ? 1 - rest / step : null,
    ]);
  }
  for (const side of sides) side.dispose();
  return found;
}

/** Rows minus their mean. */
function centeredRows(h: Float32Array, features: number): Float32Array {
  const mean = new Float64Array(features);
  for (let k = 0; k < h.length; k++) mean[k % features]! += (h[k]! * features) / h.length;
  return h.map((x, k) => x - mean[k % features]!);
}

/** min_A ‖XA − Y‖² from XᵀX (diagonal 1), XᵀY and ‖Y‖²: Cholesky elimination, largest pivots first. */
function unexplained(a: Float64Array, b: Float64Array, d: number, energy: number): number {
  const open = new Set(range(d));
  let rest = energy;
  while (open.size > 0) {
    const p = [...open].reduce((most, i) => (a[i * d + i]! > a[most * d + most]! ? i : most));
    const pivot = a[p * d + p]!;
    if (!(pivot > NOTHING)) break;
    open.delete(p);
    for (let j = 0; j < d; j++) rest -= b[p * d + j]! ** 2 / pivot;
    for (const i of open) {
      const factor = a[i * d + p]! / pivot;
      for (let j = 0; j < d; j++) {
        a[i * d + j]! -= factor * a[p * d + j]!;
        b[i * d + j]! -= factor * b[p * d + j]!;
      }
    }
  }
  return Math.max(0, rest);
}

export const series = {
  linearity: { label: 'linearity', from: (m) => m.linearity.map((mean) => ({ mean })) },
  linearityOfStep: {
    label: 'linearity without the residual',
    from: (m) => m.linearityOfStep.map((mean) => ({ mean })),
  },
} satisfies Record<string, Series<Measures>>;

export const scalars = {
  linearity: {
    label: 'linearity',
    what: 'linearity of h_i and h_{i+1}, mean over blocks',
    domain: SHARE,
    from: (m) => meanOf(m.linearity),
  },
  linearityOfStep: {
    label: 'linearity without residual',
    what: 'linearity of h_i and h_{i+1} − h_i, mean over blocks',
    domain: SHARE,
    from: (m) => meanOf(m.linearityOfStep),
  },
} satisfies Record<string, Scalar<Measures>>;
