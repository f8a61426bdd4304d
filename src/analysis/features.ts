import { DeviceArray } from '../autograd/array.ts';
import { add, argmax, concat, div, iota, minimum, reshape } from '../autograd/functions.ts';
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
  /**
   * Features [count, D] and predicted classes [count], with the current weights; and the classes that the classifier would predict if the
   * network ended before each of the last stage's blocks, [count] each.
   */
  read(): Promise<{ features: Float32Array; predicted: Uint32Array; early: Uint32Array[] }>;
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
      const { points, features, logits } = network.representations(weights, x, inferenceNorm);
      const early = points
        .at(-1)!
        .slice(0, -1)
        .map((h) => network.classify(weights, network.features(h)));
      const predicted = [...early, logits].map((each) => reshape(argmax(each), [1, batch]));
      return { features, predicted: concat(predicted, -2) };
    },
  );
  return {
    async read() {
      const { features, predicted } = program.result;
      const dim = features.shape[1]!;
      const all = new Float32Array(count * dim);
      const ends = Array.from({ length: predicted.shape[0]! }, () => new Uint32Array(count));
      for (let step = 0; step * batch < count; step++) {
        position.write([step * batch]);
        feed.queue(step, 1, () => gpu.submit([program]));
        const rows = Math.min(batch, count - step * batch);
        const [own, classes] = await Promise.all([features.read(), predicted.read()]);
        all.set(own.subarray(0, rows * dim), step * batch * dim);
        ends.forEach((end, l) => {
          end.set(classes.subarray(l * batch, l * batch + rows), step * batch);
        });
      }
      return { features: all, predicted: ends.pop()!, early: ends };
    },
    [Symbol.dispose]() {
      for (const own of [program, position, feed]) own.dispose();
    },
  };
}
