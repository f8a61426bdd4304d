import { batchReader } from '../analysis/batch-reader.ts';
import type { DeviceArray } from '../autograd/array.ts';
import type { Gpu } from '../gpu/device.ts';
import { philox } from '../kernels/philox.ts';
import { shuffleIndex } from '../kernels/shuffle.ts';
import { range } from '../lists.ts';
import { type BatchStatistics, trainingNorm } from '../train/batch-norm.ts';
import { floats } from '../train/bound.ts';
import { evaluationBatch } from '../train/evaluate.ts';
import type { DeviceExamples } from '../train/examples.ts';
import { type Network, statisticsOf } from '../train/network.ts';
import { type HostState, isWithin, keyOf } from '../train/state.ts';

/** Last counter word; random labels have 2. */
const PERMUTED = 3;

/**
 * A network whose weights are the given ones in random order: each tensor keeps its numbers and loses what
 * their places say. The vectors of one layer, such as the scale and the shift of a norm, move alike: a
 * channel keeps its pair. Zeros where a network has no weights stay.
 */
export function permutedWeights(network: Network, { step, parameters }: HostState, seed: number) {
  const layerOf = (name: string) => name.slice(0, name.lastIndexOf('.') + 1);
  const vectors = network.parameters.filter(({ shape }) => shape.length === 1);
  const keys = new Map<string, number>();
  const permuted = network.parameters.map(({ name, shape, within }) => {
    const own = shape.length === 1 ? layerOf(name) : name;
    if (!keys.has(own)) keys.set(own, philox([keys.size, 0, 0, PERMUTED], keyOf(seed))[0]);
    const parts = within ?? vectors.find((v) => layerOf(v.name) === own)?.within;
    const data = parameters.get(name)!;
    const places = parts && range(data.length).filter(isWithin(shape, parts));
    const count = places?.length ?? data.length;
    const moved = data.slice();
    for (let i = 0; i < count; i++) {
      const from = shuffleIndex(i, keys.get(own)!, count);
      moved[places ? places[i]! : i] = data[places ? places[from]! : from]!;
    }
    return [name, moved] as const;
  });
  return { step, parameters: new Map(permuted), moments: [] };
}

/** What BatchNorm layers compute over the first images: statistics in place of the running ones. */
export async function batchStatistics(
  gpu: Gpu,
  network: Network,
  weights: Readonly<Record<string, DeviceArray>>,
  examples: DeviceExamples,
): Promise<HostState['statistics']> {
  const names = statisticsOf(network);
  if (names.length === 0) return new Map();
  const batch = Math.min(examples.labels.size, evaluationBatch(network, gpu.traits));
  const options = { label: 'batch statistics', count: batch, batch };
  using reader = await batchReader(gpu, network, weights, examples, options, (weights, x) => {
    const seen: Record<string, BatchStatistics> = {};
    network.forward(weights, x, trainingNorm(seen));
    return names.map(({ kind, norm }) => seen[norm.name]![kind === 'var' ? 'variance' : 'mean']);
  });
  const found: Float32Array[] = [];
  for await (const { result } of reader.read()) found.push(...(await Promise.all(result.map(floats))));
  return new Map(names.map(({ name }, i) => [name, found[i]!]));
}
