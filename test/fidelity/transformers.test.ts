import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { measureNetwork } from '../../src/analysis/measure-network.ts';
import { analysisSettings } from '../../src/analysis/settings.ts';
import { eye, reshape, slice } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import { compile } from '../../src/autograd/program.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import { linearize } from '../../src/autograd/transform.ts';
import { Transformer } from '../../src/models/transformer.ts';
import type { TransformerOptions } from '../../src/models/transformer-shape.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import type { Weights } from '../../src/train/network.ts';
import { type HostState, initialState, TrainingState } from '../../src/train/state.ts';
import { withGpu } from '../gpu/harness.ts';
import { measuresOf } from './reference/measures.ts';
import { forward, jacobian, type Spec } from './reference/transformer.ts';
import { randomNumbers } from './support.ts';

const SAMPLES = 2;
const shared = { depth: 3, width: 12, heads: 4, classes: 3, activation: 'identity', skip: true } as const;
const image = { ...shared, kind: 'vit', inputs: [4, 6, 2], patch: 2 } as const;
const text = { ...shared, kind: 'gpt', inputs: 5, vocabulary: 7, causal: true } as const;

const families: Record<string, TransformerOptions> = {
  'ViT, with a class token': { ...image, classToken: true, epsilon: 1e-2 },
  'DINOv2, with LayerScale': { ...image, classToken: true, layerScale: 0.3, branches: 'apart' },
  'ViT, with norms behind and a mean of tokens': { ...image, order: 'post', mlp: 'relu' },
  'ViT, with norms behind and a token': { ...image, order: 'post', classToken: true, branches: 'apart' },
  'GPT-2': { ...text, mlp: 'gelu-tanh', tiedHead: true, headBias: false, classes: 7 },
  'GPT-2, part by part': { ...text, mlp: 'gelu-tanh', branches: 'apart', branchScale: 0.5 },
  'GPT-NeoX': { ...text, positions: 'rotary', rotaryShare: 0.5, width: 16, parallel: true, headBias: false },
  Llama: {
    ...{
      ...text,
      positions: 'rotary',
      rotaryBase: 100,
      width: 16,
      groups: 2,
      norm: 'rms',
      mlp: 'gated-silu',
    },
    ...{ bias: false, qkvBias: false, hidden: 10, headWidth: 6 },
  },
  'a later token by an earlier one': { ...text, token: { from: 1, to: -2 } },
  'a token among all by a later one': {
    ...text,
    causal: false,
    token: { from: 3, to: 1 },
    positions: 'none',
  },
  'no skip connections': { ...text, skip: false },
};

/** The same for the reference, which knows no defaults. */
function specOf(options: TransformerOptions): Spec {
  const { inputs, patch, depth, heads, width, groups = heads, headWidth = width / heads } = options;
  const { mlp = 'gelu', norm = 'layer', epsilon = 1e-5, order = 'pre', causal = false, classToken } = options;
  const turned = 2 * Math.floor(((options.rotaryShare ?? 1) * headWidth) / 2);
  return {
    ...(typeof inputs !== 'number' && {
      image: { sides: inputs as [number, number, number], patch: patch! },
    }),
    ...{ depth, heads, groups, headWidth, mlp, norm, epsilon, causal, skip: options.skip },
    ...{ post: order === 'post', finalNorm: order === 'pre', parallel: options.parallel ?? false },
    rotary: options.positions === 'rotary' ? { turned, base: options.rotaryBase ?? 10_000 } : null,
    read: classToken ? 'first' : causal ? 'last' : 'mean',
    tied: options.tiedHead ?? false,
    scale: typeof options.branchScale === 'number' ? options.branchScale : 1,
  };
}

/** Weights that all do something. */
function someState(network: Transformer): HostState {
  const state = initialState(network, 3);
  const next = randomNumbers(8);
  for (const { name, shape, init } of network.parameters) {
    const values = state.parameters.get(name)!;
    const fanIn = shape.length > 1 ? values.length / shape[0]! : 4;
    values.forEach((_, i) => {
      const u = 2 * next() - 1;
      values[i] = 'value' in init ? init.value + 0.3 * u : (2 * u) / Math.sqrt(fanIn);
    });
  }
  return state;
}

const examples = ({ input, options }: Transformer): Float32Array => {
  const next = randomNumbers(2);
  const size = SAMPLES * input.reduce((a, b) => a * b);
  return Float32Array.from({ length: size }, () =>
    options.vocabulary ? Math.floor(options.vocabulary * next()) : 4 * next() - 2,
  );
};

describe.each(Object.entries(families))('%s', (name, options) => {
  const network = new Transformer(options);
  const state = someState(network);
  const spec = specOf(options);
  const x = examples(network);
  const each = x.length / SAMPLES;
  const tensors: typeof state.parameters = state.parameters;

  /** In float64, by the interpreter. */
  function exactly(
    f: (w: Weights, x: Tensor) => unknown,
    rest: { shape: readonly number[]; data: ArrayLike<number> },
  ) {
    const { parameters } = network;
    const specs = Object.fromEntries(parameters.map(({ name, shape }) => [name, { shape }]));
    const graph = trace(f as never, [specs, { shape: rest.shape }] as never);
    return interpret(graph, [...parameters.map(({ name }) => tensors.get(name)!), rest.data]).map(
      ({ data }) => data,
    );
  }
  const close = (found: ArrayLike<number>, wanted: readonly number[], tolerance: number) => {
    expect(found).toHaveLength(wanted.length);
    const errors = wanted.map((w, i) => Math.abs(found[i]! - w));
    expect(Math.max(...errors)).toBeLessThan(tolerance * Math.max(1, ...wanted.map(Math.abs)));
  };

  const wanted = Array.from({ length: SAMPLES }, (_, n) =>
    forward(spec, tensors, network.blocks, x.subarray(n * each, (n + 1) * each)),
  );

  test('logits', async () => {
    const logits = wanted.flatMap((w) => w.logits);
    const [found] = exactly((w, x) => network.forward(w, x, inferenceNorm), {
      shape: [SAMPLES, ...network.input],
      data: x,
    });
    // Constants are of float32.
    close(found as Float64Array, logits, 1e-7);
    await withGpu(async (gpu) => {
      using own = new TrainingState(gpu, network);
      own.load(state);
      const f = (w: Weights, x: Tensor) => network.forward(w, x, inferenceNorm);
      const program = await compile(gpu, f, [own.weights, [SAMPLES, ...network.input]]);
      close((await program.run(own.weights, x)).data as Float32Array, logits, 1e-5);
    });
  });

  /** Of a block at a sample, by differences. */
  function reference(block: string, n: number): Matrix {
    const { shape, tokens } = network.stages[0]!;
    const h = wanted[n]!.path[network.blocks.indexOf(block)]!;
    if (tokens) return new Matrix(jacobian(spec, tensors, block, h, tokens));
    const count = shape[0]!;
    const all = h.map((_, to) => h.map((_, from) => jacobian(spec, tensors, block, h, { from, to })));
    const width = h[0]!.length;
    const size = count * width;
    return new Matrix(
      Array.from({ length: size }, (_, o) =>
        Array.from({ length: size }, (_, i) => {
          const part = all[Math.floor(o / width)]![Math.floor(i / width)]!;
          return part[o % width]![i % width]!;
        }),
      ),
    );
  }

  test('Jacobians', () => {
    for (const { blocks, shape, tokens } of network.stages) {
      const block = blocks.at(-1)!;
      const dim = shape.reduce((a, b) => a * b);
      const h = wanted[1]!.path[network.blocks.indexOf(block)]!;
      const [columns] = exactly(
        (w, h) => {
          const x = tokens ? reshape(slice(h, tokens.from, tokens.from + 1, -2), shape, 2) : h;
          const units = reshape(eye(dim), [dim, 1, ...shape]);
          return linearize(
            (x: Tensor) => network.tokenBranch(w, block, h, x, inferenceNorm, tokens),
            x,
          ).apply(units);
        },
        { shape: [1, h.length, h[0]!.length], data: h.flat() },
      );
      close(
        Matrix.from1DArray(dim, dim, [...columns!])
          .transpose()
          .to1DArray(),
        reference(block, 1).to1DArray(),
        1e-7,
      );
    }
  });

  /** Of a block at a sample: the read token, and those at thirds of what it sees. */
  function tokenCoupling(block: string, n: number, k: number) {
    const { count, to } = network.stages[0]!.tokens!;
    const others = [1, 2].map((k) => Math.round((k * (to === 0 ? count - 1 : to)) / 3));
    const h = wanted[n]!.path[network.blocks.indexOf(block)]!;
    const of = (from: number, to: number) => new Matrix(jacobian(spec, tensors, block, h, { from, to }));
    const mean = (maps: Matrix[], shown: (x: number) => number) => {
      const live = maps
        .filter((j) => j.norm() > 1e-9)
        .map((j) => ({ j, svd: new SingularValueDecomposition(j) }));
      const all = live.flatMap((one) =>
        live.flatMap((two) => {
          if (one === two) return [];
          const leading = (m: Matrix) => m.subMatrix(0, m.rows - 1, 0, k - 1);
          const { leftSingularVectors: u, rightSingularVectors: v } = two.svd;
          const a = leading(u).transpose().mmul(one.j).mmul(leading(v));
          const s = Matrix.diag(one.svd.diagonal.slice(0, k));
          return [new Matrix(a.to2DArray().map((row) => row.map(shown))).sub(s).norm() / s.norm()];
        }),
      );
      return all.length > 0 ? all.reduce((a, b) => a + b) / all.length : null;
    };
    const self = [to, ...others].map((t) => of(t, t));
    const context = [to, ...others].map((from) => of(from, to));
    return {
      selfCoupling: mean(self, (x) => x),
      selfCouplingAbsolute: mean(self, Math.abs),
      contextCoupling: mean(context, (x) => x),
      contextCouplingAbsolute: mean(context, Math.abs),
    };
  }

  const measured = [
    'DINOv2, with LayerScale',
    'ViT, with norms behind and a mean of tokens',
    'a later token by an earlier one',
  ];
  if (!measured.includes(name)) return;
  test('measures', async () => {
    const settings = analysisSettings(network, { seed: 1 });
    const given = { inputs: x, labels: [0, 1], indices: [5, 6] };
    const ours = await withGpu((gpu) => measureNetwork(gpu, network, state, given, settings));
    let start = 0;
    for (const [s, { blocks, tokens }] of network.stages.entries()) {
      const [first, last] = [start, start + blocks.length];
      start = last;
      for (const [n, sample] of ours.samples.entries()) {
        const { path } = wanted[n]!;
        const points = [
          ...blocks.map((b) => network.blocks.indexOf(b)),
          network.blocks.indexOf(blocks.at(-1)!) + 1,
        ];
        const own = points.map((i) => (tokens ? path[i]![tokens.to]! : path[i]!.flat()));
        const jacobians = blocks.map((block) => reference(block, n));
        const { classes } = network.options;
        const theirs = measuresOf(own, jacobians, null, classes, settings.triples, settings.spectrum);
        for (const measure of ['line', 'stepCosine'] as const)
          close([sample.perStage[s]![measure]!], [theirs[measure]], 1e-4);
        theirs.sigma.forEach((sigma, i) => {
          const errors = sample.sigma[first + i]!.map((v, k) => Math.abs(v - sigma[k]!) / sigma[0]!);
          expect(Math.max(...errors.slice(0, classes))).toBeLessThan(1e-4);
          expect(Math.max(...errors)).toBeLessThan(1e-3);
        });
        // Of what each block puts out, though a block of another stage may follow.
        const influences = blocks.map((block) => {
          const i = network.blocks.indexOf(block);
          const rows = (tokens ? [tokens.to] : [...path[i]!.keys()]).map((t) => {
            const [a, b] = [path[i]![t]!, path[i + 1]![t]!];
            const dot = (x: readonly number[], y: readonly number[]) =>
              x.reduce((sum, v, k) => sum + v * y[k]!, 0);
            return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
          });
          return rows.reduce((sum, v) => sum + v, 0) / rows.length;
        });
        close(sample.blockInfluence!.slice(first, last) as number[], influences, 1e-4);
        close(sample.frobenius2.slice(first, last), theirs.frobenius2, 1e-3);
        close(sample.topEnergy.slice(first, last) as number[], theirs.topEnergy as number[], 1e-3);
        const block = (grid: (number | null)[][]) =>
          grid.slice(first, last).flatMap((row) => row.slice(first, last) as number[]);
        close(block(sample.coupling), theirs.coupling.flat() as number[], 1e-2);
        expect('selfCoupling' in sample).toBe(tokens !== undefined);
        for (const [i, block] of tokens ? blocks.entries() : []) {
          const wanted = tokenCoupling(block, n, classes);
          for (const [name, value] of Object.entries(wanted)) {
            const found = sample[name as keyof typeof wanted]![first + i]!;
            if (value === null) expect(found, name).toBeNull();
            else close([found], [value], 1e-3);
          }
        }
      }
    }
  });
});
