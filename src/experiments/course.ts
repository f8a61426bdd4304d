import type { Course, Measures } from '../analysis/results.ts';
import { CollimateError } from '../errors.ts';
import { ageOf, otherFormat } from '../format.ts';
import type { Gpu } from '../gpu/device.ts';
import { networkOf } from '../models/network-of.ts';
import { Analyst } from './analyst.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import type { RunConfig } from './run-config.ts';
import type { RunFolder } from './run-folder.ts';
import { snapshotEpochs, snapshotFile } from './snapshots.ts';
import type { DeviceTask, Task } from './task.ts';

export const COURSE = 'course.json';
const SCHEMA = 'collimate/course@1';

/** Epochs at whose ends a run's moments are still to be measured, 0 for initialization; none in runs without snapshots. */
export function missingEpochs(
  folder: RunFolder,
  { epochs, snapshots }: Pick<RunConfig['settings'], 'epochs' | 'snapshots'>,
): number[] {
  if (snapshots === 0) return [];
  const measured = new Set(readCourse(folder).moments.map(({ epoch }) => epoch));
  return [0, ...snapshotEpochs(epochs, snapshots)].filter((epoch) => !measured.has(epoch));
}

/**
 * Measures a trained run at initialization and at each of its snapshots, in brief, one moment after the other: what its
 * course.json holds already is not measured again. `initialization` is what its analysis says of that.
 */
export async function measureCourse(
  gpu: Gpu,
  task: Task,
  data: DeviceTask,
  folder: RunFolder,
  { settings, network }: RunConfig,
  initialization: Measures,
): Promise<void> {
  const missing = missingEpochs(folder, settings);
  if (!missing.length) return;
  const { seed, samples: count } = settings;
  const course = readCourse(folder);
  using analyst = new Analyst(gpu, task, data, networkOf(network), {
    trainingSeed: seed,
    seed,
    samples: count,
  });
  for (const epoch of missing) {
    const { samples, alignment, ...summary } =
      epoch === 0 ? initialization : await analyst.measure(snapshot(folder, epoch, network), { brief: true });
    course.moments.push({ epoch, ...summary });
    folder.writeJson(COURSE, course);
  }
}

/** What has been measured so far. */
function readCourse(folder: RunFolder): Course {
  const begun = folder.has(COURSE) ? (folder.readJson(COURSE) as Partial<Course>) : undefined;
  if (ageOf(begun?.schema, SCHEMA) === 'newer') {
    const again = 'Remove the file: it is made again from the snapshots.';
    throw otherFormat(`${folder.path}/${COURSE}`, begun?.schema, SCHEMA, { older: again, other: again });
  }
  return begun?.schema === SCHEMA && begun.moments
    ? { schema: SCHEMA, moments: begun.moments }
    : { schema: SCHEMA, moments: [] };
}

function snapshot(folder: RunFolder, epoch: number, options: RunConfig['network']) {
  const name = snapshotFile(epoch);
  const { info, state } = decodeCheckpoint(folder.readBytes(name), `${folder.path}/${name}`);
  if (JSON.stringify(info.network) !== JSON.stringify(options)) {
    throw new CollimateError(
      `${folder.path}/${name} is of another network than config.json`,
      'Remove the folder, and begin the run again.',
    );
  }
  return state;
}
