/**
 * TensorFlow.js on WebGPU: its optimizer and its own gradients, operation by operation, since it compiles nothing larger,
 * and waited for by `data()` of what is wanted.
 */
import type { Tensor, Tensor1D, Tensor2D, Variable } from '@tensorflow/tfjs';
import * as data from './data.ts';
import { type MatmulWork, type Peer, type Prepared, type StepWork, serve, Unsupported } from './serve.ts';

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

/** A bias-free linear layer [inputs, outputs], with BatchNorm by the batch's own statistics if it has any. */
function layerOf(tf: Tf, weight: Variable, norm: boolean): (x: Tensor2D) => Tensor2D {
  const linear = (x: Tensor2D) => tf.matMul(x, weight as Tensor) as Tensor2D;
  if (!norm) return linear;
  const width = weight.shape[1]!;
  const [scale, shift] = [tf.variable(tf.ones([width])), tf.variable(tf.zeros([width]))];
  return (x) => {
    const y = linear(x);
    const { mean, variance } = tf.moments(y, 0);
    return tf.batchNorm2d(
      y,
      mean as Tensor1D,
      variance as Tensor1D,
      shift as Tensor1D,
      scale as Tensor1D,
      1e-5,
    );
  };
}

function network(tf: Tf, { norm, depth, width, inputs, classes }: StepWork): (x: Tensor2D) => Tensor2D {
  let seed = 0;
  const weight = (from: number, to: number) =>
    tf.variable(tf.tensor2d(data.linear(seed++, from, to), [from, to]));
  const layer = (from: number) => layerOf(tf, weight(from, width), norm);
  const stem = layer(inputs);
  const blocks = Array.from({ length: depth }, () => [layer(width), layer(width)] as const);
  const head = weight(width, classes);
  const bias = tf.variable(tf.zeros([classes]));
  return (x) => {
    let h = tf.relu(stem(x));
    for (const [first, second] of blocks) h = tf.relu(tf.add(h, second(tf.relu(first(h)))));
    return tf.add(tf.matMul(h, head as Tensor), bias);
  };
}

function step(tf: Tf, work: StepWork): Prepared {
  const { batch, inputs, classes, steps } = work;
  const x = tf.tensor2d(data.uniform(data.INPUTS, batch * inputs, 1), [batch, inputs]);
  const y = tf.oneHot(tf.tensor1d(data.labels(batch, classes), 'int32'), classes);
  const predict = network(tf, work);
  const optimizer = tf.train.momentum(0.01, 0.9);
  const run = async () => {
    let value = Number.NaN;
    for (let i = 0; i < steps; i++) {
      const loss = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, predict(x)), true)!;
      [value] = (await loss.data()) as unknown as [number];
      loss.dispose();
    }
    return value;
  };
  return { run, check: run };
}
