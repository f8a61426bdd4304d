import { Matrix, QrDecomposition } from 'ml-matrix';
import { expect, test } from 'vitest';
import { batchOf } from '../../src/analysis/batches.ts';
import { coloring } from '../../src/analysis/frobenius.ts';
import { measureNetwork, type NetworkMeasures } from '../../src/analysis/measure-network.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { conv2d, relu } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import { ConvResNet, convBranch, convParameter } from '../../src/models/conv-resnet.ts';
import { type Layer, ResidualNetwork } from '../../src/models/residual-network.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Normalizer, Weights } from '../../src/train/network.ts';
import { type HostState, initialState } from '../../src/train/state.ts';
import { poisoned } from '../autograd/support.ts';
import { withGpu } from '../gpu/harness.ts';
import {
  type Convention,
  measuresOf,
  type PathMeasures,
  pathShares,
  type ReferenceMeasures,
} from './reference/measures.ts';
import { norm, randomNumbers } from './support.ts';

const CLASSES = 3;
const SAMPLES = 3;

const oneStage = (options: { skip?: boolean; activation?: 'relu' | 'identity' } = {}) =>
  new ConvResNet({
    ...{ inputs: [6, 5, 2], depth: 3, channels: 4, classes: CLASSES, activation: 'relu', skip: true },
    ...{ stem: { size: 3, stride: 1, padding: 1 } },
    ...options,
  });

/** Two blocks at 6×6×4, one that halves the sides and doubles the channels, and two at 3×3×8. */
class TwoStages extends ResidualNetwork {
  constructor() {
    const layer = (block: string, n: string, fanIn: number): Layer => {
      const [features, positions] = block.startsWith('b') ? [8, 9] : [4, 36];
      return {
        weight: convParameter(`${block}.conv${n}`, features, fanIn, 3),
        norm: { name: `${block}.bn${n}`, features, positions },
      };
    };
    const blocks = ['a.0', 'a.1', 'b.0', 'b.1', 'b.2'];
    super(
      { ...oneStage().options, kind: 'conv' },
      {
        ...{ input: [6, 6, 1], blocks, head: 'fc' },
        layers: [
          layer('stem', '', 1),
          ...blocks.flatMap((block) => {
            const out = block.startsWith('a') ? 4 : 8;
            return [layer(block, '1', block === 'b.0' ? 4 : out), layer(block, '2', out)];
          }),
          { weight: convParameter('b.0.down', 8, 4, 1) },
        ],
        stages: [
          { blocks: ['a.0', 'a.1'], shape: [6, 6, 4], reach: 2 },
          { blocks: ['b.1', 'b.2'], shape: [3, 3, 8], reach: 2 },
        ],
      },
    );
  }

  stem(weights: Weights, x: Tensor, norm: Normalizer): Tensor {
    return relu(norm(conv2d(x, weights['stem.conv.weight']!, { padding: 1 }), 'stem.bn', weights));
  }

  protected override layers(weights: Weights, block: string, h: Tensor, norm: Normalizer): Tensor {
    return convBranch(weights, block, h, norm, block === 'b.0' ? 2 : 1);
  }

  protected override shortcut(weights: Weights, block: string, h: Tensor): Tensor {
    return block === 'b.0' ? conv2d(h, weights['b.0.down.weight']!, { stride: 2 }) : h;
  }
}

/** Initial weights, with BatchNorms that do something. */
function someState(network: ResidualNetwork): HostState {
  const state = initialState(network, 3);
  const next = randomNumbers(8);
  for (const { name } of network.norms) {
    const fill = (values: Float32Array, from: number, to: number) =>
      values.forEach((_, i) => {
        values[i] = from + (to - from) * next();
      });
    fill(state.parameters.get(`${name}.weight`)!, 0.5, 1.5);
    fill(state.parameters.get(`${name}.bias`)!, -0.3, 0.3);
    fill(state.statistics.get(`${name}.running_mean`)!, -0.3, 0.3);
    fill(state.statistics.get(`${name}.running_var`)!, 0.2, 1);
  }
  return state;
}

/** A function of the network's weights and others, in float64. */
function inFloat64(
  state: HostState,
  f: (weights: Weights, ...rest: Tensor[]) => unknown,
  ...rest: { shape: readonly number[]; data: ArrayLike<number> }[]
): Float64Array[] {
  const named = [...state.parameters, ...state.statistics];
  const network = shapes.get(state)!;
  const specs = Object.fromEntries(named.map(([name]) => [name, { shape: network.get(name)! }]));
  const graph = trace(f as (...args: unknown[]) => unknown, [specs, ...rest.map(({ shape }) => ({ shape }))]);
  const values = interpret(graph, [...named.map(([, data]) => data), ...rest.map(({ data }) => data)]);
  return values.map(({ data }) => data as Float64Array);
}

const shapes = new WeakMap<HostState, Map<string, readonly number[]>>();

/** The dense Jacobian of a block at h, a column for each unit vector. */
function jacobian(
  network: ResidualNetwork,
  state: HostState,
  block: string,
  h: { shape: readonly number[]; data: Float64Array },
  convention: Convention,
): Matrix {
  const dim = h.data.length;
  const units = { shape: [dim, ...h.shape], data: Matrix.eye(dim).to1DArray() };
  const [images] = inFloat64(
    state,
    (w, x, v) => linearize((t: Tensor) => network.branch(w, block, t, inferenceNorm), x!).apply(v!),
    h,
    units,
  );
  const j = Matrix.from1DArray(dim, dim, images!).transpose();
  if (convention === 'branch') return j;
  const [joined] = inFloat64(
    state,
    (w, x) => network.join(x!, network.branch(w, block, x!, inferenceNorm), w, block),
    h,
  );
  return Matrix.diag([...joined!].map((y) => (y > 0 ? 1 : 0))).mmul(j);
}

const inputs = (network: ResidualNetwork) => {
  const next = randomNumbers(2);
  const features = network.input.reduce((a, b) => a * b);
  const values = Float32Array.from({ length: SAMPLES * features }, () => 4 * next() - 2);
  return { inputs: values, labels: [0, 1, 2], indices: [5, 6, 7] };
};

/** Ours, and the reference's for each stage and sample. */
async function bothMeasures(network: ResidualNetwork, convention: Convention) {
  const state = someState(network);
  shapes.set(
    state,
    new Map([
      ...network.parameters.map(({ name, shape }) => [name, shape] as const),
      ...network.norms.flatMap(({ name, features }) =>
        ['running_mean', 'running_var'].map((kind) => [`${name}.${kind}`, [features]] as const),
      ),
    ]),
  );
  const settings = analysisSettings(network, { seed: 1, convention });
  const given = inputs(network);
  const ours = await withGpu((gpu) => measureNetwork(gpu, network, state, given, settings));

  const flat = inFloat64(state, (w, x) => network.representations(w, x!, inferenceNorm).points, {
    shape: [SAMPLES, ...network.input],
    data: given.inputs,
  });
  let at = 0;
  const wanted = network.stages.map(({ blocks, shape }, s) => {
    const dim = shape.reduce((a, b) => a * b);
    const points = flat.slice(at, at + blocks.length + 1);
    at += blocks.length + 1;
    const rows = s === network.stages.length - 1 ? lifted(network, state, shape) : null;
    return Array.from({ length: SAMPLES }, (_, n) => {
      const path = points.map((h) => h.slice(n * dim, (n + 1) * dim));
      const jacobians = blocks.map((block, i) =>
        jacobian(network, state, block, { shape: [1, ...shape], data: path[i]! }, convention),
      );
      return measuresOf(
        path.map((h) => [...h]),
        jacobians,
        rows,
        CLASSES,
        settings.triples,
        settings.spectrum,
      );
    });
  });
  return { ours, wanted, paths: wholePaths(network, state, flat) };
}

/** Measures of each sample's whole path, if it has one stage; `points` are all samples' h_1 … h_{L+1}. */
function wholePaths(
  network: ResidualNetwork,
  state: HostState,
  points: Float64Array[],
): PathMeasures[] | null {
  const [{ shape, blocks }, ...more] = network.stages as [ResidualNetwork['stages'][0]];
  if (more.length) return null;
  const dim = shape.reduce((a, b) => a * b);
  const head = state.parameters.get(network.classifier)!;
  const channels = shape.at(-1)!;
  const weight = Matrix.zeros(CLASSES, dim);
  for (let c = 0; c < CLASSES; c++)
    for (let i = 0; i < dim; i++) weight.set(c, i, (head[c * channels + (i % channels)]! * channels) / dim);
  return Array.from({ length: SAMPLES }, (_, n) => {
    const path = points.map((h) => h.slice(n * dim, (n + 1) * dim));
    const here = (i: number) => ({ shape: [1, ...shape], data: path[i]! });
    const branches = blocks.map(
      (block, i) => inFloat64(state, (w, x) => network.branch(w, block, x!, inferenceNorm), here(i))[0]!,
    );
    const open = (h: number) => (network.options.activation === 'relu' && !(h > 0) ? 0 : 1);
    const jacobians = blocks.map((block, i) => jacobian(network, state, block, here(i), 'branch'));
    const gates = branches.map((f, i) => [...f].map((v, d) => open(v + path[i]![d]!)));
    return {
      branchRatio: branches.map((f, i) => norm(f) / norm(path[i]!)),
      pathShares: network.options.skip ? pathShares([...path[0]!], jacobians, gates, weight) : null,
    };
  });
}

/** What the classifier sees of h, as an orthonormal basis in columns: features are means over positions. */
function lifted(network: ResidualNetwork, state: HostState, shape: readonly number[]): Matrix {
  const head = state.parameters.get(network.classifier)!;
  const channels = shape.at(-1)!;
  const dim = shape.reduce((a, b) => a * b);
  const rows = Array.from({ length: CLASSES }, (_, c) =>
    Array.from({ length: dim }, (_, i) => head[c * channels + (i % channels)]!),
  );
  return new QrDecomposition(new Matrix(rows).transpose()).orthogonalMatrix;
}

type Nested = number | null | readonly Nested[];

/** To a share of the larger of 1 and the value, and null where that is null. */
function expectClose(found: Nested, wanted: Nested, what: string, tolerance = 1e-2) {
  if (wanted === null || found === null) expect(found, what).toBe(wanted);
  else if (typeof wanted === 'number') {
    const error = Math.abs((found as number) - wanted);
    expect(error, `${what}: ${found} for ${wanted}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(wanted)),
    );
  } else {
    expect(found, what).toHaveLength(wanted.length);
    wanted.forEach((w, i) => {
      expectClose((found as Nested[])[i]!, w, `${what}[${i}]`, tolerance);
    });
  }
}

function expectMeasures(
  { stages }: ResidualNetwork,
  ours: NetworkMeasures,
  wanted: readonly ReferenceMeasures[][],
) {
  let start = 0;
  for (const [s, { blocks }] of stages.entries()) {
    const end = start + blocks.length;
    for (const [n, sample] of ours.samples.entries()) {
      const reference = wanted[s]![n]!;
      const where = `of stage ${s}, sample ${n}`;
      const { line, straightness, lineShape, stepCv, stepCosine } = reference;
      for (const [name, value] of Object.entries({ line, straightness, lineShape, stepCv, stepCosine })) {
        expectClose(sample.perStage[s]![name as 'line'], value, `${name} ${where}`);
      }
      for (const name of ['stepNorms', 'topEnergy', 'stableRank', 'leftRight', 'classifierShare'] as const) {
        expectClose(sample[name].slice(start, end), reference[name], `${name} ${where}`);
      }
      for (const name of ['diagonalShare', 'coupling'] as const) {
        const grid = sample[name].slice(start, end).map((row) => row.slice(start, end));
        expectClose(grid, reference[name], `${name} ${where}`);
        const others = sample[name]
          .slice(start, end)
          .flatMap((row) => [...row.slice(0, start), ...row.slice(end)]);
        expect(others.every((x) => x === null)).toBe(true);
      }
      reference.sigma.forEach((sigma, i) => {
        const found = sample.sigma[start + i]!;
        const errors = found.map((x, k) => Math.abs(x - sigma[k]!) / sigma[0]!);
        expect(Math.max(...errors.slice(0, CLASSES)), `leading σ ${where}`).toBeLessThan(1e-4);
        expect(Math.max(...errors), `σ ${where}`).toBeLessThan(1e-3);
        const energy = sample.frobenius2[start + i]! / reference.frobenius2[i]!;
        expect(energy, `energy ${where}`).toBeCloseTo(1, ours.frobenius[s]!.method === 'exact' ? 4 : 1);
      });
    }
    start = end;
  }
}

test.each([
  ['of one stage', oneStage(), 'branch'],
  ['of one stage, gated by σ′', oneStage(), 'post-activation'],
  [
    'without skip connections or ReLU between blocks',
    oneStage({ skip: false, activation: 'identity' }),
    'branch',
  ],
  ['of two stages', new TwoStages(), 'branch'],
] as const)('the measures of a convolutional network %s', async (_, network, convention) => {
  const { ours, wanted, paths } = await bothMeasures(network, convention);
  expectMeasures(network, ours, wanted);
  ours.samples.forEach((sample, n) => {
    const path = paths?.[n];
    if (path) expectClose(sample.branchRatio, path.branchRatio, `branch ratios of sample ${n}`, 1e-5);
    expectClose(sample.pathShares, path?.pathShares ?? null, `path shares of sample ${n}`, 1e-5);
    const dimensions = wanted.map((stage) => stage[n]!.alignedDimension!);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(sample.alignedDimension).toBeGreaterThanOrEqual(mean(dimensions.map((d) => d.minimum)));
    expect(sample.alignedDimension).toBeLessThanOrEqual(mean(dimensions.map((d) => d.maximum)));
  });
});

test('Frobenius norms that are estimated lie within their standard errors of the exact ones', async () => {
  const network = oneStage();
  const state = someState(network);
  const measured = (few: { sketchColumns?: number; powerIterations?: number; filters?: number }) =>
    withGpu((gpu) => {
      const settings = analysisSettings(network, { seed: 1, ...few });
      return measureNetwork(gpu, network, state, inputs(network), settings);
    });
  const exact = await measured({});
  const estimated = await measured({ sketchColumns: 12, powerIterations: 1, filters: 0 });
  expect(exact.frobenius).toEqual([{ method: 'exact', relativeError: 0 }]);
  const [{ method, relativeError }] = estimated.frobenius as [(typeof estimated.frobenius)[number]];
  expect(method).toBe('estimated');
  expect(relativeError).toBeGreaterThan(0.005);
  expect(relativeError).toBeLessThan(0.05);
  const ratios = estimated.samples.flatMap(({ frobenius2 }, n) =>
    frobenius2.map((x, i) => x / exact.samples[n]!.frobenius2[i]!),
  );
  for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(4 * relativeError);
  expect(Math.max(...ratios)).toBeGreaterThan(1);
  expect(Math.min(...ratios)).toBeLessThan(1);
});

test('measures are the same where memory holds one block at one sample at a time', async () => {
  const network = new TwoStages();
  const state = someState(network);
  const settings = analysisSettings(network, { seed: 1 });
  await withGpu(async (gpu) => {
    const room = { maxBindingBytes: 4 * 64 * 144 };
    for (const stage of network.stages) {
      const sketch = { ...settings, columns: settings.sketchColumns };
      const { samples, blocks } = batchOf(stage, SAMPLES, sketch, { ...gpu.traits, ...room });
      expect(samples * blocks).toBe(stage.shape[0] === 6 ? 1 : 2);
    }
    const together = await measureNetwork(gpu, network, state, inputs(network), settings);
    const apart = await measureNetwork(poisoned(gpu, room), network, state, inputs(network), settings);
    together.samples.forEach(({ sigma, frobenius2, stepNorms, leftRight }, n) => {
      const other = apart.samples[n]!;
      const leading = (values: number[][]) => values.map((row) => row.slice(0, CLASSES));
      expectClose(leading(other.sigma), leading(sigma), `σ of sample ${n}`, 1e-4);
      expectClose(other.frobenius2, frobenius2, `energies of sample ${n}`, 1e-4);
      expectClose(other.stepNorms, stepNorms, `steps of sample ${n}`, 1e-6);
      expectClose(other.leftRight, leftRight, `left–right of sample ${n}`);
    });
    expectClose(apart.alignment, together.alignment, 'alignment');
  });
});

test('coordinates of one color are so far apart that no output sees two of them', () => {
  const shape = [11, 7, 3];
  const { colors, count } = coloring({ blocks: [], shape, reach: 2 });
  expect(count).toBe(5 * 5 * 3);
  expect(new Set(colors).size).toBe(count);
  for (let a = 0; a < colors.length; a++)
    for (let b = 0; b < a; b++) {
      if (colors[a] !== colors[b]) continue;
      const place = (i: number) => [Math.floor(i / 21), Math.floor(i / 3) % 7] as const;
      const apart = place(a).map((x, axis) => Math.abs(x - place(b)[axis]!));
      expect(Math.max(...apart)).toBeGreaterThanOrEqual(5);
    }
  expect(coloring({ blocks: [], shape: [6], reach: 0 }).count).toBe(6);
});
