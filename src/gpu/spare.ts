/** Maximum bytes kept. */
const MOST_BYTES = 2 ** 28;
/** An item may be at most this many times larger than requested. */
const ROOM = 2;

/**
 * Memory of disposed programs, kept for new ones. Fresh memory must be cleared, by us and page by page by
 * the system, which took a fifth of the time of an analysis that ran twice.
 */
export class Spare<T> {
  readonly #kept: { readonly item: T; readonly bytes: number }[] = [];

  /** `drop` frees an item for good. */
  constructor(private readonly drop: (item: T) => void) {}

  get count(): number {
    return this.#kept.length;
  }

  /** Takes the smallest item of at least `bytes` bytes, unless all are far too large. */
  take(bytes: number): T | undefined {
    const fitting = this.#kept.filter((kept) => kept.bytes >= bytes && kept.bytes <= ROOM * bytes);
    const best = fitting.sort((a, b) => a.bytes - b.bytes)[0];
    if (best) this.#kept.splice(this.#kept.indexOf(best), 1);
    return best?.item;
  }

  /** Keeps an item, and drops the oldest ones while the total is too large. */
  give(item: T, bytes: number): void {
    this.#kept.push({ item, bytes });
    let total = this.#kept.reduce((sum, kept) => sum + kept.bytes, 0);
    while (total > MOST_BYTES) {
      const oldest = this.#kept.shift()!;
      total -= oldest.bytes;
      this.drop(oldest.item);
    }
  }

  clear(): void {
    for (const { item } of this.#kept.splice(0)) this.drop(item);
  }
}
