import { readdirSync, readFileSync } from 'node:fs';

/** What a test may need of the processors, beyond three times what its file takes on unchanged sources. */
const SLACK_SECONDS = 30;
/** A test that waits for what never comes needs less of the processors than this in a minute. */
const IDLE_SECONDS = 0.3;

/**
 * Tells tests that hang from tests that are slow, on a machine with other work too: what counts is the time on the processors,
 * of a whole session of processes (as the leader's id names it), since this was made.
 */
export class Watch {
  readonly #session: number;
  readonly #allowed: number;
  readonly #start: number;
  #last: { readonly at: number; readonly cpu: number };

  constructor(session: number, expectedSeconds: number) {
    this.#session = session;
    this.#allowed = SLACK_SECONDS + 3 * expectedSeconds;
    this.#start = cpuSeconds(session);
    this.#last = { at: performance.now(), cpu: this.#start };
  }

  hangs(): boolean {
    const cpu = cpuSeconds(this.#session);
    if (cpu - this.#start > this.#allowed) return true;
    if (performance.now() - this.#last.at < 60_000) return false;
    const idle = cpu - this.#last.cpu < IDLE_SECONDS;
    this.#last = { at: performance.now(), cpu };
    return idle;
  }
}

/** Of all processes of a session, and of those that they waited for. From Linux's /proc. */
export function cpuSeconds(session: number): number {
  let ticks = 0;
  for (const id of readdirSync('/proc')) {
    if (!/^\d+$/.test(id)) continue;
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      if (fields[3] === session) for (const field of fields.slice(11, 15)) ticks += field;
    } catch {} // It has just ended.
  }
  return ticks / 100;
}
