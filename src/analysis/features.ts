import type { DeviceArray } from '../autograd/array.ts';
import { argmax, concat, reshape } from '../autograd/functions.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { evaluationBatch } from '../train/evaluate.ts';
import type { DeviceExamples } from '../train/examples.ts';
import { batchReader } from './batch-reader.ts';

/** Reads the classifier's input and the predicted classes of a set's first examples, in inference mode. */
export interface FeatureReader extends Disposable {
  /**
   * Features [count, D] and predicted classes [count] with the current weights; `early`: the classes
   * predicted if the network ended before each of the last stage's blocks, [count] each.
   */
  read(): Promise<{ features: Float32Array; predicted: Uint32Array; early: Uint32Array[] }>;
}

/** `weights` are parameters and running statistics by name; the first `maximum` examples are read. */
export async function featureReader(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  examples: DeviceExamples,
  maximum: number,
): Promise<FeatureReader> {
  const count = Math.min(maximum, examples.labels.size);
  const batch = evaluationBatch(network, gpu.traits);
  const reader = await batchReader(
    ...([gpu, network, weights, examples] as const),
    { label: 'features', count, batch },
    (weights, x) => {
      const { points, features, logits } = network.representations(weights, x, inferenceNorm);
      const early = points
        .at(-1)!
        .slice(0, -1)
        .map((h) => network.classify(weights, network.features(h, weights)));
      const predicted = [...early, logits].map((each) => reshape(argmax(each), [1, batch]));
      return { features, predicted: concat(predicted, -2) };
    },
  );
  return {
    async read() {
      const all = new Float32Array(count * network.stages.at(-1)!.shape.at(-1)!);
      const points = network.stages.at(-1)!.blocks.length + 1;
      const ends = Array.from({ length: points }, () => new Uint32Array(count));
      for await (const { result, start, rows } of reader.read()) {
        const [own, classes] = await Promise.all([result.features.read(), result.predicted.read()]);
        const dim = all.length / count;
        all.set(own.subarray(0, rows * dim), start * dim);
        ends.forEach((end, l) => {
          end.set(classes.subarray(l * batch, l * batch + rows), start);
        });
      }
      return { features: all, predicted: ends.pop()!, early: ends };
    },
    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}
