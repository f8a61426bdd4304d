import { Matrix, QrDecomposition } from 'ml-matrix';
import { expect, test } from 'vitest';
import { featureReader } from '../../src/analysis/features.ts';
import { classifierRows, measureNetwork, type NetworkMeasures } from '../../src/analysis/measure-network.ts';
import { blockLoss } from '../../src/analysis/measures/block-loss.ts';
import { neuralCollapse } from '../../src/analysis/measures/collapse.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { encodeCheckpoint } from '../../src/experiments/checkpoint.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { Evaluator } from '../../src/train/evaluate.ts';
import { type HostState, initialState, TrainingState } from '../../src/train/state.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { withGpu } from '../gpu/harness.ts';
import { collapseOf } from './reference/collapse.ts';
import {
  type Convention,
  fitInverse,
  measure,
  type PathMeasures,
  type ReferenceMeasures,
} from './reference/measures.ts';
import { accuracyOf, infer, logitsOf, type Shape } from './reference/network.ts';
import { parseSafetensors } from './reference/safetensors.ts';
import {
  distance,
  type Examples,
  firstOf,
  mnistExamples,
  norm,
  randomNumbers,
  select,
  upload,
} from './support.ts';

const SAMPLES = 6;
const TRAINING = { batch: 128, seed: 5, lr: 0.1, momentum: 0.9, weightDecay: 1e-2, steps: 300 };
/** The last batch of an evaluation is not full. */
const TEST_IMAGES = 9990;

const RELU: Shape = { inputs: 784, depth: 5, width: 48, classes: 10, activation: 'relu', skip: true };
const PLAIN: Shape = { ...RELU, skip: false };
const TWO: Shape = { inputs: 784, depth: 4, width: 30, classes: 2, activation: 'identity', skip: true };

const trained = new Map<Shape, Promise<HostState>>();

function train(gpu: Gpu, shape: Shape): Promise<HostState> {
  const run = async () => {
    const network = new FcResNet(shape);
    using device = upload(gpu, firstOf((await mnistExamples()).train, 8000, shape.classes));
    using trainer = await Trainer.create(gpu, network, device, TRAINING);
    trainer.load(initialState(network, TRAINING.seed));
    trainer.queue(TRAINING.steps);
    return trainer.state.save();
  };
  if (!trained.has(shape)) trained.set(shape, run());
  return trained.get(shape)!;
}

/** The weights as another program would read them from the checkpoint. */
function fromFile(shape: Shape, state: HostState) {
  const { steps: _, ...training } = TRAINING;
  const info = {
    experiment: 'fidelity',
    network: { kind: 'fc' as const, ...shape },
    training: { ...training, images: 100, epochs: 1 },
    normalization: { mean: [0], std: [1] },
  };
  return parseSafetensors(encodeCheckpoint({ info, state }));
}

/** Ours and the reference's measures of one network at the same examples. */
async function bothMeasures(
  gpu: Gpu,
  shape: Shape,
  state: HostState,
  options: { columns?: number; convention?: Convention } = {},
) {
  const { columns, convention = 'branch' } = options;
  const network = new FcResNet(shape);
  const indices = Array.from({ length: SAMPLES }, (_, i) => 7 * i);
  const { x, labels } = select(firstOf((await mnistExamples()).train, 100, shape.classes), indices);
  const settings = analysisSettings(network, {
    seed: 1,
    convention,
    ...(columns && { sketchColumns: columns, spectrum: columns }),
  });
  const ours = await measureNetwork(
    gpu,
    network,
    state,
    { inputs: Float32Array.from(x), labels, indices },
    settings,
  );
  const wanted = measure(shape, fromFile(shape, state), x, settings.triples, settings.spectrum, convention);
  return { ours, wanted };
}

/** σ_k to 1e-4·σ_1 at 99% of sample and block pairs: a ReLU within rounding of zero may flip. */
function expectSigma(ours: NetworkMeasures, wanted: ReferenceMeasures[]) {
  const pairs = wanted.flatMap((sample, n) =>
    sample.sigma.map((sigma, i) => {
      const found = ours.samples[n]!.sigma[i]!;
      return found.every((s, k) => Math.abs(s - sigma[k]!) <= 1e-4 * sigma[0]!);
    }),
  );
  expect(pairs.filter(Boolean).length / pairs.length).toBeGreaterThanOrEqual(0.99);
}

type Nested = number | null | readonly Nested[];

/** To 1e-2, or the given share, of the larger of 1 and the value, and null where that is null. */
function expectClose(found: Nested, wanted: Nested, what: string, tolerance = 1e-2) {
  if (wanted === null || found === null) expect(found, what).toBe(wanted);
  else if (typeof wanted === 'number') {
    expect(Math.abs((found as number) - wanted), `${what}: ${found} for ${wanted}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(wanted)),
    );
  } else {
    expect(found, what).toHaveLength(wanted.length);
    wanted.forEach((w, i) => {
      expectClose((found as Nested[])[i]!, w, `${what}[${i}]`, tolerance);
    });
  }
}

/**
 * Whether σ tells the leading k triples apart. Where it does not, as in a Jacobian of rank below k, their
 * directions are arbitrary, and so is what is measured along them.
 */
function wellDefined(sigma: readonly number[], k: number): boolean {
  const gaps = sigma.slice(0, k).map((s, i) => s - (sigma[i + 1] ?? 0));
  return Math.min(...gaps) > 1e-4 * sigma[0]!;
}

function expectMeasures(ours: NetworkMeasures, wanted: (ReferenceMeasures & PathMeasures)[]) {
  expectSigma(ours, wanted);
  const k = ours.samples[0]!.leftRight[0]!.length;
  let compared = 0;
  wanted.forEach((reference, n) => {
    const { sigma, leftRight, classifierShare, diagonalShare, coupling, couplingAbsolute, ...others } =
      reference;
    const { alignedDimension, branchRatio, pathShares, ...rest } = others;
    const sample = ours.samples[n]!;
    expectWithin(sample.alignedDimension, alignedDimension, `aligned dimension of sample ${n}`);
    expectClose(sample.branchRatio, branchRatio, `branch ratios of sample ${n}`, 1e-3);
    expectClose(sample.pathShares, pathShares, `path shares of sample ${n}`, 1e-3);
    for (const [name, value] of Object.entries<Nested>(rest)) {
      expectClose(sample[name as keyof typeof rest]!, value, `${name} of sample ${n}`);
    }
    sigma.forEach((s, j) => {
      // A σ at the very threshold may fall on either side of it.
      const above = (share: number) =>
        s.slice(0, sample.sigma[j]!.length).filter((x) => x > 0 && x >= share * s[0]!).length;
      expect(sample.numericalRank[j]).toBeGreaterThanOrEqual(above(1.01e-2));
      expect(sample.numericalRank[j]).toBeLessThanOrEqual(above(0.99e-2));

      const dead = s[0] === 0;
      if (!dead && !wellDefined(s, k)) return;
      const where = `of block ${j + 1}, sample ${n}`;
      const column = (grid: (number | null)[][]) => grid.map((row) => row[j]!);
      expectClose(sample.leftRight[j]!, leftRight[j]!, `left–right ${where}`);
      expectClose(sample.classifierShare[j]!, classifierShare[j]!, `classifier share ${where}`);
      expectClose(column(sample.diagonalShare), column(diagonalShare), `diagonal shares ${where}`);
      expectClose(column(sample.coupling), column(coupling), `couplings ${where}`);
      expectClose(column(sample.couplingAbsolute!), column(couplingAbsolute), `absolute couplings ${where}`);
      if (!dead) compared++;
    });
  });
  expect(compared, 'blocks with well-defined directions').toBeGreaterThan(wanted.length);
  expectFit(ours, wanted);
  expect(numbers(ours).every(Number.isFinite)).toBe(true);
}

function expectWithin(
  found: number | null,
  range: { minimum: number; maximum: number } | null,
  what: string,
) {
  if (!range) return expect(found, what).toBeNull();
  expect(found, what).toBeGreaterThanOrEqual(range.minimum - 1e-9);
  expect(found, what).toBeLessThanOrEqual(range.maximum + 1e-9);
}

/** All numbers in a structure. */
function numbers(x: unknown): number[] {
  if (typeof x === 'number') return [x];
  return typeof x === 'object' && x !== null ? Object.values(x).flatMap(numbers) : [];
}

function expectFit({ summary }: NetworkMeasures, wanted: ReferenceMeasures[]) {
  const sigma1 = wanted[0]!.sigma.map(
    (_, i) => wanted.reduce((total, { sigma }) => total + sigma[i]![0]!, 0) / wanted.length,
  );
  const fit = sigma1.length < 5 ? null : fitInverse(sigma1);
  const { inverseDepthFit: found } = summary.perStage[0]!;
  expectClose(found?.a ?? null, fit?.a ?? null, 'a of the fit');
  expectClose(found?.b ?? null, fit?.b ?? null, 'b of the fit');
}

test.each(['branch', 'post-activation'] as const)('a trained network, convention %s', async (convention) => {
  await withGpu(async (gpu) => {
    const { ours, wanted } = await bothMeasures(gpu, RELU, await train(gpu, RELU), { convention });
    expect(ours.summary.diagonalShare.mean).toBeGreaterThan(0.3); // There is alignment to be measured.
    expect(ours.summary.alignedDimension.mean).toBeGreaterThan(1);
    expect(ours.summary.pathShares![2]!.mean).toBeGreaterThan(0.1);
    expectMeasures(ours, wanted);
  });
});

// Flat spectra: two power iterations by rule at 128, where the sketch is about rank wide, and three at 150.
test.each([128, 150])('an untrained network of width %i, wider than the sketch', async (width) => {
  await withGpu(async (gpu) => {
    const shape = { ...RELU, depth: 2, width };
    const { ours, wanted } = await bothMeasures(gpu, shape, initialState(new FcResNet(shape), 5));
    expectMeasures(ours, wanted);
  });
});

test('a network without skip connections', async () => {
  await withGpu(async (gpu) => {
    const { ours, wanted } = await bothMeasures(gpu, PLAIN, await train(gpu, PLAIN));
    expectMeasures(ours, wanted);
  });
});

test.each<[string, Partial<Shape>, Convention[]?]>([
  ['without BatchNorm, and half of each branch', { norm: 'none', branchScale: 0.5 }],
  ['with learned branch scales', { branchScale: 'learned' }],
  ['with BatchNorm in front', { branch: 'pre-norm' }],
  ['with tied blocks', { tied: true }],
  ['with scaled skip connections', { skipScale: 0.6 }],
  ['with skip connections from the stem', { shortcut: 'input' }, ['branch']],
])('a network %s', async (_, change, conventions = ['branch', 'post-activation']) => {
  await withGpu(async (gpu) => {
    const shape = { ...RELU, depth: 3, ...change };
    const state = initialState(new FcResNet(shape), 4);
    // Each block's own factor, and BatchNorms that do something.
    const next = randomNumbers(6);
    for (const [name, values] of [...state.parameters, ...state.statistics]) {
      if (/scale$|bn|bias$/.test(name)) values.set(values.map((v) => v + 0.2 + 0.6 * next()));
    }
    for (const convention of conventions) {
      const { ours, wanted } = await bothMeasures(gpu, shape, state, { convention });
      expectMeasures(ours, wanted);
    }
  });
});

test('two classes, no ReLU between blocks, and the full spectrum', async () => {
  await withGpu(async (gpu) => {
    const { ours, wanted } = await bothMeasures(gpu, TWO, await train(gpu, TWO), { columns: TWO.width });
    expect(ours.samples[0]!.sigma[0]).toHaveLength(TWO.width);
    expectMeasures(ours, wanted);
  });
});

test('a dead block has no directions, and nothing becomes NaN', async () => {
  await withGpu(async (gpu) => {
    const alive = await train(gpu, RELU);
    const parameters = new Map(
      [...alive.parameters].map(([name, w]) => [name, name.startsWith('blocks.1.') ? w.map(() => 0) : w]),
    );
    const { ours, wanted } = await bothMeasures(gpu, RELU, { ...alive, parameters });
    expect(ours.deadBlocks).toEqual([2]);
    expect(ours.samples[0]!.leftRight[1]).toEqual(new Array(10).fill(null));
    expectMeasures(ours, wanted);
  });
});

test('singular values down to 1e-6 of the largest keep their size', async () => {
  await withGpu(async (gpu) => {
    const { width, depth } = TWO;
    const sigma = Array.from({ length: width }, (_, k) => 10 ** ((-6 * k) / (width - 1)));
    const state = initialState(new FcResNet(TWO), 2);
    const next = randomNumbers(1);
    const orthogonal = () =>
      new QrDecomposition(Matrix.rand(width, width, { random: () => next() - 0.5 })).orthogonalMatrix;
    for (let i = 0; i < depth; i++) {
      // All ReLUs of the branch are open, and J = U S Vᵀ.
      const set = (name: string, values: number[]) =>
        state.parameters.get(`blocks.${i}.${name}`)!.set(values);
      set('linear1.weight', Matrix.diag(sigma).mmul(orthogonal()).to1DArray());
      set('linear2.weight', orthogonal().to1DArray());
      set('bn1.bias', new Array(width).fill(1000));
      for (const n of [1, 2]) state.statistics.get(`blocks.${i}.bn${n}.running_var`)!.fill(1 - 1e-5);
    }
    const { ours } = await bothMeasures(gpu, TWO, state, { columns: width });
    for (const found of ours.samples.flatMap((sample) => sample.sigma)) {
      const errors = found.map((s, k) => Math.abs(s - sigma[k]!));
      expect(Math.max(...errors), `${found}`).toBeLessThan(5e-7);
    }
  });
});

test.each([
  ['relu', RELU],
  ['identity, two classes', TWO],
])('test accuracy: %s', async (_, shape) => {
  await withGpu(async (gpu) => {
    const state = await train(gpu, shape);
    const examples: Examples = firstOf((await mnistExamples()).test, TEST_IMAGES, shape.classes);
    const network = new FcResNet(shape);
    using loaded = new TrainingState(gpu, network);
    loaded.load(state);
    using device = upload(gpu, examples);
    using evaluator = await Evaluator.create(gpu, network, loaded.weights, device);
    const { x, labels } = select(examples, [...examples.labels.keys()]);
    const wanted = accuracyOf(shape, fromFile(shape, state), x, labels);
    expect(wanted).toBeGreaterThan(0.9);
    const found = await evaluator.accuracy();
    expect(Math.abs(found - wanted)).toBeLessThan(2e-4);
    expect(await evaluator.accuracy()).toBe(found);
  });
});

test.each([
  ['relu', RELU],
  ['identity, two classes', TWO],
  ['no skip connections', PLAIN],
])('what the classifier reads, and how far it has collapsed: %s', async (_, shape) => {
  await withGpu(async (gpu) => {
    const state = await train(gpu, shape);
    const examples = firstOf((await mnistExamples()).train, 1500, shape.classes);
    const network = new FcResNet(shape);
    using loaded = new TrainingState(gpu, network);
    loaded.load(state);
    using device = upload(gpu, examples);
    // The last of two batches is not full.
    using reader = await featureReader(gpu, network, loaded.weights, device, 1100);
    const { features, predicted, early } = await reader.read();
    const { x, labels } = select(examples, [...Array(1100).keys()]);
    const { h, logits } = infer(shape, fromFile(shape, state), x);
    const rows = (a: Float64Array, width: number) =>
      Array.from({ length: a.length / width }, (_, n) => [...a.subarray(n * width, (n + 1) * width)]);
    const wanted = rows(logits, shape.classes).map((row) => row.indexOf(Math.max(...row)));
    expect(distance(features, h.at(-1)!) / norm(h.at(-1)!)).toBeLessThan(1e-5);
    expect(wanted.filter((c, n) => c !== predicted[n]).length).toBeLessThanOrEqual(1);
    expect(early).toHaveLength(shape.depth);
    for (const [l, classes] of early.entries()) {
      const sooner = rows(logitsOf(shape, fromFile(shape, state), h[l]!), shape.classes);
      const off = sooner.filter((row, n) => row.indexOf(Math.max(...row)) !== classes[n]);
      expect(off.length, `classes at h_${l + 1}`).toBeLessThanOrEqual(1);
    }

    const weights = classifierRows(network, state);
    const { examples: count, ...found } = neuralCollapse({ features, predicted, labels }, weights);
    expect(count).toBe(1100);
    const last = rows(h.at(-1)!, shape.width);
    const reference = collapseOf(
      last,
      labels,
      wanted,
      weights.map((row) => [...row]),
    );
    for (const [name, value] of Object.entries(reference)) {
      expectClose(found[name as keyof typeof found], value, name, 2e-3);
    }
    expect(reference.nc1).toBeLessThan(1); // There is collapse to be measured.
  });
});

test('accuracy lost without a block', async () => {
  await withGpu(async (gpu) => {
    const state = await train(gpu, RELU);
    const examples = firstOf((await mnistExamples()).test, 2100);
    const network = new FcResNet(RELU);
    using loaded = new TrainingState(gpu, network);
    loaded.load(state);
    using device = upload(gpu, examples);
    const given = { gpu, network, weights: loaded.weights, test: device };
    const { blockLoss: losses, blockLossExamples } = await blockLoss(given);
    expect(blockLossExamples).toBe(2000);
    const { x, labels } = select(examples, [...Array(2000).keys()]);
    const accuracy = (without?: number) => accuracyOf(RELU, fromFile(RELU, state), x, labels, without);
    const whole = accuracy();
    const wanted = network.blocks.map((_, i) => whole - accuracy(i));
    expect(Math.max(...wanted)).toBeGreaterThan(0.05);
    losses.forEach((loss, i) => {
      expect(Math.abs(loss - wanted[i]!), `block ${i + 1}: ${loss} for ${wanted[i]}`).toBeLessThan(2e-3);
    });
  });
});
