import type { AdapterTraits, Kernel } from '../../gpu/kernel.ts';
import type { Body, Scalar } from '../../kernels/fused.ts';
import { pointwise } from '../../kernels/pointwise.ts';
import { reduce } from '../../kernels/reduce.ts';
import { bind, loweringOf } from '../bind.ts';
import type { Primitive, ReduceKind } from '../primitives.ts';
import type { Lowering } from '../rule.ts';
import { bytesOf, sizeOf, type Tensor } from '../tensor.ts';
import { aliasRoot } from './expression.ts';
import type { Group } from './groups.ts';
import type { Replaced } from './in-place.ts';

/** Memory that a group's kernels need among themselves. */
export interface Scratch {
  readonly bytes: number;
}

/** A part of a value's memory. A loop's values at two steps are two values, wherever they lie. */
export interface Part {
  readonly of: Tensor | Scratch;
  readonly offset: number;
  readonly bytes: number;
}

/** A kernel with the values that it binds, not yet placed in memory. */
export interface Emitted {
  readonly kernel: Kernel;
  readonly values: readonly (Tensor | Scratch | Part)[];
}

/** A group as the kernels that compute it. `replaced` are outputs that replace an input, by that input. */
export function emit(group: Group, traits: AdapterTraits, replaced: Replaced): readonly Emitted[] {
  const { kind, nodes, chain } = group;
  const [node] = nodes as [Tensor];
  const lowering = loweringOf(node);
  if (chain) {
    return [{ kernel: chain.kernel(), values: [...chain.product.inputs, node, ...chain.leaves] }];
  }
  if (kind === 'pointwise') return [emitPointwise(group, traits, replaced)];
  if (kind === 'reduce') return emitReduce(group, traits);
  if (lowering.kind === 'kernel') {
    const first = nodes.flatMap(({ inputs }) => inputs.slice(0, 1));
    const values = [...first, ...node.inputs.slice(1), ...nodes];
    return [{ kernel: lowering.make(node, traits, nodes), values }];
  }
  if (lowering.kind === 'multi-output') return [emitOutputs(group, lowering, traits)];
  throw new Error(`${node.op} has no kernel`);
}

/** The kernel of a fused expression; it reads and writes an input that it replaces through one binding. */
function emitPointwise({ nodes, expression }: Group, traits: AdapterTraits, replaced: Replaced): Emitted {
  const { body, buffers } = expression!;
  const originals = nodes.map((node) => replaced.get(node));
  const leaves = body.leaves.flatMap(({ source }, j) => (source === 'buffer' ? [j] : []));
  const inPlace = originals.map((input) => leaves[buffers.findIndex((t) => aliasRoot(t) === input)]);
  const kept = buffers.filter((t) => !originals.includes(aliasRoot(t) as Tensor<'input'>));
  return { kernel: pointwise(body, traits, inPlace), values: [...kept, ...nodes] };
}

/** Sums over this many terms for each of few results are made in two steps, so that all cores have work. */
const SPLIT_LENGTH = 4096;
const SPLIT_WAYS = 64;
/** The kinds of the two steps: what each part gives, and how parts are put together. */
const WITHIN = { sum: 'sum', mean: 'sum', max: 'max', prod: 'prod', variance: 'moments' } as const;
const BETWEEN = { sum: 'sum', mean: 'mean', max: 'max', prod: 'prod', variance: 'merged' } as const;

function emitReduce({ nodes, expression, rounds }: Group, traits: AdapterTraits): Emitted[] {
  const { body, buffers } = expression!;
  if (rounds) {
    const kinds = rounds.reductions.map(({ params }) => params.kind);
    const [{ params, inputs }] = rounds.reductions as [Tensor<'reduce'>];
    const reduced = inputs[0]!.shape.map((_, axis) => params.axes.includes(axis - inputs[0]!.rank));
    const kernel = reduce({ body, kinds, reduced, rounds }, traits);
    return [{ kernel, values: [...rounds.operands, ...buffers, ...nodes] }];
  }
  const [{ params, size: results }] = nodes as [Tensor<'reduce'>];
  const kinds = (nodes as readonly Tensor<'reduce'>[]).map((node) => node.params.kind);
  const reduced = body.space.map((_, axis) => params.axes.includes(axis - body.space.length));
  const length = sizeOf(body.space) / results;
  const counts = kinds.map((kind) => (kind === 'variance' ? 4 : 1));
  const bindings = counts.reduce((sum, count) => sum + count, buffers.length);
  if (length < SPLIT_LENGTH || results >= SPLIT_WAYS || bindings > traits.maxStorageBuffersPerStage) {
    return [
      {
        kernel: reduce({ body, kinds, reduced }, traits),
        values: [...buffers, ...nodes],
      },
    ];
  }
  const parts = counts.map((count) =>
    Array.from({ length: count }, () => ({ bytes: 4 * SPLIT_WAYS * results })),
  );
  const within = { body, kinds: kinds.map((kind) => WITHIN[kind]), reduced, splits: SPLIT_WAYS };
  const between = kinds.map((kind, r) => ({
    body: partsBody(kind, nodes[r]!.dtype as Scalar, parts[r]!.length, results, length),
    kinds: [BETWEEN[kind]],
    reduced: [true, false],
  }));
  return [
    { kernel: reduce(within, traits), values: [...buffers, ...parts.flat()] },
    ...between.map((spec, r) => ({ kernel: reduce(spec, traits), values: [...parts[r]!, nodes[r]!] })),
  ];
}

/** What the second step of a reduction over `length` elements reads: `count` results of each part. */
function partsBody(kind: ReduceKind, dtype: Scalar, count: number, results: number, length: number): Body {
  const parts = Array.from({ length: count }, (_, j) => j);
  // The mean of means: shares of the whole could be too small for float32.
  const value = (j: number) => (kind === 'mean' ? `x${j} / F(${length / SPLIT_WAYS}f)` : `x${j}`);
  return {
    space: [SPLIT_WAYS, results],
    leaves: parts.map(() => ({ dtype, source: 'buffer', strides: [results, 1] })),
    lines: [],
    results: parts.map((j) => ({ expression: value(j), dtype })),
    helpers: [],
    scalarOnly: kind === 'variance',
    cost: 0,
  };
}

/** One kernel for all outputs of an operation; those not asked for are scratch. */
function emitOutputs(
  { nodes }: Group,
  { parts, make }: Extract<Lowering<Primitive>, { kind: 'multi-output' }>,
  traits: AdapterTraits,
): Emitted {
  const [{ op, inputs }] = nodes as [Tensor];
  const outputs = parts.map((params) => {
    const node = nodes.find((n) => JSON.stringify(n.params) === JSON.stringify(params));
    return node ?? { bytes: bytesOf(bind(op, inputs, params)) };
  });
  return { kernel: make(inputs[0]!, traits), values: [inputs[0]!, ...outputs] };
}
