/** Work queued at once: short enough for Ctrl-C and a progress bar, long enough to hide the host's part. */
const CHUNK_MS = 150;
/** Less than half the ring of losses, since two chunks are in flight. */
const MAX_STEPS = 256;

/** Tracks how fast steps run, and decides how many to queue next. */
export class Pace {
  steps = 2;
  #last = performance.now();
  #perSecond = 0;

  /** Notes a finished chunk of `count` steps; with others in flight, it took the time since the last one. */
  done(count: number): void {
    const now = performance.now();
    const ms = Math.max(now - this.#last, 0.01);
    this.#last = now;
    const fit = Math.round((count * CHUNK_MS) / ms);
    this.steps = Math.max(1, Math.min(fit, 4 * count, MAX_STEPS));
    // A running mean over about three seconds.
    const weight = this.#perSecond === 0 ? 1 : 1 - Math.exp(-ms / 3000);
    this.#perSecond += weight * ((1000 * count) / ms - this.#perSecond);
  }

  get stepsPerSecond(): number {
    return this.#perSecond;
  }
}
