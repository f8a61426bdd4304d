import type { Kernel } from '../../gpu/kernel.ts';
import type { Graph } from '../graph.ts';
import { bytesOf, Tensor } from '../tensor.ts';
import type { Emitted, Part, Scratch } from './emit.ts';
import { aliasRoot } from './expression.ts';
import type { Group } from './groups.ts';

/** Where a program holds a value: what the caller binds, or a temporary in a slot or texture of the plan. */
export interface BufferRef {
  readonly kind: 'input' | 'output' | 'slot' | 'texture';
  readonly index: number;
  /** Of the value; its place may be larger. */
  readonly bytes: number;
  /** Where in that memory it starts, in bytes; at its beginning unless given. */
  readonly offset?: number;
}

/** A kernel with the memory that it binds. */
export interface Step {
  readonly kernel: Kernel;
  /** For each binding of the kernel but its sizes. */
  readonly buffers: readonly BufferRef[];
}

/** Places for temporaries: a freed one serves the next value, the tightest fit first. */
export class Memory {
  /** Bytes of each place. */
  readonly sizes: number[] = [];
  /** Places that hold nothing, by size. */
  readonly #free: number[] = [];

  /** Places are counted from `first` on. */
  constructor(
    private readonly kind: 'slot' | 'texture',
    private readonly first = 0,
  ) {}

  take(bytes: number): BufferRef {
    // If none fits, growing the largest free one wastes the least.
    const fits = this.#find((size) => size >= bytes);
    const at = Math.min(fits, this.#free.length - 1);
    const index = at < 0 ? this.sizes.push(bytes) - 1 : this.#free.splice(at, 1)[0]!;
    this.sizes[index] = Math.max(this.sizes[index]!, bytes);
    return { kind: this.kind, index: this.first + index, bytes };
  }

  release(ref: BufferRef): void {
    const index = ref.index - this.first;
    const own = this.sizes[index]!;
    const at = this.#find((size) => size > own);
    this.#free.splice(at, 0, index);
  }

  /** Position among the free places of the first that is large enough. */
  #find(enough: (size: number) => boolean): number {
    let [low, high] = [0, this.#free.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (enough(this.sizes[this.#free[middle]!]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Places inputs and outputs where they are bound, other values in slots for as long as they are read. */
export function placeValues(
  { inputs, outputs }: Pick<Graph, 'inputs' | 'outputs'>,
  groups: readonly Group[],
  emitted: readonly (readonly Emitted[])[],
): { steps: Step[]; slots: readonly number[] } {
  const memory = new Memory('slot');
  const refs = new Map<Tensor | Scratch | Part, BufferRef>();
  inputs.forEach((t, index) => {
    refs.set(t, { kind: 'input', index, bytes: bytesOf(t) });
  });
  outputs.forEach((t, index) => {
    refs.set(aliasRoot(t), { kind: 'output', index, bytes: bytesOf(t) });
  });
  const lastUse = new Map<Tensor, number>();
  groups.forEach(({ reads, nodes }, i) => {
    for (const t of [...reads, ...nodes]) lastUse.set(t, i);
  });
  const refOf = (value: Tensor | Scratch | Part): BufferRef => {
    if ('of' in value && !refs.has(value)) {
      const { of, offset, bytes } = value;
      refs.set(value, { ...refOf(of), offset, bytes });
    }
    return refs.get(value instanceof Tensor ? aliasRoot(value) : value)!;
  };
  const steps = groups.flatMap(({ reads, nodes }, i) => {
    const scratch = new Set(
      emitted[i]!.flatMap(({ values }) =>
        values
          .map((value) => ('of' in value ? value.of : value))
          .filter((value): value is Scratch => !(value instanceof Tensor)),
      ),
    );
    for (const t of nodes) if (!refs.has(t)) refs.set(t, memory.take(bytesOf(t)));
    for (const part of scratch) refs.set(part, memory.take(part.bytes));
    for (const part of scratch) memory.release(refOf(part));
    for (const t of new Set([...reads, ...nodes])) {
      const ref = refOf(t);
      if (ref.kind === 'slot' && lastUse.get(t) === i) memory.release(ref);
    }
    return emitted[i]!.map(({ kernel, values }) => ({ kernel, buffers: values.map(refOf) }));
  });
  return { steps, slots: memory.sizes };
}
