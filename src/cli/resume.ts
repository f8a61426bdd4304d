import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commandLine } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { isDone } from '../experiments/analysis-file.ts';
import type { Experiment } from '../experiments/experiment.ts';
import { type GivenSettings, refuseContradiction } from '../experiments/given-settings.ts';
import { type RunConfig, readConfig } from '../experiments/run-config.ts';
import { CONFIG } from '../experiments/run-folder.ts';
import type { Gpu, KernelChooser } from '../gpu/device.ts';
import { fileChoices } from '../host/choices.ts';
import { openGpu } from '../host/open.ts';
import { type TuneMode, Tuner } from '../tuner/tuner.ts';

export const resumeCommand = (experiment: string, folder: string): string =>
  commandLine('reproduce', [experiment, '--resume', folder]);

/** Chooses kernels as requested, else as in a run; those that the run used already stay. */
export const tunerFor = (run: RunConfig | undefined, mode: TuneMode = run?.tune ?? 'on'): Tuner =>
  new Tuner({ mode, store: fileChoices(), pinned: run?.kernels });

/** The requested adapter; else the one on which a resumed run began, if it is still there; else the best. */
export async function openAdapter(
  asked: string | undefined,
  begun: RunConfig | undefined,
  chooser: KernelChooser,
): Promise<Gpu> {
  if (asked === undefined && begun) {
    try {
      return await openGpu({ adapter: begun.adapter.name, chooser });
    } catch {} // Another is taken then, and the difference noted.
  }
  return openGpu({ adapter: asked, chooser });
}

/** The run to --resume, with its settings, which other options must not contradict. */
export function findRun(
  experiment: Experiment,
  resume: string | true,
  options: GivenSettings & { readonly out?: string },
): { path: string; config: RunConfig } {
  const { out } = options;
  if (typeof resume === 'string' && out !== undefined && resolve(out) !== resolve(resume)) {
    throw new CollimateError(
      `--out ${out} and --resume ${resume} contradict each other`,
      'Leave out --out: a resumed run stays in its folder.',
    );
  }
  const path = typeof resume === 'string' ? resume : (out ?? latestRun(experiment.name));
  const config = readConfig(path);
  if (config.experiment !== experiment.name) {
    throw new CollimateError(
      `the run in ${path} is of ${config.experiment}, not of ${experiment.name}`,
      `Use ${resumeCommand(config.experiment, path)}.`,
    );
  }
  refuseContradiction(options, experiment, config, path);
  return { path, config };
}

/** The unfinished run in the default folders that began last; damaged ones can be resumed by name. */
function latestRun(experiment: string): string {
  const parent = join('results', experiment);
  const runs = (existsSync(parent) ? readdirSync(parent) : [])
    .map((name) => join(parent, name))
    .filter((folder) => existsSync(join(folder, CONFIG)));
  const open = runs.flatMap((folder) => {
    try {
      return isDone(folder) ? [] : [{ folder, started: Date.parse(readConfig(folder).started) }];
    } catch (error) {
      if (!(error instanceof CollimateError)) throw error;
      console.error(`note: ${folder} is skipped: ${error.message}`);
      return [];
    }
  });
  const latest = open.toSorted((a, b) => a.started - b.started).at(-1);
  if (latest) return latest.folder;
  throw new CollimateError(
    runs.length > 0
      ? `there is no unfinished run of ${experiment} in ${parent}: all ${runs.length} are done or unreadable`
      : `there is no run of ${experiment} in ${parent}`,
    'Give its folder with `--resume <folder>`, or start a run without `--resume`.',
  );
}

/** A resumed run's configuration, noting a changed adapter. */
export function goOn(config: RunConfig, dataset: string, adapter: RunConfig['adapter']): RunConfig {
  if (config.dataset !== dataset) {
    throw new CollimateError(
      `the run was begun on ${config.dataset}, but the images at hand are ${dataset}`,
      'Set or unset COLLIMATE_DATA as it was then.',
    );
  }
  const { resumedOn = [] } = config;
  const known = [config.adapter, ...resumedOn].some(
    ({ name, driver }) => name === adapter.name && driver === adapter.driver,
  );
  if (known) return config;
  console.error(
    `note: the run was started on ${config.adapter.name}; on ${adapter.name} it ends with different bits`,
  );
  return { ...config, resumedOn: [...resumedOn, adapter] };
}
