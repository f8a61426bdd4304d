/** A part of the day: a process with limited time. */
export interface Part {
  /** Names its log, and its results if it has any. */
  readonly name: string;
  /** Its share of the remaining time, relative to later parts' weights. */
  readonly weight: number;
  /** Seconds below which starting is not worth it; may depend on earlier times (Infinity: cut off). */
  readonly minimum: number | ((seconds: ReadonlyMap<string, number>) => number);
}

/** How a part's process ended. */
export interface Ending {
  /** Null if a signal ended it. */
  readonly status: number | null;
  /** Whether its time ran out. */
  readonly timedOut: boolean;
  /** Why there was no process, if there was none. */
  readonly problem?: string;
}

/** What became of a part. */
export interface Result {
  readonly name: string;
  /** `done`, `failed`, `cut off` by its own limit, `stopped` by a signal to the day, or `not started`. */
  readonly outcome: 'done' | 'failed' | 'cut off' | 'stopped' | 'not started';
  /** Why it is not `done`. */
  readonly reason: string;
  /** Seconds that it took, and that it was given. */
  readonly seconds: number;
  readonly limit: number;
}

/** What a day needs of the world. */
export interface World<P extends Part> {
  /** Seconds since the day began. */
  now(): number;
  /** Whether the day was asked to end. */
  stopped(): boolean;
  /** Runs a part for at most `limit` seconds. */
  start(part: P, limit: number): Promise<Ending>;
  /** Takes a result as soon as it is there. */
  record(result: Result, part: P): void;
}

/**
 * Runs parts in order, the most valuable first, for `seconds` altogether. Each gets a share of the rest by
 * weight, and at least its minimum, so what one leaves goes to all after it. A part with too little left is
 * not started; one that fails does not keep the others from running.
 */
export async function runDay<P extends Part>(
  parts: readonly P[],
  seconds: number,
  world: World<P>,
): Promise<void> {
  const took = new Map<string, number>();
  for (const [i, part] of parts.entries()) {
    const begun = world.now();
    const left = seconds - begun;
    const weights = parts.slice(i).reduce((sum, { weight }) => sum + weight, 0);
    const minimum = typeof part.minimum === 'number' ? part.minimum : part.minimum(took);
    const limit = Math.min(left, Math.max(minimum, (left * part.weight) / weights));
    const about = { name: part.name, limit };
    if (world.stopped()) {
      world.record({ ...about, outcome: 'not started', reason: 'the day was stopped', seconds: 0 }, part);
    } else if (left < minimum) {
      const reason = Number.isFinite(minimum)
        ? `${Math.max(0, left).toFixed(0)} s were left, and it needs ${minimum.toFixed(0)}`
        : 'a shorter part was cut off before it';
      world.record({ ...about, outcome: 'not started', reason, seconds: 0 }, part);
    } else {
      const ending = await world.start(part, limit);
      const spent = world.now() - begun;
      took.set(part.name, ending.timedOut ? Number.POSITIVE_INFINITY : spent);
      world.record({ ...about, ...judge(ending, limit, world.stopped()), seconds: spent }, part);
    }
  }
}

function judge(
  { status, timedOut, problem }: Ending,
  limit: number,
  stopped: boolean,
): Pick<Result, 'outcome' | 'reason'> {
  if (timedOut) return { outcome: 'cut off', reason: `its ${limit.toFixed(0)} s were up` };
  if (status === 0) return { outcome: 'done', reason: '' };
  if (stopped) return { outcome: 'stopped', reason: 'the day was stopped' };
  return {
    outcome: 'failed',
    reason: problem ?? (status === null ? 'a signal ended it' : `its exit status is ${status}`),
  };
}
