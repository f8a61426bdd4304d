/** jax-js on WebGPU: whole steps and analyses compiled by `jit`, awaited with `blockUntilReady`. */
import { readFileSync } from 'node:fs';
import * as data from './data.ts';
import {
  type AnalysisWork,
  CHECKED_STEPS,
  type ConvWork,
  type LayerWork,
  type MatmulWork,
  type Peer,
  type Prepared,
  type StepWork,
  serve,
  Unsupported,
  type Work,
} from './serve.ts';

type Jax = typeof import('@jax-js/jax');
type Array = import('@jax-js/jax').Array;

await serve(open);

async function open(): Promise<Peer> {
  const jax = await import('@jax-js/jax');
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  jax.defaultDevice('webgpu');
  const manifest = new URL('../package.json', import.meta.resolve('@jax-js/jax'));
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return { name: 'jax-js', version, prepare: (work) => prepare(jax, work) };
}

async function prepare(jax: Jax, work: Work): Promise<Prepared> {
  switch (work.kind) {
    case 'matmul':
      return matmul(jax, work);
    case 'conv':
      return conv(jax, work);
    case 'layer':
      return layer(jax, work);
    case 'step':
      if (work.graph) throw new Unsupported('CUDA graphs are for CUDA');
      return step(jax, work);
    case 'analysis':
      return analysis(jax, work);
    default:
      throw new Unsupported(`no ${(work as Work).kind} in jax-js`);
  }
}

async function matmul(jax: Jax, { m, n, k, transposeA, transposeB }: MatmulWork): Promise<Prepared> {
  const { numpy: np, jit, blockUntilReady } = jax;
  const [dataA, dataB] = data.operands(m, n, k);
  const a = np.array(dataA).reshape(transposeA ? [k, m] : [m, k]);
  const b = np.array(dataB).reshape(transposeB ? [n, k] : [k, n]);
  await blockUntilReady([a, b]);
  const product = jit((x: Array, y: Array) =>
    np.matmul(transposeA ? x.transpose() : x, transposeB ? y.transpose() : y),
  );
  return {
    async run() {
      const c = product(a.ref, b.ref);
      await blockUntilReady(c);
      c.dispose();
    },
    async check() {
      const c = await product(a.ref, b.ref).data();
      let sum = 0;
      for (let i = 0; i < Math.min(m, n); i++) sum += c[i * n + i]!;
      return sum;
    },
  };
}

/** Its only layout: images [n, channels, height, width], and weights as in PyTorch. */
async function conv(jax: Jax, work: ConvWork): Promise<Prepared> {
  const { numpy: np, jit, vjp, blockUntilReady } = jax;
  const { images, height, width, inputChannels, outputChannels, size, gradients } = work;
  const operands = data.convOperands(work);
  const x = np.array(operands.x).reshape([images, height, width, inputChannels]).transpose([0, 3, 1, 2]);
  const w = np.array(operands.w).reshape([outputChannels, inputChannels, size, size]);
  const dy = np
    .array(operands.dy)
    .reshape([images, ...data.outputSides(work), outputChannels])
    .transpose([0, 3, 1, 2]);
  await blockUntilReady([x, w, dy]);
  const forward = (x: Array, w: Array) => convolve(jax, x, w, work);
  const output = jit(forward);
  const all = jit((x: Array, w: Array, dy: Array) => {
    const [y, pull] = vjp(forward, [x, w]);
    const [dx, dw] = pull(dy);
    return [y, dx, dw];
  });
  const found = async (): Promise<Array[]> =>
    blockUntilReady(gradients ? all(x.ref, w.ref, dy.ref) : [output(x.ref, w.ref)]);
  return {
    async run() {
      for (const result of await found()) result.dispose();
    },
    async check() {
      let sum = 0;
      for (const result of await found()) {
        const { shape } = result;
        sum += data.samples((await result.data()) as Float32Array, shape);
      }
      return sum;
    },
  };
}

/** Attention by matmul: its `dotProductAttention` does not run in Node 20, whose iterators have no `map`. */
async function layer(jax: Jax, work: LayerWork): Promise<Prepared> {
  const { numpy: np, nn, jit, vjp, blockUntilReady } = jax;
  const { groups, rows, features } = work;
  const operands = data
    .layerOperands(work)
    .map((x) => (x.length === features ? np.array(x) : np.array(x).reshape([groups, rows, features])));
  await blockUntilReady(operands);
  const attention = (q: Array, k: Array, v: Array) =>
    np.matmul(nn.softmax(np.matmul(q, k.transpose([0, 2, 1])).mul(1 / Math.sqrt(features)), -1), v);
  const layerNorm = (x: Array, weight: Array, bias: Array) => nn.standardize(x, -1).mul(weight).add(bias);
  const all = jit((a: Array, b: Array, c: Array, dy: Array) => {
    const [y, pull] = vjp(work.layer === 'attention' ? attention : layerNorm, [a, b, c]);
    return [y, ...pull(dy)];
  });
  const found = async (): Promise<Array[]> => {
    const [a, b, c, dy] = operands.map((x) => x.ref) as [Array, Array, Array, Array];
    return blockUntilReady(all(a, b, c, dy));
  };
  return {
    async run() {
      for (const result of await found()) result.dispose();
    },
    async check() {
      let sum = 0;
      for (const result of await found()) sum += data.rowSamples((await result.data()) as Float32Array, work);
      return sum;
    },
  };
}

function convolve({ lax }: Jax, x: Array, w: Array, { stride, padding }: Moves): Array {
  const sides: [number, number] = [padding, padding];
  return lax.conv(x, w, [stride, stride], [sides, sides]);
}

/** How a window moves. */
type Moves = Pick<ConvWork, 'stride' | 'padding'>;

/** A bias-free layer, linear [inputs, outputs] or convolutional, and BatchNorm's scale and shift, if any. */
type Layer = { weight: Array; norm: Array[] };
type Params = { stem: Layer; blocks: [Layer, Layer][]; head: Array; bias: Array };

function network({ numpy: np }: Jax, work: StepWork): Params {
  const { depth, width, classes } = work;
  let seed = 0;
  const linear = (from: number, to: number) => np.array(data.linear(seed++, from, to)).reshape([from, to]);
  const convolution = (from: number, size: number) =>
    np.array(data.convolution(seed++, width, from, size)).reshape([width, from, size, size]);
  const ofFeatures = work.network === 'fc' ? [width] : [width, 1, 1];
  const layer = (weight: Array): Layer => ({
    weight,
    norm: work.norm ? [np.ones(ofFeatures), np.zeros(ofFeatures)] : [],
  });
  const inner = () => layer(work.network === 'fc' ? linear(width, width) : convolution(width, 3));
  return {
    stem: layer(
      work.network === 'fc' ? linear(work.inputs, width) : convolution(work.inputs[2], work.stem.size),
    ),
    blocks: globalThis.Array.from({ length: depth }, (): [Layer, Layer] => [inner(), inner()]),
    head: linear(width, classes),
    bias: np.zeros([classes]),
  };
}

/** Mean cross-entropy of one-hot `labels`. Like all of jax-js, it takes ownership of its arguments. */
function lossOf(jax: Jax, work: StepWork, params: Params, inputs: Array, labels: Array): Array {
  const { numpy: np, nn } = jax;
  const isConv = work.network === 'conv';
  const apply = (
    x: Array,
    { weight, norm: [scale, shift] }: Layer,
    moves: Moves = { stride: 1, padding: 1 },
  ) => {
    const y = isConv ? convolve(jax, x, weight, moves) : np.matmul(x, weight);
    return scale && shift
      ? nn
          .standardize(y, isConv ? [0, 2, 3] : 0)
          .mul(scale)
          .add(shift)
      : y;
  };
  let h = nn.relu(apply(inputs, params.stem, isConv ? work.stem : undefined));
  for (const [first, second] of params.blocks) {
    h = nn.relu(h.ref.add(apply(nn.relu(apply(h, first)), second)));
  }
  if (isConv) h = np.mean(h, [2, 3]);
  const batch = labels.shape[0]!;
  return nn
    .logSoftmax(np.matmul(h, params.head).add(params.bias))
    .mul(labels)
    .sum()
    .mul(-1 / batch);
}

async function step(jax: Jax, work: StepWork): Promise<Prepared> {
  const { numpy: np, nn, tree, jit, valueAndGrad, blockUntilReady } = jax;
  const { batch, classes } = work;
  const examples = (shape: readonly number[]) =>
    np.array(data.uniform(data.INPUTS, batch * shape.reduce((a, b) => a * b), 1)).reshape([batch, ...shape]);
  const x = work.network === 'fc' ? examples([work.inputs]) : examples(work.inputs).transpose([0, 3, 1, 2]);
  const y = nn.oneHot(np.array(data.labels(batch, classes), { dtype: np.int32 }), classes);
  let params = network(jax, work);
  let momenta = tree.map((p: Array) => np.zerosLike(p), tree.ref(params)) as Params;
  let loss = np.array(0);
  await blockUntilReady({ x, y, params, momenta });

  const gradientOf = valueAndGrad((params: Params, x: Array, y: Array) => lossOf(jax, work, params, x, y));
  const train = jit((params: Params, momenta: Params, x: Array, y: Array) => {
    const [loss, gradients] = gradientOf(tree.ref(params), x, y);
    const moved = tree.map((v: Array, g: Array) => v.mul(0.9).add(g), momenta, gradients) as Params;
    const updated = tree.map((p: Array, v: Array) => p.sub(v.mul(0.01)), params, tree.ref(moved)) as Params;
    return { params: updated, momenta: moved, loss };
  });
  const run = async () => {
    loss.dispose();
    ({ params, momenta, loss } = train(params, momenta, x.ref, y.ref));
    // The program is submitted as a whole, so its loss is there when all is. Queued steps hold on to
    // reusable memory, and are slower for it.
    await blockUntilReady(loss);
  };
  return {
    run,
    async check() {
      for (let i = 0; i < CHECKED_STEPS; i++) await run();
      return (await loss.ref.data())[0]!;
    },
  };
}

async function analysis(jax: Jax, { samples, depth, width, triples }: AnalysisWork): Promise<Prepared> {
  const { numpy: np, nn, jit, vmap, jacfwd, blockUntilReady } = jax;
  const weights = (first: number) =>
    np.stack(
      globalThis.Array.from({ length: depth }, (_, i) =>
        np.array(data.linear(first + 2 * i, width, width)).reshape([width, width]),
      ),
    );
  const [w1, w2] = [weights(0), weights(1)];
  const h = np.array(data.uniform(data.INPUTS, samples * width, 1)).reshape([samples, width]);
  await blockUntilReady([w1, w2, h]);
  const triplesOf = jit((w1: Array, w2: Array, h: Array) => {
    const jacobians = vmap(
      (w1: Array, w2: Array, h: Array) =>
        vmap(jacfwd((x: Array) => np.matmul(nn.relu(np.matmul(x, w1)), w2)))(h),
      [0, 0, null],
    )(w1, w2, h);
    const [u, s, vh] = np.linalg.svd(jacobians, { fullMatrices: false });
    return [u.slice([], [], [], [0, triples]), s.slice([], [], [0, triples]), vh.slice([], [], [0, triples])];
  });
  const found = async () => {
    const [u, s, vh] = await blockUntilReady(triplesOf(w1.ref, w2.ref, h.ref));
    u!.dispose();
    vh!.dispose();
    return s!;
  };
  return {
    run: async () => (await found()).dispose(),
    check: async () => {
      const leading = (await found()).slice([], [], 0).mean();
      return (await leading.data())[0]!;
    },
  };
}
