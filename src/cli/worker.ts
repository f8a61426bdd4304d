import { on } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { CollimateError } from '../errors.ts';
import { findExperiment } from '../experiments/given-settings.ts';
import { Interrupt, leave } from '../experiments/interrupt.ts';
import { loadTask } from '../experiments/load-task.ts';
import { LockedError } from '../experiments/lock.ts';
import { reproduce } from '../experiments/reproduce.ts';
import { describeRun, readConfig } from '../experiments/run-config.ts';
import { CONFIG, RunFolder } from '../experiments/run-folder.ts';
import { forgetFailure, reasonOf, wholeRun } from '../experiments/sweep-record.ts';
import type { Task } from '../experiments/task.ts';
import { DivergedError } from '../experiments/train-run.ts';
import { DeviceLostError } from '../gpu/failures.ts';
import { openGpu } from '../host/open.ts';
import { writeReport } from '../report/write.ts';
import { dataSettings } from '../settings/settings.ts';
import { reportError, stopWhereOutputEnds } from './main.ts';
import {
  NO_MORE,
  OPTIONS,
  type Order,
  type RunOrder,
  type WorkerMessage,
  type WorkerOptions,
} from './pool.ts';
import { goOn, tunerFor } from './resume.ts';
import { runTheory } from './theory.ts';

/*
 * A process that makes runs, one after another on one device, for its parent (src/cli/pool.ts). It outlives
 * a run, so that shaders are compiled and images read only once.
 */

async function serve(options: WorkerOptions): Promise<void> {
  let tuner = tunerFor(undefined, options.tune);
  using gpu = await openGpu({
    adapter: options.adapter,
    threads: 0, // The other cores belong to other workers.
    chooser: { choose: (on, work) => tuner.choose(on, work) },
  });
  const load = taskLoader(options.dataDir);
  using interrupt = new Interrupt();
  // The parent is gone: stop at a checkpoint, as at Ctrl-C.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));

  async function make(order: RunOrder): Promise<void> {
    const experiment = findExperiment(order.experiment);
    using folder = RunFolder.open(order.folder);
    const begun = folder.has(CONFIG) ? readConfig(order.folder) : undefined;
    if (begun && !isDeepStrictEqual(begun.settings, order.settings)) {
      throw new CollimateError(
        `the run in ${order.folder} was made with other settings`,
        'Move that folder away, or give another root with `--out`.',
      );
    }
    if (begun && wholeRun(order.folder)) return; // by another process, since this one was asked
    tuner = tunerFor(begun, begun?.tune ?? options.tune);
    const task = await load(order);
    const config = begun
      ? goOn(begun, task.dataset, gpu.info)
      : describeRun(experiment, { ...order, tune: options.tune }, task, gpu.info);
    await reproduce(gpu, task, folder, config, {
      interrupt,
      tuner,
      checkpointSeconds: options.checkpointSeconds,
      onProgress: ({ step, steps }) => send({ progress: step / steps }),
    });
    writeReport(folder);
    forgetFailure(order.folder);
  }

  for await (const order of orders()) {
    try {
      if (order.kind === 'run') await make(order);
      else await runTheory({ ...options, preset: order.preset, out: order.folder });
      send({ ending: 'done' });
    } catch (error) {
      // Everything is saved, and the process that waits knows why.
      if (interrupt.requested) await leave(interrupt.status);
      // Another process may have more luck with another device.
      if (!(error instanceof CollimateError) || error instanceof DeviceLostError) throw error;
      if (error instanceof LockedError) send({ ending: 'elsewhere' });
      else send({ ending: { reason: reasonOf(error), final: error instanceof DivergedError } });
    }
  }
}

/** Yields orders as they come, until there are no more. */
async function* orders(): AsyncGenerator<Order> {
  for await (const [order] of on(process, 'message') as AsyncIterable<[Order | typeof NO_MORE]>) {
    if (order === NO_MORE) return process.disconnect();
    yield order;
  }
}

function send(message: WorkerMessage): void {
  process.send?.(message, undefined, undefined, () => {}); // The parent may have gone.
}

/** Loads images and keeps the last run's: runs of a sweep mostly share them. */
function taskLoader(dataDir: string | undefined): (order: RunOrder) => Promise<Task> {
  let last: { key: string; task: Task } | undefined;
  return async ({ experiment, settings }) => {
    const { dataset } = findExperiment(experiment);
    const key = JSON.stringify([dataset, dataSettings(settings)]);
    if (last?.key !== key) last = { key, task: await loadTask(dataset, settings, { dataDir }) };
    return last.task;
  };
}

stopWhereOutputEnds();
try {
  await serve(JSON.parse(process.env[OPTIONS]!) as WorkerOptions);
} catch (error) {
  await leave(reportError(error)); // The parent may try again.
}
