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
  /** Places that hold nothing, by size. */
  readonly #free: number[] = [];

  constructor(kind: 'slot' | 'texture') {
    this.#kind = kind;
  }

  take(bytes: number): BufferRef {
    // If none fits, growing the largest free one wastes the least.
    const at = Math.min(
      this.#find((size) => size >= bytes),
      this.#free.length - 1,
    );
    const index = at < 0 ? this.sizes.push(bytes) - 1 : this.#free.splice(at, 1)[0]!;
    this.sizes[index] = Math.max(this.sizes[index]!, bytes);
    return { kind: this.#kind, index, bytes };
  }

  release({ index }: BufferRef): void {
    const own = this.sizes[index]!;
    this.#free.splice(
      this.#find((size) => size > own),
      0,
      index,
    );
  }

  /** Where among the free ones the first is whose size is large enough. */
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
