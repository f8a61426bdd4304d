import { ensureDataset } from '../data/fetch.ts';
import type { Experiment } from '../experiments/experiment.ts';
import { loadTask } from '../experiments/load-task.ts';
import type { Task } from '../experiments/task.ts';
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
  let last = performance.now();
  const onDecode = (done: number, total: number) => {
    if (performance.now() - last < LINE_MS) return;
    last = performance.now();
    console.error(`${dataset}: ${done} of ${total} images decoded`);
  };
  return loadTask(dataset, settings, { dataDir, onDecode });
}
