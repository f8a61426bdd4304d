import { DeviceArray } from '../autograd/array.ts';
import { add, argmax, div, iota, minimum } from '../autograd/functions.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { evaluationBatch } from '../train/evaluate.ts';
import { type DeviceExamples, inputsOf } from '../train/examples.ts';
import { Feed } from '../train/feed.ts';
import type { Weights } from '../train/network.ts';
import { bound } from './bound.ts';

/** Reads the classifier's input and the predicted classes for the first examples of a set, in inference mode. */
export interface FeatureReader extends Disposable {
  /** Features [count, D] and predicted classes [count], with the current weights. */
  read(): Promise<{ features: Float32Array; predicted: Uint32Array }>;
}

/** `weights` are the arrays of parameters and running statistics, by name; of the examples, the first `maximum` are read. */
export async function featureReader(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  examples: DeviceExamples,
  maximum: number,
): Promise<FeatureReader> {
  const count = Math.min(maximum, examples.labels.size);
  const batch = evaluationBatch(network, gpu.traits);
  const feed = new Feed(gpu, examples, batch, (step, place) => Math.min(step * batch + place, count - 1));
  const position = DeviceArray.zeros(gpu, [1], 'u32', 'position');
  const inputs = [weights, feed.table, position];
  const program = await bound(
    gpu,
    'features',
    inputs,
    (weights: Weights, images: Tensor, position: Tensor) => {
      const index = minimum(add(iota([batch]), position), count - 1);
      const rows = feed.rows(div(position, batch), index);
      const x = inputsOf(images, rows, examples, network.input);
      const { features, logits } = network.representations(weights, x, inferenceNorm);
      return { features, predicted: argmax(logits) };
    },
  );
  return {
    async read() {
      const { features, predicted } = program.result;
      const dim = features.shape[1]!;
      const all = { features: new Float32Array(count * dim), predicted: new Uint32Array(count) };
      for (let step = 0; step * batch < count; step++) {
        position.write([step * batch]);
        feed.queue(step, 1, () => gpu.submit([program]));
        const rows = Math.min(batch, count - step * batch);
        const [own, classes] = await Promise.all([features.read(), predicted.read()]);
        all.features.set(own.subarray(0, rows * dim), step * batch * dim);
        all.predicted.set(classes.subarray(0, rows), step * batch);
      }
      return all;
    },
    [Symbol.dispose]() {
      for (const own of [program, position, feed]) own.dispose();
    },
  };
}
