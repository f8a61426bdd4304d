import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { CollimateError } from '../errors.ts';
import type { AdapterInfo } from '../gpu/adapter.ts';
import { root } from '../host/home.ts';
import { versions } from '../host/packages.ts';
import { networkOptions, networks } from '../models/networks.ts';
import { readRecord } from '../record.ts';
import { checked, isRecord, whole } from '../schema.ts';
import { controlSettings, defaults, trainingOptions, trainingSchema } from '../settings/settings.ts';
import type { Settings } from '../settings/table.ts';
import { type TuneMode, tuneModes } from '../tuner/tuner.ts';
import { normalization, refuseDifference } from './checkpoint.ts';
import { type Experiment, imageShape } from './experiment.ts';
import { checkSettings, findExperiment, levelNamed, settingsSchema } from './given-settings.ts';
import { CONFIG } from './run-folder.ts';
import { shapeOf, type Task } from './task.ts';

const adapter = v.object({
  name: v.string(),
  vendor: v.string(),
  driver: v.string(),
  backend: v.optional(v.picklist(['vulkan', 'metal', 'd3d12'])),
  kind: v.picklist(['hardware', 'software']),
  source: v.picklist(['hardware', 'system', 'swiftshader']),
  threads: v.optional(whole(0)),
});

/** What made a result, and on what. */
export const origin = {
  adapter,
  versions: v.record(v.string(), v.string()),
  system: v.string(),
  /** The source tree's commit, with `-dirty` if it had changes; null if unknown. */
  commit: v.nullable(v.string()),
  command: v.string(),
  started: v.custom<string>((x) => typeof x === 'string' && Date.parse(x) > 0, 'a date and time'),
};

/** The shape of `config.json`: what it takes to repeat a run, and what it ran on. */
const config = v.object({
  schema: v.literal('collimate/config@1'),
  experiment: v.string(),
  preset: v.string(),
  settings: v.custom<Settings>(isRecord, 'an object'), // {@link settingsSchema} has the rest
  network: networkOptions,
  training: trainingSchema,
  dataset: v.string(),
  /** What reports must say about the data, a sentence each. */
  notes: v.exactOptional(v.pipe(v.array(v.string()), v.readonly())),
  /** Mean and deviation of the training pixels by channel, scaled to [0, 1]: inputs are (x − mean) / std. */
  normalization,
  ...origin,
  /** Other adapters on which it was resumed; the same bits are only promised on one. */
  resumedOn: v.exactOptional(v.pipe(v.array(adapter), v.readonly())),
  /** How kernels are chosen, `--tune`. */
  tune: v.exactOptional(v.picklist(tuneModes)),
  /** The kernel variant used for each problem with a choice; a resumed run uses the same. */
  kernels: v.exactOptional(v.record(v.string(), v.string())),
});

export type RunConfig = Readonly<v.InferOutput<typeof config>>;
export type Origin = Readonly<v.InferOutput<v.ObjectSchema<typeof origin, undefined>>>;

const CONFIG_FILE = {
  format: 'collimate/config@1',
  schema: config,
  complete(given: Record<string, unknown>) {
    const { settings } = given;
    // In the order in which it was written, so that a resumed run leaves the same file.
    return isRecord(settings) ? { ...given, settings: { ...settings, ...defaults, ...settings } } : given;
  },
  remedy: 'Restore the file from a copy, or start another run without `--resume`.',
  older: 'Start another run, or use the version of Collimate that started this one.',
} as const;

export function describeRun(
  experiment: Experiment,
  run: { preset: string; settings: Settings; command: string; tune?: TuneMode },
  task: Task,
  adapter: AdapterInfo,
): RunConfig {
  const { settings } = run;
  return {
    schema: CONFIG_FILE.format,
    experiment: experiment.name,
    preset: run.preset,
    settings,
    ...optionsOf(experiment.model, settings, shapeOf(task.train), task.train.count),
    dataset: task.dataset,
    notes: task.notes,
    normalization: task.normalization,
    ...(run.tune && { tune: run.tune }),
    ...originOf(adapter, run.command),
  };
}

/** The origin of a result that starts now. */
export const originOf = (adapter: AdapterInfo, command: string): Origin => ({
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
  const options = optionsOf(config.network.kind, settings, shapeOf(task.train), task.train.count);
  return { ...config, settings, ...options };
}

const optionsOf = (
  model: Experiment['model'],
  settings: Settings,
  image: readonly [number, number, number],
  images: number,
): Pick<RunConfig, 'network' | 'training'> => ({
  network: networks[model].optionsOf(settings, image),
  training: trainingOptions({ ...settings, images }),
});

/**
 * Reads the config.json of a folder, which may be missing, edited, or of another version.
 * @throws CollimateError if it does not describe a run, or contradicts itself
 */
export function readConfig(folder: string): RunConfig {
  const path = join(folder, CONFIG);
  if (!existsSync(path)) {
    throw new CollimateError(
      `${folder} is not the folder of a run: there is no ${path}`,
      'Give the folder of a run, or start one without `--resume`.',
    );
  }
  const { remedy } = CONFIG_FILE;
  const config = readRecord(path, CONFIG_FILE);
  const { settings, training } = config;
  const experiment = within(path, () => findExperiment(config.experiment));
  within(path, () => levelNamed(config.preset));
  checked(config, v.object({ settings: settingsSchema(experiment) }), path, remedy);
  within(path, () => checkSettings(experiment, settings));
  // Few classes may have fewer images than were requested.
  const images = Math.min(training.images, settings.images);
  const { model, dataset } = experiment;
  const expected = optionsOf(model, settings, imageShape(dataset, settings), images);
  for (const part of ['network', 'training'] as const) {
    refuseDifference(config[part], expected[part], `${path}: ${part}`, 'by its settings it is', remedy);
  }
  return config;
}

/** Adds to an error where it comes from. */
function within<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof CollimateError)) throw cause;
    throw new CollimateError(`${path}: ${cause.message}`, CONFIG_FILE.remedy, { cause });
  }
}

/** The commit this package is checked out at, with `-dirty` if files differ; null if unknown. */
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
