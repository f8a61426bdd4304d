import { DeviceArray } from '../autograd/array.ts';
import { add, argmax, div, iota, minimum } from '../autograd/functions.ts';
import { type BoundProgram, compile } from '../autograd/program.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import type { ResidualNetwork } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { evaluationBatch } from '../train/evaluate.ts';
import { type DeviceExamples, inputsOf } from '../train/examples.ts';
import { Feed } from '../train/feed.ts';
import type { Weights } from '../train/network.ts';
import { specsOf } from '../train/trainer.ts';

/** Reads what a network's classifier reads, and what it makes of that, for the first examples of a set, in inference mode. */
export class FeatureReader implements Disposable {
  readonly #gpu: Gpu;
  readonly #program: BoundProgram<{ features: Tensor; predicted: Tensor }>;
  readonly #feed: Feed;
  readonly #position: DeviceArray;
  readonly #count: number;

  private constructor(
    gpu: Gpu,
    program: BoundProgram<{ features: Tensor; predicted: Tensor }>,
    feed: Feed,
    position: DeviceArray,
    count: number,
  ) {
    this.#gpu = gpu;
    this.#program = program;
    this.#feed = feed;
    this.#position = position;
    this.#count = count;
  }

  /** `weights` are the arrays of parameters and running statistics, by name; of the examples, the first `most` are read. */
  static async create(
    gpu: Gpu,
    network: ResidualNetwork,
    weights: Readonly<Record<string, DeviceArray>>,
    examples: DeviceExamples,
    most: number,
  ): Promise<FeatureReader> {
    const count = Math.min(most, examples.labels.size);
    const batch = evaluationBatch(network, gpu.traits);
    const feed = new Feed(gpu, examples, batch, (step, place) => Math.min(step * batch + place, count - 1));
    const position = DeviceArray.zeros(gpu, [1], 'u32', 'position');
    const inputs = [weights, feed.table, position];
    const program = await compile(
      gpu,
      (weights: Weights, images: Tensor, position: Tensor) => {
        const index = minimum(add(iota([batch]), position), count - 1);
        const rows = feed.rows(div(position, batch), index);
        const x = inputsOf(images, rows, examples, network.input);
        const { features, logits } = network.representations(weights, x, inferenceNorm);
        return { features, predicted: argmax(logits) };
      },
      specsOf(inputs),
      { label: 'features' },
    );
    return new FeatureReader(gpu, program.bind(inputs), feed, position, count);
  }

  /** Features [count, D] and predicted classes [count], with the current weights. */
  async read(): Promise<{ features: Float32Array; predicted: Uint32Array }> {
    const { features, predicted } = this.#program.result;
    const [batch, dim] = features.shape as [number, number];
    const all = { features: new Float32Array(this.#count * dim), predicted: new Uint32Array(this.#count) };
    for (let step = 0; step * batch < this.#count; step++) {
      this.#position.write([step * batch]);
      this.#feed.queue(step, 1, () => this.#gpu.submit([this.#program]));
      const rows = Math.min(batch, this.#count - step * batch);
      const [own, classes] = await Promise.all([features.read(), predicted.read()]);
      all.features.set(own.subarray(0, rows * dim), step * batch * dim);
      all.predicted.set(classes.subarray(0, rows), step * batch);
    }
    return all;
  }

  [Symbol.dispose](): void {
    this.#program.dispose();
    this.#position.dispose();
    this.#feed.dispose();
  }
}
