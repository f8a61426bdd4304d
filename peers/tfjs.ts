/**
 * TensorFlow.js on WebGPU: its optimizer and gradients, one operation at a time, since it compiles nothing
 * larger; awaited with the result's `data()`.
 */
import type { Tensor, Tensor1D, Tensor4D, Variable } from '@tensorflow/tfjs';
import * as data from './data.ts';
import {
  CHECKED_STEPS,
  type ConvWork,
  type LayerWork,
  type MatmulWork,
  type Peer,
  type Prepared,
  type StepWork,
  serve,
  Unsupported,
} from './serve.ts';

type Tf = typeof import('@tensorflow/tfjs');

await serve(open);

async function open(): Promise<Peer> {
  const tf = await import('@tensorflow/tfjs');
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs found no WebGPU device');
  await tf.ready();
  return {
    name: 'tfjs-webgpu',
    version: tf.version_core,
    async prepare(work) {
      if (work.kind === 'matmul') return matmul(tf, work);
      if (work.kind === 'conv') return conv(tf, work);
      if (work.kind === 'layer') return layer(tf, work);
      if (work.kind !== 'step') throw new Unsupported('tfjs has neither Jacobians nor an SVD');
      if (work.graph) throw new Unsupported('CUDA graphs are for CUDA');
      return step(tf, work);
    },
  };
}

function matmul(tf: Tf, { m, n, k, transposeA, transposeB }: MatmulWork): Prepared {
  const [dataA, dataB] = data.operands(m, n, k);
  const a = tf.tensor2d(dataA, transposeA ? [k, m] : [m, k]);
  const b = tf.tensor2d(dataB, transposeB ? [n, k] : [k, n]);
  const run = async () => {
    const product = tf.matMul(a, b, transposeA, transposeB);
    const c = await product.data<'float32'>();
    product.dispose();
    return c;
  };
  return {
    run,
    async check() {
      const c = await run();
      let sum = 0;
      for (let i = 0; i < Math.min(m, n); i++) sum += c[i * n + i]!;
      return sum;
    },
  };
}

/** Images [n, height, width, inputs], weights [height, width, inputs, outputs]: its default, and fastest. */
function conv(tf: Tf, work: ConvWork): Prepared {
  const { images, height, width, inputChannels, outputChannels, size, stride, padding, gradients } = work;
  const operands = data.convOperands(work);
  const x = tf.tensor4d(operands.x, [images, height, width, inputChannels]);
  const w = tf.tidy(() =>
    tf.tensor4d(operands.w, [outputChannels, inputChannels, size, size]).transpose([2, 3, 1, 0]),
  );
  const dy = tf.tensor4d(operands.dy, [images, ...data.outputSides(work), outputChannels]);
  const forward = (x: Tensor, w: Tensor) => tf.conv2d(x as Tensor4D, w as Tensor4D, stride, padding);
  const both = tf.valueAndGrads(forward);
  const results = (): Tensor[] => {
    if (!gradients) return [forward(x, w as Tensor)];
    const { value, grads } = both([x, w as Tensor], dy);
    return [value, ...grads];
  };
  return repeated(tf, results, async (result, i) => {
    const inOrder = result.transpose(i < 2 ? [0, 3, 1, 2] : [3, 2, 0, 1]);
    const sum = data.samples(await inOrder.data<'float32'>(), inOrder.shape);
    inOrder.dispose();
    return sum;
  });
}

/** Work with several results, each summed up by `sample`. */
function repeated(
  tf: Tf,
  results: () => Tensor[],
  sample: (result: Tensor, i: number) => Promise<number>,
): Prepared {
  return {
    // Everything is submitted in order, so when one result is there all are; the last is the smallest.
    async run() {
      const found = results();
      await found.at(-1)!.data();
      tf.dispose(found);
    },
    async check() {
      const found = results();
      let sum = 0;
      for (const [i, result] of found.entries()) sum += await sample(result, i);
      tf.dispose(found);
      return sum;
    },
  };
}

/** Neither layer is one operation, nor has gradients of its own. */
function layer(tf: Tf, work: LayerWork): Prepared {
  const { groups, rows, features } = work;
  const [a, b, c, dy] = data
    .layerOperands(work)
    .map((x) =>
      x.length === features ? tf.tensor1d(x) : tf.tensor3d(x, [groups, rows, features]),
    ) as unknown as [Tensor, Tensor, Tensor, Tensor];
  const attention = (q: Tensor, k: Tensor, v: Tensor) =>
    tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(features))), v);
  const layerNorm = (x: Tensor, weight: Tensor, bias: Tensor) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
  };
  const both = tf.valueAndGrads(work.layer === 'attention' ? attention : layerNorm);
  const results = (): Tensor[] => {
    const { value, grads } = both([a, b, c], dy);
    return [value, ...grads];
  };
  return repeated(tf, results, async (result) => data.rowSamples(await result.data<'float32'>(), work));
}

/** A layer without a bias, with BatchNorm by the batch's own statistics if there is any. */
function normalized(
  tf: Tf,
  layer: (x: Tensor) => Tensor,
  width: number,
  norm: boolean,
): (x: Tensor) => Tensor {
  if (!norm) return layer;
  const [scale, shift] = [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))];
  return (x) => {
    const y = layer(x);
    const { mean, variance } = tf.moments(
      y,
      y.shape.slice(0, -1).map((_, axis) => axis),
    );
    return tf.batchNorm(
      y,
      mean as Tensor1D,
      variance as Tensor1D,
      shift as unknown as Tensor1D,
      scale as unknown as Tensor1D,
      1e-5,
    );
  };
}

function network(tf: Tf, work: StepWork): (x: Tensor) => Tensor {
  const { norm, depth, width, classes } = work;
  let seed = 0;
  const weight = (from: number, to: number) =>
    tf.variable(tf.tensor2d(data.linear(seed++, from, to), [from, to]));
  const linear = (from: number) => {
    const w = weight(from, width);
    return normalized(tf, (x) => tf.matMul(x, w as Tensor), width, norm);
  };
  const convolution = (from: number, { size, stride, padding }: Window) => {
    const w: Variable = tf.tidy(() =>
      tf.variable(
        tf
          .tensor4d(data.convolution(seed++, width, from, size), [width, from, size, size])
          .transpose([2, 3, 1, 0]),
      ),
    );
    const layer = (x: Tensor) => tf.conv2d(x as Tensor4D, w as unknown as Tensor4D, stride, padding);
    return normalized(tf, layer, width, norm);
  };
  const stem = work.network === 'fc' ? linear(work.inputs) : convolution(work.inputs[2], work.stem);
  const inner = () =>
    work.network === 'fc' ? linear(width) : convolution(width, { size: 3, stride: 1, padding: 1 });
  const blocks = Array.from({ length: depth }, () => [inner(), inner()] as const);
  const head = weight(width, classes);
  const bias = tf.variable(tf.zeros([classes]));
  return (x) => {
    let h = tf.relu(stem(x));
    for (const [first, second] of blocks) h = tf.relu(tf.add(h, second(tf.relu(first(h)))));
    if (work.network === 'conv') h = tf.mean(h, [1, 2]);
    return tf.add(tf.matMul(h, head as Tensor), bias);
  };
}

type Window = Pick<ConvWork, 'size' | 'stride' | 'padding'>;

function step(tf: Tf, work: StepWork): Prepared {
  const { batch, classes, inputs } = work;
  const shape = typeof inputs === 'number' ? [batch, inputs] : [batch, ...inputs];
  const x = tf.tensor(
    data.uniform(
      data.INPUTS,
      shape.reduce((a, b) => a * b),
      1,
    ),
    shape,
  );
  const y = tf.oneHot(tf.tensor1d(data.labels(batch, classes), 'int32'), classes);
  const predict = network(tf, work);
  const optimizer = tf.train.momentum(0.01, 0.9);
  const run = async () => {
    const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, predict(x)), true)!;
    const [value] = (await loss.data()) as unknown as [number];
    loss.dispose();
    return value;
  };
  return {
    run,
    async check() {
      for (let i = 1; i < CHECKED_STEPS; i++) await run();
      return run();
    },
  };
}
