import { DeviceArray } from '../autograd/array.ts';
import { add, array, div, iota, minimum } from '../autograd/functions.ts';
import { sizeOf } from '../autograd/shape.ts';
import type { As } from '../autograd/signature.ts';
import type { Tensor } from '../autograd/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import { type ResidualNetwork, type Stage, stateShape } from '../models/residual-network.ts';
import { inferenceNorm } from '../train/batch-norm.ts';
import { bound, floats } from '../train/bound.ts';
import { evaluationBatch } from '../train/evaluate.ts';
import { type DeviceExamples, inputsOf } from '../train/examples.ts';
import { Loader } from '../train/loader.ts';
import type { Network, Weights } from '../train/network.ts';
import { BUDGET_BYTES } from './batches.ts';

interface BatchOptions {
  readonly label: string;
  readonly count: number;
  readonly batch: number;
  readonly chosen?: readonly number[];
}

/** A function of images, compiled for batches of a set. */
export interface BatchReader<R> extends Disposable {
  /** Results per batch with the current weights: read each before the next; its first `rows` rows count. */
  read(): AsyncGenerator<{
    readonly result: As<R, 'device'>;
    readonly start: number;
    readonly rows: number;
  }>;
}

/**
 * `weights` are parameters and running statistics by name; the first `count` examples are read, or those
 * numbered `chosen`, in one batch.
 */
export async function batchReader<R>(
  gpu: Gpu,
  network: Network,
  weights: Readonly<Record<string, DeviceArray>>,
  examples: DeviceExamples,
  { label, count, batch, chosen }: BatchOptions,
  of: (weights: Weights, x: Tensor) => R,
): Promise<BatchReader<R>> {
  const order = (step: number, i: number) => chosen?.[i] ?? Math.min(step * batch + i, count - 1);
  const loader = new Loader(gpu, examples, batch, order);
  const position = DeviceArray.zeros(gpu, [1], 'u32', 'position');
  const inputs = [weights, loader.table, position];
  const program = await bound(gpu, label, inputs, (weights: Weights, images: Tensor, position: Tensor) => {
    const next = minimum(add(iota([batch]), position), count - 1);
    const index = chosen ? array(chosen, [batch], 'u32') : next;
    const rows = loader.rows(div(position, batch), index);
    return of(weights, inputsOf(images, rows, examples, network.input));
  });
  return {
    async *read() {
      for (let start = 0; start < count; start += batch) {
        position.write([start]);
        loader.queue(start / batch, 1, () => gpu.submit([program]));
        yield { result: program.result, start, rows: Math.min(batch, count - start) };
      }
    },
    [Symbol.dispose]() {
      for (const own of [program, position, loader]) own.dispose();
    },
  };
}

/** How many rows of features h of one image has, and how long they are. */
export function rowsOf(stage: Stage): { readonly features: number; readonly positions: number } {
  const features = stage.shape.at(-1)!;
  return { features, positions: sizeOf(stateShape(stage)) / features };
}

/** Examples whose h at all points fits into memory. */
export function pointsBatch(gpu: Gpu, network: ResidualNetwork): number {
  const bytes = network.stages.reduce((sum, s) => sum + 4 * (s.blocks.length + 1) * sizeOf(stateShape(s)), 0);
  return Math.max(1, Math.min(Math.floor(BUDGET_BYTES / 2 / bytes), evaluationBatch(network, gpu.traits)));
}

/** h at all points, [stage][point], of the first `count` examples: every `stride`-th row of features. */
export async function readPoints(
  gpu: Gpu,
  network: ResidualNetwork,
  weights: Readonly<Record<string, DeviceArray>>,
  examples: DeviceExamples,
  count: number,
  stride: (stage: number) => number = () => 1,
): Promise<Float32Array[][]> {
  const options = { label: 'points', count, batch: Math.min(count, pointsBatch(gpu, network)) };
  using reader = await batchReader(gpu, network, weights, examples, options, (weights, x) => ({
    points: network.representations(weights, x, inferenceNorm).points,
  }));
  const sides = network.stages.map(rowsOf);
  const all = network.stages.map(({ blocks }, s) => {
    const { features, positions } = sides[s]!;
    const rows = Math.ceil((count * positions) / stride(s));
    return [...blocks, ''].map(() => new Float32Array(rows * features));
  });
  for await (const { result, start, rows } of reader.read())
    for (const [s, { features, positions }] of sides.entries()) {
      const every = stride(s);
      for (const [l, point] of result.points[s]!.entries()) {
        const found = await floats(point);
        const first = every * Math.ceil((start * positions) / every);
        for (let row = first; row < (start + rows) * positions; row += every) {
          const from = (row - start * positions) * features;
          all[s]![l]!.set(found.subarray(from, from + features), (row / every) * features);
        }
      }
    }
  return all;
}
