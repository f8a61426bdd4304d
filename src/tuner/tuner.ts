import type { AdapterInfo } from '../gpu/adapter.ts';
import type { Gpu, KernelChooser } from '../gpu/device.ts';
import type { Kernel, KernelChoice, Work } from '../gpu/kernel.ts';
import { type Measure, measureKernels, type Times } from './measure.ts';

/** `on` measures what is not yet known, `force` everything anew; `off` takes the default kernels. */
export type TuneMode = 'off' | 'on' | 'force';
/** All modes. */
export const tuneModes: readonly TuneMode[] = ['off', 'on', 'force'];

/** The measurements for one class of problems, and the variant they led to. */
export interface Choice {
  readonly variant: string;
  /** The problem that was measured. */
  readonly problem: string;
  /** Median time of each candidate; null if the adapter could not run it. */
  readonly microseconds: Readonly<Record<string, number | null>>;
  /** The candidates' {@link ChoiceStore.fingerprint}. */
  readonly sources: string;
}

/** Keeps choices by adapter and class of problem. */
export interface ChoiceStore {
  /** Distinguishes candidates from others measured under the same names. */
  fingerprint(kernels: readonly Kernel[]): string;
  /** Choices for an adapter, by class of problems. */
  read(adapter: AdapterInfo): Record<string, Choice>;
  /** Adds choices to those already stored. */
  add(adapter: AdapterInfo, classes: Readonly<Record<string, Choice>>): void;
}

const NOWHERE: ChoiceStore = { fingerprint: () => '', read: () => ({}), add() {} };

/** What a {@link Tuner} measures, and where it keeps the results. */
export interface TunerOptions {
  readonly mode: TuneMode;
  /** Variants by problem to use whatever the measurements say, such as those of a resumed run. */
  readonly pinned?: Readonly<Record<string, string>> | undefined;
  /** Where choices persist between processes; default: nowhere. */
  readonly store?: ChoiceStore;
  /** How candidates are timed. */
  readonly measure?: Measure;
  /** The clock, in milliseconds; default: `performance.now`. */
  readonly now?: () => number;
}

/** Share of the guess's time that a candidate must save: less is noise, and not worth different bits. */
const MARGIN = 0.07;
/** Milliseconds for one choice, compilation included, and for all choices of a tuner. */
const PER_CHOICE = 1500;
const ALTOGETHER = 4000;

/**
 * Chooses kernels by measuring them, once per adapter and class of problems, and keeps the results in the
 * store. If time runs out or a measurement fails, it uses the guess and stores nothing.
 * @example const gpu = await openGpu({ chooser: new Tuner({ mode: 'on', store: fileChoices() }) });
 */
export class Tuner implements KernelChooser {
  /** The variant in use for each problem so far, and the pinned ones. */
  readonly choices: Record<string, string>;
  /** Called when there are new {@link choices}, before they are used. */
  onChoice: () => void = () => {};
  readonly #options: Required<Omit<TunerOptions, 'pinned'>>;
  readonly #known = new Map<string, Record<string, Choice>>();
  #left = ALTOGETHER;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ pinned, ...options }: TunerOptions) {
    const now = () => performance.now();
    this.#options = { store: NOWHERE, measure: measureKernels, now, ...options };
    this.choices = { ...pinned };
  }

  /** One program at a time: measurements would disturb one another. */
  choose(gpu: Gpu, work: readonly Work[]): Promise<Kernel[]> {
    const chosen = this.#last.then(() => this.#chooseAll(gpu, work));
    this.#last = chosen.catch(() => {});
    return chosen;
  }

  async #chooseAll(gpu: Gpu, work: readonly Work[]): Promise<Kernel[]> {
    const kernels: Kernel[] = [];
    let news = false;
    for (const { kernel, bytes } of work) {
      if (!kernel.choice) {
        kernels.push(kernel);
        continue;
      }
      const candidates = [kernel, ...kernel.choice.others];
      const { problem } = kernel.choice;
      const pinned = candidates.find(({ variant }) => variant === this.choices[problem]);
      const chosen = pinned ?? (await this.#find(gpu, kernel.choice, candidates, bytes));
      news ||= !pinned;
      this.choices[problem] = chosen.variant!;
      kernels.push(chosen);
    }
    if (news) this.onChoice();
    return kernels;
  }

  /** The fastest kernel for a class of problems, as known or as measured now. */
  async #find(
    gpu: Gpu,
    { problem, class: name }: KernelChoice,
    candidates: readonly Kernel[],
    bytes: readonly number[],
  ): Promise<Kernel> {
    const [guess] = candidates as [Kernel];
    const { mode, store, measure, now } = this.#options;
    if (mode === 'off') return guess;
    const known = this.#knownOf(gpu.info);
    const earlier = known[name];
    const sources = store.fingerprint(candidates);
    if (earlier?.sources === sources)
      return candidates.find(({ variant }) => variant === earlier.variant) ?? guess;

    if (this.#left <= 0) return guess;
    const begin = now();
    const times = await measure(gpu, candidates, bytes, Math.min(PER_CHOICE, this.#left));
    this.#left -= now() - begin;
    if (!times?.[0]) return guess;
    const best = candidates[fastest(times)]!;
    const microseconds = candidates.map(({ variant }, i) => [variant!, rounded(times[i]?.median)]);
    known[name] = {
      ...{ variant: best.variant!, problem, sources },
      microseconds: Object.fromEntries(microseconds),
    };
    store.add(gpu.info, { [name]: known[name] });
    return best;
  }

  #knownOf(adapter: AdapterInfo): Record<string, Choice> {
    const key = JSON.stringify(adapter);
    const { mode, store } = this.#options;
    const known = this.#known.get(key) ?? (mode === 'force' ? {} : store.read(adapter));
    this.#known.set(key, known);
    return known;
  }
}

/** The candidate with the smallest median, if it beats the first by the margin in its best time too. */
function fastest(times: readonly (Times | null)[]): number {
  const enough = 1 - MARGIN;
  const [guess] = times as [Times];
  let best = 0;
  times.forEach((time, i) => {
    if (!time || time.median > enough * guess.median || time.minimum > enough * guess.minimum) return;
    if (time.median < times[best]!.median) best = i;
  });
  return best;
}

const rounded = (x: number | undefined): number | null =>
  x === undefined ? null : Math.round(100 * x) / 100;
