import { Matrix, solve } from 'ml-matrix';
import { expect, test } from 'vitest';
import { readPoints } from '../../src/analysis/batch-reader.ts';
import { at } from '../../src/analysis/measures/block-influence.ts';
import { overImages } from '../../src/analysis/measures/compressibility.ts';
import { linearities, strideOf } from '../../src/analysis/measures/linearity.ts';
import type { Images, StageAt } from '../../src/analysis/measures/measure.ts';
import { chooseSamples } from '../../src/analysis/samples.ts';
import { range } from '../../src/lists.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import type { ResidualNetwork } from '../../src/models/residual-network.ts';
import { type HostState, initialState, TrainingState } from '../../src/train/state.ts';
import { compressionOf } from '../fidelity/reference/compression.ts';
import { infer, type Shape } from '../fidelity/reference/network.ts';
import { distance, norm, randomNumbers, select, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const influence = (path: number[][], shape: number[]) =>
  at({
    ...{ path: path.map((h) => Float64Array.from(h)), shape },
    behind: path.slice(1).map((h) => Float64Array.from(h)),
  } as unknown as StageAt).blockInfluence;

test('block influence is a mean over positions that are not zero', () => {
  const steps = [
    [3, 4, 1, 0, 0, 0],
    [4, 3, 0, 2, 5, 5],
    [0, 0, 0, 0, 0, 0],
  ];
  expect(influence(steps, [3, 1, 2])).toEqual([(1 - 24 / 25 + 1) / 2, null]);
  expect(
    influence(
      [
        [1, 2],
        [2, 4],
        [-1, -2],
      ],
      [2],
    ),
  ).toEqual([expect.closeTo(0), expect.closeTo(2)]);
});

const linearitiesOf = (path: Float32Array[], features: number, bytes?: number) =>
  withGpu((gpu) => linearities(gpu, path.slice(0, -1), path.slice(1), features, bytes));

/** Rows of a matrix times another, and a shift. */
function mapped(x: Float32Array, features: number, matrix: (i: number, j: number) => number) {
  return x.map((_, k) => {
    const row = x.subarray(features * Math.floor(k / features));
    let sum = 1;
    for (let i = 0; i < features; i++) sum += row[i]! * matrix(i, k % features);
    return sum;
  });
}

test('linearity is 1 of an affine map, also of few directions, and the share of a step that one explains', async () => {
  const next = randomNumbers(3);
  const [rows, features] = [4000, 5];
  const noise = () => Float32Array.from({ length: rows * features }, () => next() - 0.5);
  const x = noise();
  const thin = mapped(x, features, (i, j) => (i < 2 ? Math.cos(3 * i + j) : 0));
  const off = noise();
  const half = thin.map((v, k) => v + Math.sqrt(12) * Math.abs(off[k]!)); // Of a variance of its own: 1/4.
  const found = await linearitiesOf([x, thin, half, half], features);
  expect(found[0]).toEqual([expect.closeTo(1, 6), expect.closeTo(1, 6)]);
  const variance = (h: Float32Array) => {
    const means = Array.from(
      { length: features },
      (_, j) => h.reduce((s, v, k) => s + (k % features === j ? v : 0), 0) / rows,
    );
    return h.reduce((s, v, k) => s + (v - means[k % features]!) ** 2, 0) / rows;
  };
  expect(found[1]![0]).toBeCloseTo(1 - (features * 0.25) / variance(half), 2);
  expect(found[1]![1]).toBeCloseTo(0, 2);
  expect(found[2]).toEqual([expect.closeTo(1, 6), null]); // Nothing is added.
  const inParts = await linearitiesOf([x, thin, half, half], features, 20 * 1600); // The last is half full.
  expect(inParts).toEqual(found.map((pair) => pair.map((v) => v && expect.closeTo(v, 5))));
  const still = new Float32Array(rows * features).fill(0.3);
  expect(await linearitiesOf([x, still, x], features)).toEqual([
    [null, expect.closeTo(1, 6)],
    [expect.closeTo(0, 6), expect.closeTo(0, 6)],
  ]);
});

test('linearity does not depend on the size of a feature', async () => {
  const next = randomNumbers(5);
  const [rows, features] = [400, 4];
  const small = Float32Array.from({ length: rows * features }, () => next() - 0.5);
  const sizes = [3e4, 1, 1e-3, 1];
  const x = small.map((v, k) => v * sizes[k % features]! + (k % features === 1 ? 100 : 0));
  // The large feature goes on as it is, as in many language models; others are mixed, in part by a square.
  const y = x.map((v, k) =>
    k % features === 0 ? v : v + small[k - (k % features) + 2]! + 3 * small[k]! ** 2,
  );
  const [[whole, step]] = (await linearitiesOf([x, y], features)) as [[number, number]];
  // By least squares in float64.
  const column = (h: ArrayLike<number>, j: number) => {
    const own = range(rows).map((n) => h[n * features + j]!);
    return own.map((v) => [v - own.reduce((sum, w) => sum + w, 0) / rows]);
  };
  const joined = (columns: number[][][]) => new Matrix(range(rows).map((n) => columns.map((c) => c[n]![0]!)));
  const inputs = joined(range(features).map((j) => column(small, j)));
  const share = (targets: Matrix) => {
    const rest = Matrix.sub(targets, inputs.mmul(solve(inputs, targets, true)));
    return 1 - rest.norm() ** 2 / targets.norm() ** 2;
  };
  const columnsOf = (h: ArrayLike<number>) => joined(range(features).map((j) => column(h, j)));
  expect(whole).toBeCloseTo(share(columnsOf(y)), 6);
  expect(step).toBeCloseTo(share(columnsOf(y.map((v, k) => v - x[k]!))), 4);
  expect(step).toBeLessThan(0.9);
});

test('linearity is of all positions alike, whatever their number divides', () => {
  for (const [features, positions, count] of [
    [768, 1024, 100],
    [12, 8, 100],
    [8, 64, 100],
    [64, 50, 100],
  ] as const) {
    const stride = strideOf({ features, positions }, count);
    const seen = new Array<number>(positions).fill(0);
    let rows = 0;
    for (let row = 0; row < count * positions; row += stride, rows++) seen[row % positions]!++;
    expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(1);
    expect(rows).toBeGreaterThanOrEqual(8 * features);
    expect(rows).toBeLessThanOrEqual(16 * features);
  }
});

test('linearity of few rows says nothing', async () => {
  const next = randomNumbers(5);
  const rows = (count: number) => Float32Array.from({ length: 3 * count }, next);
  for (const [count, expected] of [
    [6, [null, null]],
    [7, [expect.any(Number), expect.any(Number)]],
  ] as const)
    expect(await linearitiesOf([rows(count), rows(count)], 3)).toEqual([expected]);
  // Two features vary.
  const still = rows(5).map((x, k) => (k % 3 ? x : 2));
  expect(await linearitiesOf([still, rows(5)], 3)).toEqual([[expect.any(Number), expect.any(Number)]]);
});

const SHAPE: Shape = { inputs: 6, depth: 3, width: 5, classes: 3, activation: 'relu', skip: true };
const CONV = new ConvResNet({
  ...{ inputs: [3, 2, 1], depth: 2, channels: 2, classes: 3, activation: 'relu', skip: true },
  stem: { size: 3, stride: 1, padding: 1 },
});

test('points are read in batches, and of positions some', async () => {
  await withGpu(async (gpu) => {
    const examples = syntheticExamples(1003, 6, 3);
    using device = upload(gpu, examples);
    const pointsOf = async (network: ResidualNetwork, state: HostState, stride?: number) => {
      using loaded = new TrainingState(gpu, network);
      loaded.load(state);
      // The last of two batches is not full.
      const [points] = await readPoints(
        gpu,
        network,
        loaded.weights,
        device,
        1003,
        stride ? () => stride : undefined,
      );
      return points!;
    };
    const fc = new FcResNet(SHAPE);
    const state = initialState(fc, 2);
    const tensors = new Map(
      [...state.parameters, ...state.statistics].map(([name, w]) => [name, Float64Array.from(w)]),
    );
    const { h } = infer(SHAPE, tensors, select(examples, [...Array(1003).keys()]).x);
    const found = await pointsOf(fc, state);
    expect(found).toHaveLength(4);
    for (const [l, point] of found.entries()) expect(distance(point, h[l]!) / norm(h[l]!)).toBeLessThan(1e-5);

    const conv = initialState(CONV, 2);
    const [all, some] = [await pointsOf(CONV, conv), await pointsOf(CONV, conv, 7)];
    expect(all.map(({ length }) => length)).toEqual([12036, 12036, 12036]);
    for (const [l, point] of some.entries())
      expect(point).toEqual(all[l]!.filter((_, k) => Math.floor(k / 2) % 7 === 0));
  });
});

test.each<[string, Partial<Shape>]>([
  ['scaled skip connections, and an odd number of blocks', { skipScale: 0.7 }],
  ['no skip connections, and one block', { skip: false, depth: 1 }],
])('what replaced blocks leave of the accuracy: %s', async (_, change) => {
  await withGpu(async (gpu) => {
    const shape: Shape = { ...SHAPE, width: 9, ...change };
    const network = new FcResNet(shape);
    const state = initialState(network, 2);
    const [train, test] = [syntheticExamples(90, 6, 3), syntheticExamples(300, 6, 3)];
    using loaded = new TrainingState(gpu, network);
    loaded.load(state);
    using trained = upload(gpu, train);
    using tested = upload(gpu, test);
    const given = {
      gpu,
      network,
      weights: loaded.weights,
      train: trained,
      test: tested,
      brief: false,
      compress: true,
      classifies: true,
    };
    const features = { labels: train.labels };
    const { compression } = await overImages({ ...given, features } as unknown as Images);
    const tensors = new Map(
      [...state.parameters, ...state.statistics].map(([name, w]) => [name, Float64Array.from(w)]),
    );
    const images = (examples: typeof train, count: number) => {
      const { x, labels } = select(examples, range(count));
      return { x, labels: [...labels] };
    };
    const [fitted, all] = [images(train, 8 * 9), images(test, 300)];
    const at = chooseSamples(fitted.labels, 15, 1);
    const wanted = compressionOf({ shape, tensors }, { train: fitted, test: all, at });
    expect(compression!.map(({ from, to }) => [from, to])).toEqual(wanted.map(({ from, to }) => [from, to]));
    for (const [p, part] of wanted.entries())
      for (const way of ['dropped', 'iterated', 'linear', 'distilled'] as const)
        if (part[way] === null) expect(compression![p]![way]).toBeNull();
        else expect(Math.abs(compression![p]![way]! - part[way]), `${way} of part ${p}`).toBeLessThan(0.02);
    for (const without of [{ compress: false }, { classifies: false }]) {
      const later = { ...given, ...without } as unknown as Images;
      expect(await overImages(later)).toEqual({ compression: null });
    }
  });
});
