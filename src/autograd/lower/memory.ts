/** Memory of a program that holds a value: what the caller binds, or a temporary in one of the plan's slots or textures. */
export interface BufferRef {
  readonly kind: 'input' | 'output' | 'slot' | 'texture';
  readonly index: number;
  /** Of the value; its place may be larger. */
  readonly bytes: number;
}

/** Places for temporaries: a freed one serves the next value, the tightest fit first. */
export class Memory {
  /** Bytes of each place. */
  readonly sizes: number[] = [];
  readonly #kind: 'slot' | 'texture';
  readonly #free: number[] = [];

  constructor(kind: 'slot' | 'texture') {
    this.#kind = kind;
  }

  take(bytes: number): BufferRef {
    const fitting = this.#free.filter((s) => this.sizes[s]! >= bytes);
    const pool = fitting.length ? fitting : this.#free;
    // None fits: growing the largest free one wastes the least.
    const better = (a: number, b: number) =>
      fitting.length ? this.sizes[a]! - this.sizes[b]! : this.sizes[b]! - this.sizes[a]!;
    const best = [...pool].sort(better)[0];
    const index = best ?? this.sizes.push(bytes) - 1;
    if (best !== undefined) this.#free.splice(this.#free.indexOf(best), 1);
    this.sizes[index] = Math.max(this.sizes[index]!, bytes);
    return { kind: this.#kind, index, bytes };
  }

  release(ref: BufferRef): void {
    this.#free.push(ref.index);
  }
}
