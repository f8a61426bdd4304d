import { checkTarget, writeAtomically } from '../atomic-write.ts';
import type { Gpu } from '../gpu/device.ts';
import type { Kernel } from '../gpu/kernel.ts';
import { maxPasses, profile, requireTimestamps, type Timing } from '../gpu/profile.ts';
import { type Runnable, submitAll } from '../gpu/runnable.ts';

/** How many runs in a row are timed. */
const WINDOW = 10;

/** Whether a program's run, counted from 0, is timed: ten from the 1st, 100th, 1,000th, 10,000th … on. */
export function isTraced(run: number): boolean {
  const position = run + 1;
  const decade = 10 ** Math.floor(Math.log10(position));
  return position <= WINDOW || (decade >= 100 && position < decade + WINDOW);
}

/**
 * An event of the Trace Event Format, which Perfetto and chrome://tracing read: a span (`X`) or a track's
 * name (`M`). Times are in microseconds.
 * See https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
 */
export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

/** A process of the timeline, with its tracks. */
const tracks = {
  dispatches: { pid: 1, tid: 1 },
  programs: { pid: 1, tid: 2 },
  phases: { pid: 2, tid: 1 },
  submits: { pid: 2, tid: 2 },
} as const;

interface TimedRun {
  readonly label: string;
  readonly run: number;
  readonly kernels: readonly Kernel[];
  /** Host time before it was submitted, in ms. */
  readonly submitted: number;
  readonly timings: Timing[];
}

/**
 * Collects a timeline of a {@link Gpu}'s work: dispatches by the GPU's clock, in the runs of a program that
 * {@link isTraced} names, and all submits and phases by the host's. Set it as {@link Gpu.tracer}. A timed
 * dispatch gets its own pass, which costs some time but changes no result.
 */
export class Tracer {
  readonly #gpu: Gpu;
  readonly #runs = new WeakMap<Runnable, number>();
  readonly #pending: Promise<TimedRun[]>[] = [];
  readonly #host: TraceEvent[] = [];
  #phase: { name: string; since: number } | undefined;

  /** @throws CollimateError if the adapter has no timestamps */
  constructor(gpu: Gpu) {
    requireTimestamps(gpu);
    this.#gpu = gpu;
  }

  /** Ends the phase that is shown above all that follows, and begins another. */
  phase(name?: string): void {
    const now = performance.now();
    if (this.#phase) this.#host.push(span('phases', this.#phase.name, this.#phase.since, now));
    this.#phase = name === undefined ? undefined : { name, since: now };
  }

  /** Queues programs in order, like {@link submitAll}. */
  submit(programs: readonly Runnable[]): void {
    const begin = performance.now();
    const untimed: Runnable[] = [];
    let timed = 0;
    const flush = () => {
      if (untimed.length > 0) submitAll(this.#gpu.device, untimed.splice(0));
    };
    for (const program of programs) {
      const run = this.#runs.get(program) ?? 0;
      this.#runs.set(program, run + 1);
      if (isTraced(run)) {
        flush();
        this.#time(program, run);
        timed++;
      } else untimed.push(program);
    }
    flush();
    const name = [...new Set(programs.map(({ label }) => label))].join(', ');
    this.#host.push(span('submits', name, begin, performance.now(), { runs: programs.length, timed }));
  }

  #time({ label, dispatches }: Runnable, run: number): void {
    const parts: Promise<TimedRun>[] = [];
    // A dispatch with copies before it takes two passes.
    const most = maxPasses / 2;
    for (let first = 0; first < dispatches.length; first += most) {
      const part = dispatches.slice(first, first + most);
      const submitted = performance.now();
      const timings = profile(this.#gpu, (timed) => {
        for (const { kernel, encode } of part) timed(kernel.name, encode);
      });
      const kernels = part.map(({ kernel }) => kernel);
      parts.push(timings.then((timings) => ({ label, run, kernels, submitted, timings })));
    }
    // Times that never come are left out: a device's failure is reported on its own.
    this.#pending.push(Promise.all(parts).catch(() => []));
  }

  /** All events so far, by time. Waits for the GPU. */
  async events(): Promise<TraceEvent[]> {
    this.phase();
    const runs = (await Promise.all(this.#pending)).filter((parts) => parts.length > 0);
    // The GPU's clock has its own zero. Nothing runs before it is submitted, and an idle GPU starts at
    // once: take the smallest shift that lets no run begin too early.
    const shift = runs
      .flat()
      .reduce(
        (most, { submitted, timings }) => Math.max(most, submitted - timings[0]!.begin / 1e6),
        Number.NEGATIVE_INFINITY,
      );
    const spans = [...runs.flatMap((parts) => eventsOf(parts, shift)), ...this.#host].sort(
      (a, b) => a.ts - b.ts || b.dur! - a.dur!,
    );
    const { name, driver } = this.#gpu.info;
    return [...names(`${name}, ${driver}`), ...spans];
  }
}

/** A span of one of the tracks; times in ms. */
function span(
  track: keyof typeof tracks,
  name: string,
  begin: number,
  end: number,
  args: TraceEvent['args'] = {},
): TraceEvent {
  const nanoseconds = (ms: number) => Math.round(1e6 * ms) / 1000;
  const [ts, dur] = [nanoseconds(begin), nanoseconds(Math.max(end - begin, 0))];
  return { name, ph: 'X', ...tracks[track], ts, dur, args };
}

/** A run's dispatches, and the run around them. `shift` takes the GPU's clock to the host's, in ms. */
function eventsOf(parts: readonly TimedRun[], shift: number): TraceEvent[] {
  const at = (nanoseconds: number) => nanoseconds / 1e6 + shift;
  const dispatches = parts.flatMap(({ kernels, timings }) =>
    timings.map(({ label, begin, nanoseconds }, i) => {
      const { variant, grid, flops, bytes } = kernels[i]!;
      return span('dispatches', label, at(begin), at(begin + nanoseconds), {
        ...(variant !== undefined && { variant }),
        grid: grid.join(' × '),
        FLOP: flops,
        bytes,
        ...(nanoseconds > 0 && { GFLOPS: flops / nanoseconds, 'GB/s': bytes / nanoseconds }),
      });
    }),
  );
  const { label, run } = parts[0]!;
  const begin = at(parts[0]!.timings[0]!.begin);
  const last = parts.at(-1)!.timings.at(-1)!;
  const whole = { run: run + 1, dispatches: dispatches.length };
  return [span('programs', label, begin, at(last.begin + last.nanoseconds), whole), ...dispatches];
}

function names(gpu: string): TraceEvent[] {
  const meta = (name: string, pid: number, tid: number, value: string): TraceEvent => ({
    ...{ name, ph: 'M', pid, tid, ts: 0, args: { name: value } },
  });
  return [
    meta('process_name', 1, 0, gpu),
    meta('process_name', 2, 0, 'host'),
    ...Object.entries(tracks).map(([name, { pid, tid }]) => meta('thread_name', pid, tid, name)),
  ];
}

/** Traces a Gpu until the scope ends, into a file. @throws CollimateError at once if either is impossible */
export function traceInto(path: string, gpu: Gpu): Tracer & AsyncDisposable {
  const tracer = new Tracer(gpu);
  checkTarget(path);
  gpu.tracer = tracer;
  return Object.assign(tracer, {
    async [Symbol.asyncDispose]() {
      gpu.tracer = undefined;
      const lines = (await tracer.events()).map((event) => JSON.stringify(event));
      writeAtomically(path, `{"displayTimeUnit":"ns","traceEvents":[\n${lines.join(',\n')}\n]}\n`);
    },
  });
}
