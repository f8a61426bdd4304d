import { expect, test } from 'vitest';
import { overImages } from '../../src/analysis/measures/lens.ts';
import type { Images } from '../../src/analysis/measures/measure.ts';
import { mul } from '../../src/autograd/functions.ts';
import { trace } from '../../src/autograd/graph.ts';
import { interpret } from '../../src/autograd/interpret.ts';
import type { Tensor } from '../../src/autograd/tensor.ts';
import type { Gpu } from '../../src/gpu/device.ts';
import { range } from '../../src/lists.ts';
import { Autoencoder } from '../../src/models/autoencoder.ts';
import { ConvResNet } from '../../src/models/conv-resnet.ts';
import { FcResNet } from '../../src/models/fc-resnet.ts';
import { type ResidualNetwork, stateShape } from '../../src/models/residual-network.ts';
import { Transformer } from '../../src/models/transformer.ts';
import { inferenceNorm } from '../../src/train/batch-norm.ts';
import { evaluationBatch } from '../../src/train/evaluate.ts';
import { largestActivation, type Weights } from '../../src/train/network.ts';
import { type HostState, TrainingState } from '../../src/train/state.ts';
import { poisoned } from '../autograd/support.ts';
import { type Examples, select, someState, syntheticExamples, upload } from '../fidelity/support.ts';
import { withGpu } from '../gpu/harness.ts';

const SIDE = 4;
const [IMAGES, TESTED] = [4, 30];
const COMMON = { classes: 3, activation: 'relu', skip: true } as const;
const IMAGE = { inputs: [SIDE, SIDE, 1] as const, ...COMMON };
const NETWORKS: Record<string, ResidualNetwork> = {
  'fully connected': new FcResNet({ inputs: SIDE ** 2, depth: 3, width: 9, ...COMMON }),
  'without skip connections': new FcResNet({ inputs: SIDE ** 2, depth: 2, width: 9, ...COMMON, skip: false }),
  convolutional: new ConvResNet({
    ...{ ...IMAGE, depth: 2, channels: 3, stem: { size: 3, stride: 1, padding: 1 } },
  }),
  'of a class token': new Transformer({
    ...{ kind: 'vit', inputs: [SIDE, SIDE, 1], patch: 2, depth: 2, width: 4, heads: 2, classToken: true },
    ...{ classes: 3, activation: 'identity', skip: true, branches: 'apart' },
  }),
  autoencoder: new Autoencoder({ inputs: SIDE ** 2, depth: 2, width: 8, ...COMMON }),
};
const [TRAIN, TEST] = [syntheticExamples(IMAGES, SIDE ** 2, 3), syntheticExamples(TESTED, SIDE ** 2, 3)];

const found = (gpu: Gpu, network: ResidualNetwork, state: HostState, change: Partial<Images> = {}) =>
  run(gpu, network, state, { lens: true, classifies: !network.reconstructs, ...change });

async function run(gpu: Gpu, network: ResidualNetwork, state: HostState, change: Partial<Images>) {
  using loaded = new TrainingState(gpu, network);
  loaded.load(state);
  using train = upload(gpu, TRAIN);
  using test = upload(gpu, TEST);
  const given = { gpu, network, weights: loaded.weights, train, test, features: { labels: TRAIN.labels } };
  return await overImages({ ...given, ...change } as unknown as Images);
}

/** The same in float64: blocks run one by one, and Jacobians are central differences. */
function expected(network: ResidualNetwork, { parameters, statistics }: HostState) {
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  const named = [...parameters, ...statistics];
  const specs = Object.fromEntries(
    named.map(([name, data]) => [name, { shape: shapes.get(name) ?? [data.length] }]),
  );
  const evaluate = (f: (w: Weights, x: Tensor) => Tensor, shape: readonly number[], data: Float64Array) => {
    const graph = trace(f as (...args: unknown[]) => unknown, [specs, { shape }]);
    return Float64Array.from(interpret(graph, [...named.map(([, own]) => own), data])[0]!.data);
  };
  const last = network.stages.at(-1)!;
  const [outputs] = last.shape.slice(-1) as [number];
  const blocks = network.stages.flatMap((stage) => stage.blocks.map((name) => ({ stage, name })));
  /** Blocks from number `i` on, up to before `end`. */
  const through = (i: number, end: number) => (w: Weights, h: Tensor) =>
    network.blocks.slice(i, end).reduce((x, block) => {
      const past = block === 'code' ? mul(x, 0) : x;
      return network.join(past, network.branch(w, block, x, inferenceNorm), w, block);
    }, h);
  const points = ({ images, ...rest }: Examples, i: number, count: number, state: readonly number[]) => {
    const { x } = select({ images, ...rest }, range(count));
    const f = (w: Weights, x: Tensor) => through(0, i)(w, network.stem(w, x, inferenceNorm));
    const h = evaluate(f, [count, ...network.input], x);
    expect(h).toHaveLength(count * state.reduce((a, b) => a * b));
    return h;
  };
  const argmaxes = (logits: Float64Array) =>
    range(logits.length / 3).map((n) => {
      const own = [...logits.subarray(3 * n, 3 * n + 3)];
      return own.indexOf(Math.max(...own));
    });
  const classify = (x: Float64Array, f: (w: Weights, x: Tensor) => Tensor, shape: readonly number[]) =>
    argmaxes(evaluate((w, h) => network.classify(w, f(w, h)), [TESTED, ...shape], x));
  const end = network.blocks.length;
  const features = (w: Weights, h: Tensor) => network.features(h, w);
  const exact = network.reconstructs
    ? []
    : classify(points(TEST, end, TESTED, stateShape(last)), features, stateShape(last));
  const share = (classes: number[]) => (count: number) =>
    classes.filter((c, n) => n < count && c === exact[n]).length / count;
  return blocks.map(({ stage, name }) => {
    const i = network.blocks.indexOf(name);
    const state = stateShape(stage);
    const [whole, dim] = [state, stage.shape].map((shape) => shape.reduce((a, b) => a * b)) as [
      number,
      number,
    ];
    const own = (stage.tokens?.to ?? 0) * dim;
    const h = points(TRAIN, i, IMAGES, state);
    const moved = range(2 * dim).flatMap((m) => {
      const copy = h.slice();
      for (let n = 0; n < IMAGES; n++) copy[n * whole + own + (m >> 1)]! += m % 2 ? -1e-5 : 1e-5;
      return [...copy];
    });
    const z = evaluate(
      (w, x) => network.pooled(through(i, end)(w, x)),
      [2 * dim * IMAGES, ...state],
      Float64Array.from(moved),
    );
    /** Of image n: d × outputs. */
    const jacobian = (n: number) =>
      range(dim).flatMap((d) =>
        range(outputs).map((o) => {
          const at = (sign: number) => z[((2 * d + sign) * IMAGES + n) * outputs + o]!;
          return (at(0) - at(1)) / 2e-5;
        }),
      );
    const all = range(IMAGES).map(jacobian);
    const mean = all[0]!.map((_, e) => all.reduce((sum, j) => sum + j[e]!, 0) / IMAGES);
    const square = (x: number[]) => x.reduce((sum, v) => sum + v * v, 0);
    const spread = all.reduce((sum, j) => sum + square(j.map((v, e) => v - mean[e]!)), 0);
    const error = Math.sqrt(((IMAGES / (IMAGES - 1)) * spread) / all.reduce((sum, j) => sum + square(j), 0));
    if (network.reconstructs) return { error };
    const tested = points(TEST, i, TESTED, state);
    const transported = Float64Array.from({ length: TESTED * outputs }, (_, e) => {
      const [n, o] = [Math.floor(e / outputs), e % outputs];
      return range(dim).reduce((sum, d) => sum + mean[d * outputs + o]! * tested[n * whole + own + d]!, 0);
    });
    const lens = share(classify(transported, (w, x) => network.normed(x, w), [outputs]));
    return { error, lens, direct: share(classify(tested, features, state)) };
  });
}

test.each(Object.entries(NETWORKS))(
  'the Jacobian lens of a network %s is that of float64',
  async (_, network) => {
    const state = someState(network);
    const exact = expected(network, state);
    const compare = (measured: Awaited<ReturnType<typeof found>>, tested: number) => {
      const { lensError, lensAgreement, directAgreement } = measured;
      expect(lensError).toHaveLength(exact.length);
      for (const [k, { error, lens, direct }] of exact.entries()) {
        expect(Math.abs(lensError![k]! - error)).toBeLessThan(1e-4 * error);
        expect(lensAgreement![k]).toBe(lens ? lens(tested) : null);
        expect(directAgreement![k]).toBe(direct ? direct(tested) : null);
      }
    };
    await withGpu(async (gpu) => {
      compare(await found(gpu, network, state), TESTED);
      // Room for three rows at a time, and for fewer images to try the lens on.
      const maxBindingBytes = 4 * largestActivation(network) * IMAGES * 3;
      const tested = evaluationBatch(network, { maxBindingBytes });
      expect(tested).toBe(3 * IMAGES);
      compare(await found(poisoned(gpu, { maxBindingBytes }), network, state), tested);
    });
    expect(Math.max(...exact.map(({ error }) => error))).toBeGreaterThan(0.05);
  },
);

test('the lens of linear blocks is exact, and it is measured only if asked for', async () => {
  const network = new FcResNet({ inputs: SIDE ** 2, depth: 2, width: 9, ...COMMON, activation: 'identity' });
  const state = someState(network);
  for (let i = 0; i < 2; i++) {
    state.parameters.get(`blocks.${i}.bn1.bias`)!.fill(100); // all units are open
    state.statistics.get(`blocks.${i}.bn2.running_mean`)!.fill(0);
  }
  await withGpu(async (gpu) => {
    const { lensError } = await found(gpu, network, state);
    for (const error of lensError!) expect(error).toBeLessThan(1e-5);
    expect(await found(gpu, network, state, { lens: false })).toEqual({});
  });
});
