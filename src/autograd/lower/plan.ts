import { CollimateError } from '../../errors.ts';
import type { Kernel } from '../../gpu/kernel.ts';
import type { AdapterTraits } from '../../gpu/traits.ts';
import { pointwise } from '../../kernels/pointwise.ts';
import { reduce } from '../../kernels/reduce.ts';
import { bind, loweringOf } from '../bind.ts';
import type { Graph } from '../graph.ts';
import type { Primitive } from '../primitives.ts';
import type { Lowering } from '../rule.ts';
import { formatShape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { epilogueOf, type Product } from './epilogue.ts';
import { aliasRoot, expressionOf } from './expression.ts';
import { partition, type Stage } from './fuse.ts';
import { type BufferRef, Memory } from './memory.ts';
import { withPadding } from './padding.ts';
import { simplify } from './simplify.ts';
import { type Step, type TexelCopy, withCopies } from './texels.ts';

export interface Dispatch {
  readonly kernel: Kernel;
  /** For each binding of the kernel but its sizes. */
  readonly buffers: readonly BufferRef[];
  /** Copies into textures that it needs first. */
  readonly copies: readonly TexelCopy[];
}

/** A graph as a fixed list of dispatches over planned memory. Plain data: it knows no device. */
export interface Plan {
  readonly dispatches: readonly Dispatch[];
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Bytes of each texture. */
  readonly textures: readonly number[];
  /** `inPlace[o] = i`: output `o` is bound to the same buffer as input `i`, which it replaces. */
  readonly inPlace: ReadonlyMap<number, number>;
}

export const byteSize = (t: Tensor): number => (t.dtype === 'u8' ? Math.ceil(t.size / 4) * 4 : 4 * t.size);

/** Sums over this many terms for each of few results are made in two steps, so that all cores have work. */
const SPLIT_LENGTH = 4096;
const SPLIT_WAYS = 64;

/** Lowers a graph: simplified, fused, its temporaries laid into shared slots. */
export function plan(
  graph: Pick<Graph, 'inputs' | 'outputs'>,
  traits: AdapterTraits,
  { inPlace = new Map() }: Partial<Pick<Plan, 'inPlace'>> = {},
): Plan {
  checkPairs(graph, inPlace);
  const outputs = ownOutputs(simplify(graph.outputs));
  const replaced = new Map([...inPlace].map(([o, i]) => [aliasRoot(outputs[o]!), graph.inputs[i]!]));
  const { stages: unordered, materialized } = partition(outputs, traits, replaced);
  const memory = new Memory('slot');
  const stages = readBeforeReplacing(unordered, replaced);
  const refs = new Map<Tensor, BufferRef>();
  graph.inputs.forEach((t, index) => {
    refs.set(t, { kind: 'input', index, bytes: byteSize(t) });
  });
  outputs.forEach((t, index) => {
    refs.set(aliasRoot(t), { kind: 'output', index, bytes: byteSize(t) });
  });

  const [lastRead, lastUse] = [new Map<Tensor, number>(), new Map<Tensor, number>()];
  stages.forEach((stage, i) => {
    for (const t of stage.reads) lastRead.set(t, i);
    for (const t of [...stage.reads, ...stage.nodes]) lastUse.set(t, i);
  });
  for (const t of refs.keys()) checkBinding(t);

  const emitted = stages.flatMap((stage, i) => {
    for (const t of stage.nodes) {
      checkBinding(t);
      if (!refs.has(t)) refs.set(t, memory.take(byteSize(t)));
    }
    const made = emit(stage, i);
    for (const t of new Set([...stage.reads, ...stage.nodes])) {
      const ref = refs.get(t)!;
      if (ref.kind === 'slot' && lastUse.get(t) === i) memory.release(ref);
    }
    return made;
  });
  const { steps, slots } = withPadding(emitted, memory.sizes, traits);
  return { ...withCopies(steps), slots, inPlace };

  function checkBinding(t: Tensor): void {
    if (byteSize(t) > traits.maxBindingBytes) {
      throw new CollimateError(
        `${t.op} of shape ${formatShape(t.shape)} takes ${byteSize(t)} bytes, more than the ${traits.maxBindingBytes} that this adapter lets one binding span`,
        'Use smaller sizes: a smaller batch, fewer samples, or fewer directions at a time.',
      );
    }
  }

  function refOf(t: Tensor): BufferRef {
    return refs.get(aliasRoot(t))!;
  }

  /** A kernel may replace an input by what it computes if no other reads the input later, or itself out of order. */
  function checkReplacement(node: Tensor, stage: Stage, position: number): void {
    const original = replaced.get(node);
    const first = stage.kind === 'pointwise' ? position + 1 : position;
    if (original && (lastRead.get(original) ?? -1) >= first) refuse(refOf(node), original);
  }

  function refuse({ index }: BufferRef, { params }: Tensor<'input'>): never {
    throw new CollimateError(
      `output ${index} cannot replace input ${params.name} in place: the input is still needed, or read in another order`,
      'Bind the output to a buffer of its own.',
    );
  }

  function emit(stage: Stage, position: number): Step[] {
    for (const node of stage.nodes) checkReplacement(node, stage, position);
    const [node] = stage.nodes as [Tensor];
    const lowering = loweringOf(node) as unknown as Lowering<Primitive>;
    switch (stage.kind) {
      case 'pointwise':
        return [emitPointwise(node)];
      case 'reduce':
        return emitReduce(stage.nodes as Tensor<'reduce'>[]);
      case 'kernel': {
        if (stage.product) return [emitProduct(stage.product, node)];
        if (lowering.kind !== 'kernel') throw new Error(`${node.op} has no kernel`);
        const kernel = lowering.make(node as never, traits);
        return [{ kernel, buffers: [...node.inputs.map(refOf), refOf(node)] }];
      }
      case 'joint': {
        if (lowering.kind !== 'joint') throw new Error(`${node.op} has no joint kernel`);
        const { kernel, scratch } = lowering.make(node.inputs[0]!, traits);
        const spare: BufferRef[] = [];
        const borrow = (bytes: number) => {
          const ref = memory.take(bytes);
          spare.push(ref);
          return ref;
        };
        const parts = lowering.parts.map((params) => {
          const part = stage.nodes.find((n) => JSON.stringify(n.params) === JSON.stringify(params));
          return part ? refOf(part) : borrow(byteSize(bind(node.op, node.inputs, params)));
        });
        const buffers = [refOf(node.inputs[0]!), ...parts];
        if (scratch) buffers.push(borrow(4 * scratch));
        spare.forEach((ref) => {
          memory.release(ref);
        });
        return [{ kernel, buffers }];
      }
    }
  }

  function emitProduct(product: Product, end: Tensor): Step {
    const { kernel, leaves } = epilogueOf(product, end, { materialized, traits })!;
    return { kernel: kernel(), buffers: [...product.inputs, end, ...leaves].map(refOf) };
  }

  function emitPointwise(node: Tensor): Step {
    const { body, buffers } = expressionOf([node], node.shape, materialized);
    const out = refOf(node);
    const original = replaced.get(node);
    if (!original) return { kernel: pointwise(body, traits), buffers: [...buffers.map(refOf), out] };
    const places = body.leaves.filter((l) => l.source === 'buffer');
    const mine = places.filter((_, b) => aliasRoot(buffers[b]!) === original);
    const dense = mine.every((l) => l.strides.every((s, a) => s === denseStride(node.shape, a)));
    if (!dense || original.size !== node.size) refuse(out, original);
    const leaf = mine[0] && body.leaves.indexOf(mine[0]);
    const kept = buffers.filter((t) => aliasRoot(t) !== original);
    return { kernel: pointwise(body, traits, [leaf]), buffers: [...kept.map(refOf), out] };
  }

  function emitReduce(nodes: readonly Tensor<'reduce'>[]): Step[] {
    const roots = nodes.map((n) => n.inputs[0]!);
    const { shape } = roots[0]!;
    const { body, buffers } = expressionOf(roots, shape, materialized, false);
    const kinds = nodes.map((n) => n.params.kind);
    const reduced = shape.map((_, axis) => nodes[0]!.params.axes.includes(axis - shape.length));
    const results = nodes[0]!.size;
    const length = roots[0]!.size / results;
    const outs = nodes.map(refOf);
    const reads = buffers.map(refOf);
    const parts = kinds.map((kind): number => (kind === 'variance' ? 4 : 1));
    const wide = reads.length + parts.reduce((a, b) => a + b) > traits.maxStorageBuffersPerStage;
    if (length < SPLIT_LENGTH || results >= SPLIT_WAYS || wide) {
      return [{ kernel: reduce({ body, kinds, reduced }, traits), buffers: [...reads, ...outs] }];
    }
    const partial = parts.map((count) =>
      Array.from({ length: count }, () => memory.take(4 * SPLIT_WAYS * results)),
    );
    const [within, between] = [
      { sum: 'sum', mean: 'sum', max: 'max', variance: 'moments' } as const,
      { sum: 'sum', mean: 'mean', max: 'max', variance: 'merged' } as const,
    ];
    const first = reduce(
      { body, kinds: kinds.map((kind) => within[kind]), reduced, splits: SPLIT_WAYS },
      traits,
    );
    const second = kinds.map(
      (kind, r): Step => ({
        kernel: reduce(
          {
            body: {
              space: [SPLIT_WAYS, results],
              leaves: partial[r]!.map(() => ({ dtype: 'f32', source: 'buffer', strides: [results, 1] })),
              lines: [],
              results: partial[r]!.map((_, j) => ({
                // The mean of means: shares of the whole could be too small for float32.
                expression: kind === 'mean' ? `x${j} / F(${length / SPLIT_WAYS}f)` : `x${j}`,
                dtype: 'f32',
              })),
              helpers: [],
              scalarOnly: kind === 'variance',
              cost: 0,
            },
            kinds: [between[kind]],
            reduced: [true, false],
          },
          traits,
        ),
        buffers: [...partial[r]!, outs[r]!],
      }),
    );
    for (const ref of partial.flat()) memory.release(ref);
    return [{ kernel: first, buffers: [...reads, ...partial.flat()] }, ...second];
  }
}

/** Throws unless each output that replaces an input is like it, and no other replaces it. */
function checkPairs({ inputs, outputs }: Pick<Graph, 'inputs' | 'outputs'>, inPlace: Plan['inPlace']): void {
  const told = (t: Tensor | undefined) => (t ? `${t.dtype}${formatShape(t.shape)}` : 'none');
  const taken = new Set<number>();
  for (const [o, i] of inPlace) {
    const [output, input] = [told(outputs[o]), told(inputs[i])];
    const once = !taken.has(i);
    taken.add(i);
    if (input !== 'none' && output === input && once) continue;
    throw new CollimateError(
      `output ${o} cannot replace input ${i} in place: they are ${output} and ${input}${once ? '' : ', and another output replaces it'}`,
      'Pair each output with an input of its own, of the same type and shape.',
    );
  }
}

/** Moves each stage that overwrites an input behind all stages that read it, as far as its own users allow. */
function readBeforeReplacing(stages: readonly Stage[], replaced: ReadonlyMap<Tensor, Tensor>): Stage[] {
  if (!replaced.size) return [...stages];
  const maker = new Map(stages.flatMap((s) => s.nodes.map((n) => [n, s] as const)));
  const readers = new Map<Tensor, Stage[]>([...replaced.values()].map((t) => [t, []]));
  for (const stage of stages) for (const t of stage.reads) readers.get(t)?.push(stage);
  const before = ({ reads, nodes }: Stage): Stage[] => [
    ...reads.flatMap((t) => maker.get(t) ?? []),
    ...nodes.flatMap((node) => readers.get(replaced.get(node)!) ?? []),
  ];
  const order = new Set<Stage>();
  const open = new Map<Stage, Stage[]>();
  for (const stage of stages) {
    const path = [stage];
    for (let last = path.at(-1); last; last = path.at(-1)) {
      if (!open.has(last)) open.set(last, before(last).reverse());
      const next = open.get(last)!.pop();
      if (!next) order.add(path.pop()!);
      else if (!open.has(next)) path.push(next);
    }
  }
  // A reader of the input that needs the output too cannot come before it: then the order stays, and will be refused.
  const made = new Set<Stage>();
  for (const stage of order) {
    if (stage.reads.some((t) => maker.has(t) && !made.has(maker.get(t)!))) return [...stages];
    made.add(stage);
  }
  return [...order];
}

/**
 * Gives each output a buffer of its own: one that is an input, or another output under other sides, is copied. Of outputs
 * that are the same all are copied, rather than one from another: they may be views of one buffer, which no dispatch may
 * both read and write.
 */
function ownOutputs(outputs: readonly Tensor[]): Tensor[] {
  const roots = outputs.map(aliasRoot);
  const uses = new Map<Tensor, number>();
  for (const root of roots) uses.set(root, (uses.get(root) ?? 0) + 1);
  return outputs.map((t, i) =>
    roots[i]!.op === 'input' || uses.get(roots[i]!)! > 1 ? bind('copy', [t], {}) : t,
  );
}

function denseStride(shape: readonly number[], axis: number): number {
  if (shape[axis] === 1) return 0;
  return shape.slice(axis + 1).reduce((a, b) => a * b, 1);
}
