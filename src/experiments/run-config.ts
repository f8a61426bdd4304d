import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CollimateError } from '../errors.ts';
import { otherFormat } from '../format.ts';
import type { AdapterInfo } from '../gpu/adapter.ts';
import type { NetworkOptions } from '../models/network-of.ts';
import { type CheckpointInfo, networkFrom, normalizationFrom } from './checkpoint.ts';
import {
  AS_IN_THE_PAPER,
  controlSettings,
  type Experiment,
  networkOptions,
  type Settings,
} from './experiment.ts';
import { CONFIG } from './run-folder.ts';
import { shapeOf, type Task } from './task.ts';
import type { TrainingOptions } from './train-run.ts';

const SCHEMA = 'collimate/config@1';

/** The shape of `config.json`: what it takes to repeat a run, and what it ran on. */
export interface RunConfig {
  readonly schema: typeof SCHEMA;
  readonly experiment: string;
  readonly preset: string;
  readonly settings: Settings;
  readonly network: NetworkOptions;
  readonly training: TrainingOptions;
  readonly dataset: string;
  /** What has to be said of the data, a sentence each. */
  readonly notes?: readonly string[];
  /** Mean and standard deviation of the training pixels by channel, scaled to [0, 1]: inputs are (x − mean) / std. */
  readonly normalization: Task['normalization'];
  readonly adapter: AdapterInfo;
  /** Other adapters on which it was resumed; the same bits are only promised on one. */
  readonly resumedOn?: readonly AdapterInfo[];
  /** Variant of the kernel used for each problem that there is more than one for; a resumed run uses the same. */
  readonly kernels?: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly system: string;
  /** Of the source tree, with `-dirty` if it had changes; null where that cannot be told. */
  readonly commit: string | null;
  readonly command: string;
  readonly started: string;
}

/** The configuration of a new run, or of its control. */
export function describeRun(
  experiment: Experiment,
  run: { preset: string; settings: Settings; command: string },
  task: Task,
  adapter: AdapterInfo,
): RunConfig {
  const { settings } = run;
  return {
    schema: SCHEMA,
    experiment: experiment.name,
    preset: run.preset,
    settings,
    ...optionsOf(experiment.model, settings, task),
    dataset: task.dataset,
    notes: task.notes,
    normalization: task.normalization,
    ...originOf(adapter, run.command),
  };
}

/** What a result was made by and on, from this moment on. */
export const originOf = (
  adapter: AdapterInfo,
  command: string,
): Pick<RunConfig, 'adapter' | 'versions' | 'system' | 'commit' | 'command' | 'started'> => ({
  adapter,
  versions: versions(),
  system: `${platform()} ${release()} ${arch()}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`,
  commit: commit(),
  command,
  started: new Date().toISOString(),
});

/** The same run without skip connections and with the control's weight decay. */
export function controlOf(config: RunConfig, task: Task): RunConfig {
  const settings = controlSettings(config.settings);
  return { ...config, settings, ...optionsOf(config.network.kind, settings, task) };
}

function optionsOf(
  model: Experiment['model'],
  settings: Settings,
  task: Task,
): Pick<RunConfig, 'network' | 'training'> {
  const { seed, epochs, batch, lr, momentum, weightDecay, randomLabels, superclasses, snapshots } = settings;
  return {
    network: networkOptions(model, settings, shapeOf(task.train)),
    training: {
      ...{ seed, images: task.train.count, epochs, batch, lr, momentum, weightDecay },
      ...(randomLabels > 0 && { randomLabels }),
      ...(superclasses && { superclasses }),
      ...(snapshots > 0 && { snapshots }),
    },
  };
}

export const checkpointInfo = ({
  experiment,
  network,
  training,
  normalization,
}: RunConfig): CheckpointInfo & {
  training: TrainingOptions;
} => ({ experiment, network, training, normalization });

/** The config.json of a folder, which may be missing, edited, or of another version. */
export function readConfig(folder: string): RunConfig {
  const path = join(folder, CONFIG);
  let config: Partial<RunConfig> | null;
  try {
    config = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunConfig> | null;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CollimateError(
      missing
        ? `${folder} is not the folder of a run: there is no ${path}`
        : `cannot read ${path}: ${(cause as Error).message}`,
      missing
        ? 'Name the folder of a run, or begin one without `--resume`.'
        : 'Restore the file from a copy.',
      { cause },
    );
  }
  const { schema, settings, network, training, normalization } = config ?? {};
  if (schema !== SCHEMA) {
    throw otherFormat(path, schema, SCHEMA, {
      older: 'Begin another run, or use the version of Collimate that has begun this one.',
      other: 'Restore the file, or begin another run without `--resume`.',
    });
  }
  if (!settings || !network || !training || !normalization) {
    throw new CollimateError(
      `${path} is not the configuration of a run: it lacks some of its parts`,
      'Restore the file, or begin another run without `--resume`.',
    );
  }
  const unsaid = Object.entries({ ...AS_IN_THE_PAPER, skip: network.skip }).filter(
    ([name]) => !(name in settings),
  );
  return {
    ...(config as RunConfig),
    settings: { ...settings, ...Object.fromEntries(unsaid) }, // in the order in which they were written
    network: networkFrom(network),
    normalization: normalizationFrom(normalization),
  };
}

const root = fileURLToPath(new URL('../../', import.meta.url));

function versions(): Record<string, string> {
  const { name, version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<string, string>;
  const dawn = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  return { [name!]: version!, node: process.versions.node, webgpu: dawn.version };
}

/** The commit that this package is checked out at, `-dirty` behind it where files differ; null where that is not known. */
export function commit(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    // The package may lie inside another project's repository, whose commits say nothing about it.
    if (git('rev-parse', '--show-prefix') !== '') return null;
    return git('describe', '--always', '--dirty', '--abbrev=40', '--exclude', '*');
  } catch {
    return null;
  }
}
