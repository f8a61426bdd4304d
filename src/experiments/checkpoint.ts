import { CollimateError } from '../errors.ts';
import { otherFormat } from '../format.ts';
import { type NetworkOptions, networkOf } from '../models/network-of.ts';
import type { Network } from '../train/network.ts';
import type { HostState } from '../train/state.ts';
import { decodeSafetensors, encodeSafetensors, type TensorData } from './safetensors.ts';

const FORMAT = 'collimate/checkpoint@1';
const MOMENTUM = 'optimizer.momentum.';
export const BATCHES = '.num_batches_tracked';

/** Sums over the steps of an epoch that is not over yet. */
export interface EpochSums {
  readonly loss: number;
  readonly accuracy: number;
}

/** What a checkpoint says besides its tensors. */
export interface CheckpointInfo {
  readonly experiment: string;
  readonly network: NetworkOptions;
  /** Everything else that decides the training, by name: what a resumed run must agree with. */
  readonly training: Readonly<Record<string, unknown>> & {
    readonly seed: number;
    readonly images?: number;
    readonly randomLabels?: number;
    readonly superclasses?: boolean;
  };
  /** Of the training images, scaled to [0, 1], by channel: what inputs are normalized by. */
  readonly normalization: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** Only in the middle of a run, so that a finished checkpoint does not depend on how often it was cut off. */
  readonly progress?: { readonly sums: EpochSums; readonly seconds: number };
}

export interface Checkpoint {
  readonly info: CheckpointInfo;
  readonly state: HostState;
}

/**
 * A checkpoint as a safetensors file. Parameters and running statistics have the names and layouts that PyTorch would
 * give them, momentum buffers the prefix `optimizer.momentum.`.
 */
export function encodeCheckpoint({ info, state }: Checkpoint): Uint8Array {
  const network = networkOf(info.network);
  const tensors = new Map<string, TensorData>();
  const values = new Map([...state.parameters, ...state.statistics, ...prefixed(state.momentum)]);
  for (const [name, shape] of shapesOf(network, state.momentum.size > 0)) {
    tensors.set(
      name,
      name.endsWith(BATCHES)
        ? { dtype: 'I64', shape, data: BigInt64Array.of(BigInt(state.step)) }
        : { dtype: 'F32', shape, data: values.get(name)! },
    );
  }
  return encodeSafetensors(tensors, {
    format: FORMAT,
    step: `${state.step}`,
    seed: `${info.training.seed}`,
    experiment: info.experiment,
    network: JSON.stringify(info.network),
    training: JSON.stringify(info.training),
    normalization: JSON.stringify(info.normalization),
    ...(info.progress && { progress: JSON.stringify(info.progress) }),
  });
}

/** Reads a checkpoint, and checks that it has just the tensors of the network that it names. */
export function decodeCheckpoint(bytes: Uint8Array, fileName: string): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(bytes, fileName);
  const fail = (message: string) =>
    new CollimateError(`${fileName} ${message}`, 'Use a checkpoint that `npm run reproduce` has written.');
  if (metadata.format !== FORMAT) {
    throw otherFormat(fileName, metadata.format, FORMAT, {
      older: 'Train the network again, or use the version of Collimate that has written it.',
      other: 'Use a checkpoint that `npm run reproduce` has written. Weights alone need `--experiment`.',
    });
  }
  const field = (name: string): Record<string, unknown> => {
    try {
      const value: unknown = JSON.parse(metadata[name] ?? '');
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch {}
    throw fail(`has no readable ${name} in its metadata`);
  };
  const step = Number(metadata.step);
  if (!Number.isSafeInteger(step) || step < 0) throw fail(`is of step ${metadata.step}`);
  const info = {
    experiment: metadata.experiment ?? '',
    network: networkFrom(field('network')),
    training: field('training'),
    normalization: normalizationFrom(field('normalization')),
    ...(metadata.progress && { progress: field('progress') }),
  } as unknown as CheckpointInfo;
  const { depth = 0 } = info.network as { depth?: number };
  if (!(depth <= tensors.size)) throw fail(`claims ${depth} blocks`);
  let network: Network;
  try {
    network = networkOf(info.network);
  } catch (cause) {
    throw cause instanceof CollimateError ? cause : fail('describes no network in its metadata');
  }
  return { info, state: stateOf(tensors, network, step, fail) };
}

/** A state from tensors that are checked to be just those of a network. */
export function stateOf(
  tensors: ReadonlyMap<string, TensorData>,
  network: Network,
  step: number,
  fail: (message: string) => CollimateError,
): HostState {
  const momentum = [...tensors.keys()].some((name) => name.startsWith(MOMENTUM));
  checkTensors(tensors, shapesOf(network, momentum), fail);
  const pick = (names: Iterable<string>, prefix = '') =>
    new Map([...names].map((name) => [name, tensors.get(prefix + name)!.data as Float32Array]));
  const parameters = network.parameters.map((p) => p.name);
  const statistics = network.norms.flatMap(({ name }) => [`${name}.running_mean`, `${name}.running_var`]);
  return {
    step,
    parameters: pick(parameters),
    statistics: pick(statistics),
    momentum: momentum ? pick(parameters, MOMENTUM) : new Map(),
  };
}

/** Options as a file has them: those of the first version are of a fully connected network and do not say so. */
export const networkFrom = (options: object): NetworkOptions =>
  ({ kind: 'fc', ...options }) as NetworkOptions;

/** Normalization as a file has it: in the first version a number, for the only channel. */
export function normalizationFrom(given: object): CheckpointInfo['normalization'] {
  const { mean, std } = given as Record<'mean' | 'std', number | number[]>;
  return { mean: [mean].flat(), std: [std].flat() };
}

/** The first tensor of a state that holds something not finite, if any. */
export function firstNonFinite(state: HostState): string | undefined {
  for (const [name, data] of [...state.parameters, ...state.statistics, ...prefixed(state.momentum)]) {
    if (!data.every(Number.isFinite)) return name;
  }
  return undefined;
}

const prefixed = (momentum: HostState['momentum']): [string, Float32Array][] =>
  [...momentum].map(([name, data]) => [MOMENTUM + name, data]);

/** Every tensor of a checkpoint with its shape, in order. */
function shapesOf(network: Network, momentum: boolean): Map<string, readonly number[]> {
  return new Map<string, readonly number[]>([
    ...network.parameters.map(({ name, shape }) => [name, shape] as const),
    ...network.norms.flatMap(({ name, features }) => [
      [`${name}.running_mean`, [features]] as const,
      [`${name}.running_var`, [features]] as const,
      [name + BATCHES, []] as const,
    ]),
    ...(momentum ? network.parameters.map(({ name, shape }) => [MOMENTUM + name, shape] as const) : []),
  ]);
}

function checkTensors(
  tensors: ReadonlyMap<string, TensorData>,
  shapes: ReadonlyMap<string, readonly number[]>,
  fail: (message: string) => CollimateError,
): void {
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (!tensor && name.endsWith(BATCHES)) continue;
    if (!tensor) throw fail(`lacks the tensor ${name}, which its network has`);
    const dtype = name.endsWith(BATCHES) ? 'I64' : 'F32';
    if (tensor.dtype !== dtype || `${tensor.shape}` !== `${shape}`) {
      throw fail(
        `has the tensor ${name} as ${tensor.dtype} [${tensor.shape}] where its network has ${dtype} [${shape}]`,
      );
    }
    if (tensor.dtype === 'F32' && !tensor.data.every(Number.isFinite)) {
      throw fail(`has values in the tensor ${name} that are not finite`);
    }
  }
  const extra = [...tensors.keys()].find((name) => !shapes.has(name));
  if (extra !== undefined) throw fail(`has a tensor ${extra}, which its network has not`);
}
