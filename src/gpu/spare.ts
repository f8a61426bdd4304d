/** Bytes kept at most. */
const MOST_BYTES = 2 ** 28;
/** How many times larger than wanted what is taken may be. */
const ROOM = 2;

/**
 * Memory of programs that are gone, kept for those to come: new memory has to be cleared, by us and by the system page by page,
 * which took a fifth of the time of an analysis that ran twice.
 */
export class Spare<T> {
  readonly #kept: { readonly item: T; readonly bytes: number }[] = [];

  /** `drop` frees an item for good. */
  constructor(private readonly drop: (item: T) => void) {}

  get count(): number {
    return this.#kept.length;
  }

  /** The smallest item of at least `bytes` bytes, if it is not far too large; it is no longer kept. */
  take(bytes: number): T | undefined {
    const fitting = this.#kept.filter((kept) => kept.bytes >= bytes && kept.bytes <= ROOM * bytes);
    const best = fitting.sort((a, b) => a.bytes - b.bytes)[0];
    if (best) this.#kept.splice(this.#kept.indexOf(best), 1);
    return best?.item;
  }

  /** Keeps an item, and drops those kept for longest where it is too much. */
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
