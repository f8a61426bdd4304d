import type { Task } from '../../src/experiments/task.ts';
import type { PageImages } from '../images.ts';
import { pageTask } from '../task.ts';

/** The page's images, once loaded. */
export const given: { images?: PageImages } = {};

/** Stands in for src/experiments/load-task.ts in the page: vite.config.ts says so. */
export const loadTask = async (_: string, { classes }: { classes: number }): Promise<Task> =>
  pageTask(given.images!, classes);
