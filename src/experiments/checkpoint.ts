import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { otherFormat } from '../format.ts';
import { networkOf, networkOptions } from '../models/networks.ts';
import { parseJson } from '../record.ts';
import { above0, atLeast0, checked, finite, whole } from '../schema.ts';
import { trainingSchema } from '../settings/settings.ts';
import { type Network, statisticsOf } from '../train/network.ts';
import type { HostState } from '../train/state.ts';
import { decodeSafetensors, encodeSafetensors, type TensorData } from './safetensors.ts';

const FORMAT = 'collimate/checkpoint@1';
/** Prefixes of an optimizer's running averages, by their number; AdamW's have PyTorch's names. */
const MOMENTS = [[], ['optimizer.momentum.'], ['optimizer.exp_avg.', 'optimizer.exp_avg_sq.']] as const;
export const BATCHES = '.num_batches_tracked';

/** Sums over the steps of an epoch that is not over yet. */
const sums = v.strictObject({ loss: finite, accuracy: atLeast0 });

/** Statistics of the training images by channel, scaled to [0, 1], which normalize inputs. */
export const normalization = v.strictObject({
  mean: v.pipe(v.array(finite), v.minLength(1, 'a number for each channel'), v.readonly()),
  std: v.pipe(v.array(above0()), v.minLength(1, 'a number for each channel'), v.readonly()),
});

const info = {
  experiment: v.string(),
  network: networkOptions,
  /** What a resumed run must agree with. */
  training: trainingSchema,
  normalization,
  /** Only mid-run, so that a finished checkpoint does not depend on how often the run was interrupted. */
  progress: v.exactOptional(v.strictObject({ sums, seconds: atLeast0 })),
};
const metadata = v.strictObject({
  ...info,
  format: v.literal(FORMAT),
  step: whole(),
  seed: whole(),
  /** Checksum of everything else. */
  sha256: v.string(),
});

export type CheckpointInfo = Readonly<v.InferOutput<v.StrictObjectSchema<typeof info, undefined>>>;
export type TrainingInfo = Omit<CheckpointInfo, 'progress'>;

export interface Checkpoint {
  readonly info: CheckpointInfo;
  readonly state: HostState;
}

/**
 * A checkpoint as a safetensors file. Parameters and running statistics have PyTorch's names and layouts,
 * the optimizer's running averages a prefix: `optimizer.momentum.`.
 */
export function encodeCheckpoint({ info, state }: Checkpoint): Uint8Array {
  const network = networkOf(info.network);
  const tensors = new Map<string, TensorData>();
  const values = new Map([...state.parameters, ...state.statistics, ...prefixed(state.moments)]);
  for (const [name, shape] of shapesOf(network, state.moments.length)) {
    tensors.set(
      name,
      name.endsWith(BATCHES)
        ? { dtype: 'I64', shape, data: BigInt64Array.of(BigInt(state.step)) }
        : { dtype: 'F32', shape, data: values.get(name)! },
    );
  }
  const metadata = {
    format: FORMAT,
    step: `${state.step}`,
    seed: `${info.training.seed}`,
    experiment: info.experiment,
    network: JSON.stringify(info.network),
    training: JSON.stringify(info.training),
    normalization: JSON.stringify(info.normalization),
    ...(info.progress && { progress: JSON.stringify(info.progress) }),
  };
  return encodeSafetensors(tensors, { ...metadata, sha256: checksum(tensors, metadata) });
}

/** SHA-256 of a checkpoint's metadata and tensors, in whatever order a file has them. */
export function checksum(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>>,
): string {
  const byName = <T>(entries: Iterable<readonly [string, T]>) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify(byName(Object.entries(metadata))));
  for (const [name, { dtype, shape, data }] of byName(tensors)) {
    hash.update(JSON.stringify([name, dtype, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

const DAMAGED = `Restore the file from a copy, or use a checkpoint written by \`${command('reproduce')}\`.`;

/** Reads a checkpoint and checks that it is intact and has exactly the tensors of the network it names. */
export function decodeCheckpoint(bytes: Uint8Array, fileName: string): Checkpoint {
  const { tensors, metadata: texts } = decodeSafetensors(bytes, fileName);
  const fail = (message: string) => new CollimateError(`${fileName} ${message}`, DAMAGED);
  if (texts.format !== FORMAT) {
    throw otherFormat(fileName, texts.format, FORMAT, {
      older: 'Train the network again, or use the version of Collimate that wrote it.',
      other: `Use a checkpoint written by \`${command('reproduce')}\`. Bare weights need \`--experiment\`.`,
    });
  }
  const { sha256, ...summed } = texts;
  if (sha256 !== undefined && sha256 !== checksum(tensors, summed)) {
    throw fail('is damaged: its contents do not match its checksum');
  }
  const found = checked(fieldsOf(texts, fileName), metadata, `${fileName}: its metadata`, DAMAGED);
  const { step, seed, format: _, sha256: __, ...info } = found;
  if (seed !== info.training.seed) {
    throw fail(`contradicts itself: its seed is ${seed}, and in its training ${info.training.seed}`);
  }
  const { depth = 0 } = info.network as { depth?: number };
  if (!(depth <= tensors.size)) throw fail(`claims ${depth} blocks`);
  const state = stateOf(tensors, networkOf(info.network), step, fail);
  for (const [name, { data }] of tensors) {
    if (!name.endsWith(BATCHES) || Number(data[0]) === step) continue;
    throw fail(`contradicts itself: it is of step ${step}, and ${name} is ${data[0]}`);
  }
  return { info, state };
}

function fieldsOf(texts: Readonly<Record<string, string>>, fileName: string): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...texts };
  const said = (name: string) => Object.hasOwn(texts, name);
  for (const name of ['step', 'seed'].filter(said)) {
    if (/^(0|[1-9]\d*)$/.test(texts[name]!)) fields[name] = Number(texts[name]);
  }
  for (const name of ['network', 'training', 'normalization', 'progress'].filter(said)) {
    fields[name] = parseJson(texts[name]!, `${fileName}: its metadata: ${name}`, DAMAGED);
  }
  return fields;
}

/** Refuses a part of a file that contradicts another, naming both. */
export function refuseDifference(
  has: unknown,
  expected: unknown,
  what: string,
  otherwise: string,
  remedy: string,
): void {
  if (isDeepStrictEqual(has, expected)) return;
  const [a, b] = [has, expected].map((x) => JSON.stringify(x));
  throw new CollimateError(`${what} is ${a}, and ${otherwise} ${b}`, remedy);
}

/** A state from tensors, checked to be exactly a network's. */
export function stateOf(
  tensors: ReadonlyMap<string, TensorData>,
  network: Network,
  step: number,
  fail: (message: string) => CollimateError,
): HostState {
  const moments = MOMENTS.findLast(
    ([first]) => first === undefined || [...tensors.keys()].some((name) => name.startsWith(first)),
  )!;
  checkTensors(tensors, shapesOf(network, moments.length), fail);
  const pick = (names: Iterable<string>, prefix = '') =>
    new Map([...names].map((name) => [name, tensors.get(prefix + name)!.data as Float32Array]));
  const parameters = network.parameters.map((p) => p.name);
  return {
    step,
    parameters: pick(parameters),
    statistics: pick(statisticsOf(network).map((s) => s.name)),
    moments: moments.map((prefix) => pick(parameters, prefix)),
  };
}

export function firstNonFinite(state: HostState): string | undefined {
  for (const [name, data] of [...state.parameters, ...state.statistics, ...prefixed(state.moments)]) {
    if (!data.every(Number.isFinite)) return name;
  }
  return undefined;
}

const prefixed = (moments: HostState['moments']): [string, Float32Array][] =>
  moments.flatMap((own, i) =>
    [...own].map(([name, data]): [string, Float32Array] => [MOMENTS[moments.length]![i]! + name, data]),
  );

/** Every tensor of a checkpoint with its shape, in order. */
function shapesOf(network: Network, moments: number): Map<string, readonly number[]> {
  return new Map<string, readonly number[]>([
    ...network.parameters.map(({ name, shape }) => [name, shape] as const),
    ...statisticsOf(network).flatMap(({ kind, norm, name, shape }) => [
      [name, shape] as const,
      ...(kind === 'var' ? [[norm.name + BATCHES, []] as const] : []),
    ]),
    ...MOMENTS[moments]!.flatMap((prefix) =>
      network.parameters.map(({ name, shape }) => [prefix + name, shape] as const),
    ),
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
      throw fail(`has the tensor ${name} as ${tensor.dtype} [${tensor.shape}], expected ${dtype} [${shape}]`);
    }
    if (tensor.dtype === 'F32' && !tensor.data.every(Number.isFinite)) {
      throw fail(`has values in the tensor ${name} that are not finite`);
    }
    if (name.endsWith('.running_var') && (tensor.data as Float32Array).some((x) => x < 0)) {
      throw fail(`has negative values in the tensor ${name}, which holds variances`);
    }
  }
  const extra = [...tensors.keys()].find((name) => !shapes.has(name));
  if (extra !== undefined) throw fail(`has a tensor ${extra}, which its network does not have`);
}
