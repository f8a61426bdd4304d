import { readdirSync, readFileSync } from 'node:fs';

/** Processor time that a test may take beyond three times its file's on unchanged sources. */
const SLACK_SECONDS = 30;
/** A test that waits in vain takes less processor time than this in a minute. */
const IDLE_SECONDS = 0.3;

/**
 * Tells hanging tests from slow ones, whatever else the machine does: what counts is the processor time of a
 * whole session of processes, named by its leader's id.
 */
export class Watch {
  readonly #session: number;
  /** What the running tests may take; undefined once others have begun. */
  #allowed: number | undefined;
  #expected = 0;
  #start = 0;
  #minute = { at: 0, cpu: 0 };

  constructor(session: number) {
    this.#session = session;
  }

  /** Notes that something began or ended in a test file of this length. */
  sign(expectedSeconds: number): void {
    this.#allowed = undefined;
    this.#expected = expectedSeconds;
  }

  /** Called every few seconds. */
  hangs(): boolean {
    const cpu = cpuSeconds(this.#session);
    const now = performance.now();
    if (this.#allowed === undefined) {
      this.#allowed = SLACK_SECONDS + 3 * this.#expected;
      this.#start = cpu;
      this.#minute = { at: now, cpu };
    }
    if (cpu - this.#start > this.#allowed) return true;
    if (now - this.#minute.at < 60_000) return false;
    const idle = cpu - this.#minute.cpu < IDLE_SECONDS;
    this.#minute = { at: now, cpu };
    return idle;
  }
}

/** Processor time of a session's processes and the children they awaited, from Linux's /proc. */
export function cpuSeconds(session: number): number {
  let ticks = 0;
  for (const id of readdirSync('/proc')) {
    if (!/^\d+$/.test(id)) continue;
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[3]) === session) for (const field of fields.slice(11, 15)) ticks += Number(field);
    } catch {} // It has just ended.
  }
  return ticks / 100;
}
