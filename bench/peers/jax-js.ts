/** jax-js on WebGPU: whole steps and whole analyses compiled by `jit`, and waited for by `blockUntilReady`. */
import { readFileSync } from 'node:fs';
import * as data from './data.ts';
import {
  type AnalysisWork,
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

/** A bias-free linear layer [inputs, outputs], and BatchNorm's scale and shift if it has one. */
type Layer = { weight: Array; norm: Array[] };
type Params = { stem: Layer; blocks: [Layer, Layer][]; head: Array; bias: Array };

function network({ numpy: np }: Jax, work: StepWork): Params {
  const { depth, width, inputs, classes } = work;
  let seed = 0;
  const weight = (from: number, to: number) => np.array(data.linear(seed++, from, to)).reshape([from, to]);
  const layer = (from: number): Layer => ({
    weight: weight(from, width),
    norm: work.norm ? [np.ones([width]), np.zeros([width])] : [],
  });
  return {
    stem: layer(inputs),
    blocks: globalThis.Array.from({ length: depth }, (): [Layer, Layer] => [layer(width), layer(width)]),
    head: weight(width, classes),
    bias: np.zeros([classes]),
  };
}

/** Mean cross-entropy of one-hot `labels`. Like all functions of jax-js it takes over what it is given. */
function lossOf({ numpy: np, nn }: Jax, params: Params, inputs: Array, labels: Array): Array {
  const linear = (x: Array, { weight, norm: [scale, shift] }: Layer) => {
    const y = np.matmul(x, weight);
    return scale && shift ? nn.standardize(y, 0).mul(scale).add(shift) : y;
  };
  let h = nn.relu(linear(inputs, params.stem));
  for (const [first, second] of params.blocks) {
    h = nn.relu(h.ref.add(linear(nn.relu(linear(h, first)), second)));
  }
  const batch = labels.shape[0]!;
  return nn
    .logSoftmax(np.matmul(h, params.head).add(params.bias))
    .mul(labels)
    .sum()
    .mul(-1 / batch);
}

async function step(jax: Jax, work: StepWork): Promise<Prepared> {
  const { numpy: np, nn, tree, jit, valueAndGrad, blockUntilReady } = jax;
  const { batch, inputs, classes, steps } = work;
  const x = np.array(data.uniform(data.INPUTS, batch * inputs, 1)).reshape([batch, inputs]);
  const y = nn.oneHot(np.array(data.labels(batch, classes), { dtype: np.int32 }), classes);
  let params = network(jax, work);
  let momenta = tree.map((p: Array) => np.zerosLike(p), tree.ref(params)) as Params;
  let loss = np.array(0);
  await blockUntilReady({ x, y, params, momenta });

  const gradientOf = valueAndGrad((params: Params, x: Array, y: Array) => lossOf(jax, params, x, y));
  const train = jit((params: Params, momenta: Params, x: Array, y: Array) => {
    const [loss, gradients] = gradientOf(tree.ref(params), x, y);
    const moved = tree.map((v: Array, g: Array) => v.mul(0.9).add(g), momenta, gradients) as Params;
    const updated = tree.map((p: Array, v: Array) => p.sub(v.mul(0.01)), params, tree.ref(moved)) as Params;
    return { params: updated, momenta: moved, loss };
  });
  const run = async () => {
    for (let i = 0; i < steps; i++) {
      loss.dispose();
      ({ params, momenta, loss } = train(params, momenta, x.ref, y.ref));
      // The program is submitted as a whole, so its loss is there when all is. Steps that are queued hold on to memory
      // that could be used again, and are the slower for it.
      await blockUntilReady(loss);
    }
  };
  return {
    run,
    async check() {
      await run();
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
