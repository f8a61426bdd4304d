import { CollimateError } from '../src/errors.ts';
import { analysisSamples, DeviceTask } from '../src/experiments/task.ts';
import type { Gpu } from '../src/gpu/device.ts';
import { BATCH, Contestant } from './contestant.ts';
import { type PageImages, PIXELS, SAMPLES } from './images.ts';
import type { Pair, Report } from './protocol.ts';
import type { PageSettings } from './settings.ts';
import { pageTask } from './task.ts';

/** Milliseconds of a chunk of steps; the page hears of each. */
const CHUNK = 100;
/** Milliseconds between pictures. */
const REST = 150;
/** A loss above this, or NaN, ends the training: it starts near the logarithm of the number of classes. */
const DIVERGED_LOSS = 1e4;

export const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/**
 * A network and its twin without skip connections, training side by side. One loop queues steps in chunks,
 * another measures both networks at whatever step they are; neither waits for the other.
 */
export class Duel implements Disposable {
  paused = false;
  stepsPerSecond = Number.POSITIVE_INFINITY;
  readonly #gpu: Gpu;
  readonly #data: DeviceTask;
  readonly #contestants: Pair<Contestant>;
  readonly #steps: number;
  readonly #report: (report: Report) => void;
  /** Steps queued so far, and the one of the last picture. */
  #step = 0;
  #pictured = -1;
  /** Steps to do although training is paused. */
  #extra = 0;
  #stopped = false;

  private constructor(
    gpu: Gpu,
    data: DeviceTask,
    contestants: Pair<Contestant>,
    steps: number,
    report: (report: Report) => void,
  ) {
    this.#gpu = gpu;
    this.#data = data;
    this.#contestants = contestants;
    this.#steps = steps;
    this.#report = report;
  }

  static async create(
    gpu: Gpu,
    images: PageImages,
    settings: PageSettings,
    report: (report: Report) => void,
  ): Promise<Duel> {
    const { classes, seed, epochs, twinWeightDecay } = settings;
    const task = pageTask(images, classes);
    const samples = analysisSamples(task, SAMPLES, seed);
    const { count } = task.train;
    const steps = epochs * Math.floor(count / BATCH);
    const data = new DeviceTask(gpu, task);
    const twin = { ...settings, skip: false, weightDecay: twinWeightDecay };
    // One after the other: the twin's kernels are nearly all the same, and compiled by then.
    const first = await Contestant.create(gpu, data, samples, { ...settings, steps });
    const second = await Contestant.create(gpu, data, samples, { ...twin, steps });
    report({
      ...{ type: 'started', steps, images: count },
      samples: samples.indices.map((index, n) => ({
        label: samples.labels[n]!,
        pixels: task.train.images.slice(index * PIXELS, (index + 1) * PIXELS),
      })),
    });
    return new Duel(gpu, data, [first, second], steps, report);
  }

  /** Trains until the end or a stop. @throws CollimateError if training diverges or the device fails */
  async run(): Promise<void> {
    try {
      await Promise.all([this.#train(), this.#watch()]);
    } finally {
      this.#stopped = true;
    }
  }

  /** Does one more step, even if paused. */
  advance(): void {
    this.#extra++;
  }

  /** Lets {@link run} end soon. */
  stop(): void {
    this.#stopped = true;
  }

  async #train(): Promise<void> {
    for (let chunk = 1; this.#step < this.#steps && !this.#stopped; ) {
      // The first picture is of a network that has hardly learned.
      const isWaiting = this.paused || (this.#step > 0 && this.#pictured < 0);
      if (isWaiting && this.#extra === 0) {
        await sleep(20);
        continue;
      }
      const count = this.#extra > 0 ? 1 : Math.min(chunk, this.#steps - this.#step);
      this.#extra = 0;
      const start = performance.now();
      for (const { trainer } of this.#contestants) trainer.queue(count);
      this.#step += count;
      const [[one], [other]] = await Promise.all([
        this.#contestants[0].trainer.records(1),
        this.#contestants[1].trainer.records(1),
      ]);
      const each = Math.max((performance.now() - start) / count, 1000 / this.stepsPerSecond);
      await sleep(start + count * each - performance.now());
      if (this.#stopped) return;
      this.#judge(one!.loss, other!.loss);
      this.#report({
        ...{ type: 'progress', step: this.#step, losses: [one!.loss, other!.loss] },
        stepsPerSecond: 1000 / each,
      });
      chunk = Math.max(1, Math.min(Math.round(CHUNK / each), 4 * count));
    }
  }

  #judge(...losses: number[]): void {
    const bad = losses.findIndex((loss) => !(loss <= DIVERGED_LOSS));
    if (bad < 0) return;
    throw new CollimateError(
      `training diverged: the loss of the ${bad ? 'twin' : 'network'} is ${losses[bad]} at step ${this.#step}`,
      'Lower the learning rate, the momentum or the weight decay.',
    );
  }

  async #watch(): Promise<void> {
    const [one, other] = this.#contestants;
    await Promise.all([one.ready(), other.ready()]);
    while (!this.#stopped && this.#pictured < this.#steps) {
      if (this.#step > Math.max(this.#pictured, 0)) {
        const step = this.#step;
        // Both measure after what is queued by now.
        const pictures = await Promise.all([one.picture(), other.picture()]);
        if (this.#stopped) return;
        this.#pictured = step;
        this.#report({ type: 'pictures', step, pictures, buffers: this.#gpu.liveBuffers });
      }
      await sleep(this.#pictured < this.#steps ? REST : 0);
    }
  }

  dispose(): void {
    for (const contestant of this.#contestants) contestant.dispose();
    this.#data[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
