/** As much work as is queued at once: short enough for Ctrl-C and a progress bar, long enough to hide the host's part. */
const CHUNK_MS = 150;
/** Below half of what the ring of losses holds, since two chunks are in flight. */
const MAX_STEPS = 256;

/** Tracks how fast steps run, and decides how many to queue next. */
export class Pace {
  steps = 2;
  #last = performance.now();
  #perSecond = 0;

  /** A chunk of `count` steps is done; while others are in flight, the time since the one before is what it took. */
  done(count: number): void {
    const now = performance.now();
    const ms = Math.max(now - this.#last, 0.01);
    this.#last = now;
    const fit = Math.round((count * CHUNK_MS) / ms);
    this.steps = Math.max(1, Math.min(fit, 4 * count, MAX_STEPS));
    // A mean that forgets within some three seconds.
    const weight = this.#perSecond === 0 ? 1 : 1 - Math.exp(-ms / 3000);
    this.#perSecond += weight * ((1000 * count) / ms - this.#perSecond);
  }

  get stepsPerSecond(): number {
    return this.#perSecond;
  }
}
