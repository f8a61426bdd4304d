import type { DatasetOptions } from '../data/dataset.ts';
import { loadDataset } from '../data/load.ts';
import type { Experiment } from './experiment.ts';
import { type DataSettings, type Task, taskOf } from './task.ts';

export async function loadTask(
  name: Experiment['dataset'],
  settings: DataSettings,
  options: DatasetOptions = {},
): Promise<Task> {
  const { resolution: size, superclasses, validation = 0 } = settings;
  const images = settings.images + validation;
  return taskOf(await loadDataset(name, { ...options, size, superclasses, images }), settings);
}
