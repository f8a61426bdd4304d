import { ensureDataset } from '../data/fetch.ts';
import type { Experiment } from '../experiments/experiment.ts';
import { loadTask } from '../experiments/load-task.ts';
import type { Task } from '../experiments/task.ts';
import { every } from './clock.ts';
import { fetchBar } from './fetch-bar.ts';

const LINE_MS = 5_000;

/** Loads the images of a run; a dataset that is not there is fetched, after saying so. */
export async function fetchTask(
  dataset: Experiment['dataset'],
  settings: Parameters<typeof loadTask>[1],
  dataDir: string | undefined,
): Promise<Task> {
  const bar = fetchBar();
  try {
    await ensureDataset(dataset, { dataDir, size: settings.resolution, onProgress: bar.onProgress });
  } finally {
    bar.close();
  }
  const isDue = every(LINE_MS, performance.now());
  const onDecode = (done: number, total: number) => {
    if (isDue()) console.error(`${dataset}: ${done} of ${total} images decoded`);
  };
  return loadTask(dataset, settings, { dataDir, onDecode });
}
