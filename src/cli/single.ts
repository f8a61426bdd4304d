import { commandLine } from '../command.ts';
import { packagesOf } from '../data/datasets.ts';
import type { Experiment } from '../experiments/experiment.ts';
import { type GivenSettings, resolveSettings } from '../experiments/given-settings.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { labels, reproduce } from '../experiments/reproduce.ts';
import { describeRun } from '../experiments/run-config.ts';
import { CHECKPOINT, defaultRunPath, RunFolder } from '../experiments/run-folder.ts';
import { DivergedError } from '../experiments/train-run.ts';
import { needPackages, REPORT_PACKAGES } from '../host/packages.ts';
import { openSecond } from '../host/second-device.ts';
import type { TuneMode } from '../tuner/tuner.ts';
import { chooseDisplay } from './display.ts';
import { fetchTask } from './fetching.ts';
import { reportError } from './main.ts';
import { findRun, goOn, openAdapter, resumeCommand, tunerFor } from './resume.ts';
import { traceInto } from './tracer.ts';
import { conclude } from './verdict-table.ts';

export interface SingleOptions extends GivenSettings {
  readonly adapter?: string;
  readonly dataDir?: string;
  readonly out?: string;
  /** A folder, or true for the latest. */
  readonly resume?: string | true;
  readonly tune?: TuneMode;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly trace?: string;
}

/** Trains and measures one network and its control. Returns the exit status. */
export async function runSingle(
  experiment: Experiment,
  options: SingleOptions,
  checkpointSeconds: number,
): Promise<number> {
  const resumed = options.resume ? findRun(experiment, options.resume, options) : undefined;
  const { preset, settings } = resumed?.config ?? resolveSettings(experiment, options);

  const images = packagesOf([experiment.dataset], options.dataDir);
  needPackages('the experiment', [...REPORT_PACKAGES, ...images]);
  const tuner = tunerFor(resumed?.config, options.tune);
  const opening = openAdapter(options.adapter, resumed?.config, tuner);
  opening.catch(() => {}); // Reported below; meanwhile the images are loaded.
  const task = await fetchTask(experiment.dataset, settings, options.dataDir);
  using gpu = await opening;
  await using tracer = options.trace === undefined ? undefined : traceInto(options.trace, gpu);
  using folder = resumed
    ? RunFolder.open(resumed.path)
    : RunFolder.create(options.out ?? defaultRunPath(experiment.name, settings.seed, new Date()));
  const command = commandLine('reproduce', process.argv.slice(3));
  const config = resumed
    ? goOn(resumed.config, task.dataset, gpu.info)
    : describeRun(experiment, { preset, settings, tune: options.tune ?? 'on', command }, task, gpu.info);

  const display = chooseDisplay(!!options.json);
  const howToGoOn = () => {
    display.close?.();
    console.error(`To continue: ${resumeCommand(experiment.name, folder.path)}`);
  };
  display.fact('adapter', options.json ? gpu.info : `${gpu.info.name}, ${gpu.info.driver}`);
  display.fact('folder', folder.path);
  using interrupt = new Interrupt(async () => {
    howToGoOn();
    await tracer?.[Symbol.asyncDispose]();
  });
  try {
    const { claims } = await reproduce(gpu, task, folder, config, {
      interrupt,
      tuner,
      checkpointSeconds,
      ...(!tracer && { openSecond: () => openSecond(gpu, { chooser: tuner }) }), // timelines show one device
      onPhase(phase, network) {
        tracer?.phase(`${phase}: ${labels[network]}`);
        display.phase(phase, network);
      },
      onProgress: display.progress,
      ...(display.epoch && { onEpoch: display.epoch }),
    });
    display.close?.();
    const { writeReport } = await import('../report/write.ts'); // late, for a quick start
    writeReport(folder);
    return conclude(claims, folder.path, options);
  } catch (error) {
    display.close?.();
    const status = reportError(error);
    // Continuing helps neither a run that diverged nor one that never reached a checkpoint.
    if (!(error instanceof DivergedError) && folder.has(CHECKPOINT)) howToGoOn();
    return status;
  }
}
