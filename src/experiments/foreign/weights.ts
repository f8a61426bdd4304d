import { sizeOf } from '../../autograd/shape.ts';
import { CollimateError } from '../../errors.ts';
import { type NetworkOptions, networkOf } from '../../models/networks.ts';
import { statisticsOf } from '../../train/network.ts';
import type { HostState } from '../../train/state.ts';
import type { TensorFiles } from './tensor-files.ts';

/** Where a file holds a tensor of ours: its name and shape there, and how to convert its data. */
export interface Source {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from?: (data: Float32Array) => Float32Array;
}

/** Maps a tensor of ours to its place in a file; undefined if the file has none, and the tensor is 0. */
export type Mapping = (name: string, shape: readonly number[]) => Source | undefined;

/** Not needed: counts of batches, positions, masks, tables that options imply, a token for training. */
const IDLE =
  /(^|\.)(num_batches_tracked|position_ids|masked_bias|inv_freq|mask_token|pooler\.dense\.(weight|bias)|attn\.bias|attention\.bias)$/;

const NAMED = 3;

/**
 * The weights of a network, from exactly its tensors in any order.
 * @throws CollimateError with what is missing, misshapen or left over; `what` says what it was taken for
 */
export function weightsOf(
  files: TensorFiles,
  options: NetworkOptions,
  what: string,
  mapping: Mapping = (name, shape) => ({ name, shape }),
): HostState {
  const network = networkOf(options);
  const statistics = statisticsOf(network);
  const sources = new Map(
    [...network.parameters, ...statistics].map(({ name, shape }) => [name, mapping(name, shape)]),
  );
  const found = [...sources.values()].filter((source) => source !== undefined);
  const expected = new Map(found.map(({ name, shape }) => [name, shape]));
  const lacking = [...expected.keys()].filter((name) => !files.shapes.has(name));
  const others = [...expected].flatMap(([name, shape]) => {
    const own = files.shapes.get(name);
    return own && `${own}` !== `${shape}` ? `${name} as [${own}], expected [${shape}]` : [];
  });
  const extra = [...files.shapes.keys()].filter((name) => !expected.has(name) && !IDLE.test(name));
  const problems = [
    ...(lacking.length ? [`lacks ${some(lacking)}`] : []),
    ...(others.length ? [`has ${some(others)}`] : []),
    ...(extra.length ? [`has ${some(extra)} beside its tensors`] : []),
  ];
  if (problems.length > 0)
    throw new CollimateError(
      `${files.path}, as ${what}, ${problems.join('; it ')}`,
      'Use a file with the weights of that network.',
    );
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const { name: there, from } = sources.get(name) ?? {};
    if (there === undefined) return new Float32Array(sizeOf(shape));
    const data = files.read(there);
    const problem = data.every(Number.isFinite)
      ? name.endsWith('.running_var') && data.some((x) => x < 0) && 'negative, but is of variances'
      : 'not finite';
    if (!problem) return from ? from(data) : data;
    throw new CollimateError(`${files.path} has values in ${there} that are ${problem}`, 'Use another copy.');
  };
  const load = (list: readonly { readonly name: string; readonly shape: readonly number[] }[]) =>
    new Map(list.map(({ name, shape }) => [name, read(name, shape)]));
  return { step: 0, parameters: load(network.parameters), statistics: load(statistics), moments: [] };
}

const some = (names: readonly string[]): string =>
  names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ` and ${names.length - NAMED} more` : '');

/** Which rows of a file's tensor make up ours, stored as rows or as columns; a vector's rows are numbers. */
export interface Rows {
  /** Rows in the file; default: as many as ours. */
  readonly total?: number;
  /** The file's row for row r of ours; default: r. */
  readonly at?: (r: number) => number;
  readonly transposed?: boolean;
  /** Axes of size 1 in front. */
  readonly lead?: number;
}

export function rowsOf(name: string, shape: readonly number[], given: Rows): Source {
  const [rows, ...rest] = shape as [number, ...number[]];
  const { total = rows, at = (r) => r, transposed = false, lead = 0 } = given;
  const each = sizeOf(rest);
  const from = (data: Float32Array) =>
    Float32Array.from({ length: rows * each }, (_, i) => {
      const [row, column] = [at(Math.floor(i / each)), i % each];
      return data[transposed ? column * total + row : row * each + column]!;
    });
  const there = transposed ? [...rest, total] : [total, ...rest];
  return { name, shape: [...Array<number>(lead).fill(1), ...there], from };
}

/** The ten classes of ImageNette, in the order of their WordNet numbers, among ImageNet's 1000. */
export const IMAGENETTE_IN_IMAGENET = [0, 217, 482, 491, 497, 566, 569, 571, 574, 701];
export const IMAGENET_CLASSES = 1000;

/** Reorders the outputs of a classifier: those in `first` come first, the others follow in order. */
export function bringForward(state: HostState, weight: string, first: readonly number[]): void {
  const classes = state.parameters.get(weight.replace(/weight$/, 'bias'))!.length;
  for (const name of [weight, weight.replace(/weight$/, 'bias')]) {
    const data = state.parameters.get(name)!;
    const each = data.length / classes;
    const rows = Array.from({ length: classes }, (_, c) => c);
    const order = [...first, ...rows.filter((c) => !first.includes(c))];
    const moved = data.slice();
    order.forEach((from, to) => {
      moved.set(data.subarray(from * each, (from + 1) * each), to * each);
    });
    state.parameters.set(name, moved);
  }
}
