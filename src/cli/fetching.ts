import type { SingleBar } from 'cli-progress';
import type { DatasetOptions } from '../data/dataset.ts';
import type { DatasetName } from '../data/datasets.ts';
import { ensureDataset, type FetchProgress } from '../data/fetch.ts';
import { loadTask } from '../experiments/load-task.ts';
import type { Task } from '../experiments/task.ts';
import { formatBytes } from '../gpu/failures.ts';
import { drawsBars, progressBar } from './bar.ts';
import { every } from './clock.ts';

const LINE_MS = 5_000;

/** Loads a run's images; fetches a missing dataset, after saying so. */
export async function fetchTask(
  dataset: DatasetName,
  settings: Parameters<typeof loadTask>[1],
  dataDir: string | undefined,
): Promise<Task> {
  await fetchDataset(dataset, { dataDir, size: settings.resolution });
  const isDue = every(LINE_MS, performance.now());
  const onDecode = (done: number, total: number) => {
    if (isDue()) console.error(`${dataset}: ${done} of ${total} images decoded`);
  };
  return loadTask(dataset, settings, { dataDir, onDecode });
}

/** Fetches what a dataset lacks and shows progress: a bar on a terminal, a line now and then elsewhere. */
export async function fetchDataset(dataset: DatasetName, options: DatasetOptions): Promise<void> {
  const { onProgress, close } = drawsBars() ? bars() : lines();
  try {
    await ensureDataset(dataset, { ...options, onProgress });
  } finally {
    close();
  }
}

function lines() {
  const isDue = every(LINE_MS, performance.now());
  const onProgress = ({ file, received, total }: FetchProgress) => {
    if (isDue(received >= total)) console.error(`${file}: ${formatBytes(received)} of ${formatBytes(total)}`);
  };
  return { onProgress, close() {} };
}

function bars() {
  let current: { file: string; bar: SingleBar } | undefined;
  const close = () => current?.bar.stop();
  const onProgress = ({ file, received, total }: FetchProgress) => {
    if (current?.file !== file) {
      close();
      const format = '{file} {bar} {percentage}% · {bytes} of {of} · {eta_formatted} left';
      current = { file, bar: progressBar({ format, barsize: 24, fps: 8, etaBuffer: 200 }) };
      current.bar.start(total, received, { file, bytes: '', of: formatBytes(total) });
    }
    current.bar.update(received, { bytes: formatBytes(received) });
  };
  return { onProgress, close };
}
