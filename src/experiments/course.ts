import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkInfo } from '../analysis/network-info.ts';
import {
  type Course,
  type CourseSnapshot,
  course,
  fitsNetwork,
  type Measures,
  summaryOf,
} from '../analysis/results.ts';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { networkOf } from '../models/networks.ts';
import { readRecord } from '../record.ts';
import { analystOf } from './analyst.ts';
import { decodeCheckpoint, refuseDifference } from './checkpoint.ts';
import type { RunConfig } from './run-config.ts';
import type { RunFolder } from './run-folder.ts';
import { snapshotEpochs, snapshotFile } from './snapshots.ts';
import type { DeviceTask } from './task.ts';

export const COURSE = 'course.json';
const COURSE_FILE = {
  format: 'collimate/course@1',
  schema: course,
  remedy: `Remove the file; \`${command('reproduce', '… --resume')}\` makes it again from the snapshots.`,
} as const;

/** Epochs whose weights are yet to be measured, 0 for initialization; none in runs without snapshots. */
export function missingEpochs(
  folder: string,
  { epochs, snapshots }: Pick<RunConfig['settings'], 'epochs' | 'snapshots'>,
): number[] {
  if (snapshots === 0) return [];
  const measured = new Set(readCourse(folder).map(({ epoch }) => epoch));
  return [0, ...snapshotEpochs(epochs, snapshots)].filter((epoch) => !measured.has(epoch));
}

/** Measures a trained run's snapshots, briefly, and adds `initialization`; skips what course.json holds. */
export async function measureCourse(
  data: DeviceTask,
  folder: RunFolder,
  config: RunConfig,
  initialization: Measures,
): Promise<void> {
  const { settings, network } = config;
  const missing = missingEpochs(folder.path, settings);
  if (!missing.length) return;
  const { seed, samples } = settings;
  const snapshots = readCourse(folder.path);
  const request = { trainingSeed: seed, seed, samples };
  using analyst = analystOf(data, networkOf(network), request);
  for (const epoch of missing) {
    const measures =
      epoch === 0 ? initialization : await analyst.measure(snapshot(folder, epoch, config), { brief: true });
    snapshots.push({ epoch, ...summaryOf(measures) });
    folder.writeJson(COURSE, { schema: COURSE_FILE.format, moments: snapshots } satisfies Course);
  }
}

/** A network's measures so far, if known. */
export function readCourse(folder: string, network?: NetworkInfo): CourseSnapshot[] {
  const path = join(folder, COURSE);
  const { moments } = existsSync(path) ? readRecord(path, COURSE_FILE) : { moments: [] };
  const strange = network && moments.find((one) => !fitsNetwork(one, network));
  if (!strange) return moments;
  throw new CollimateError(
    `${path}: the snapshot of epoch ${strange.epoch} is of another network than analysis.json`,
    COURSE_FILE.remedy,
  );
}

/** The weights after an epoch, checked to be the run's. */
function snapshot(folder: RunFolder, epoch: number, run: Pick<RunConfig, 'network' | 'training'>) {
  const name = `${folder.path}/${snapshotFile(epoch)}`;
  const { info, state } = decodeCheckpoint(folder.readBytes(snapshotFile(epoch)), name);
  const remedy = 'Remove the folder, and start the run again.';
  for (const part of ['network', 'training'] as const) {
    refuseDifference(info[part], run[part], `${name}: its ${part}`, 'in config.json it is', remedy);
  }
  const step = epoch * Math.floor(run.training.images / run.training.batch);
  refuseDifference(state.step, step, `${name}: its step`, `after epoch ${epoch} it is`, remedy);
  return state;
}
