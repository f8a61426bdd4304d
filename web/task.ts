import { type Task, taskOf } from '../src/experiments/task.ts';
import { type PageImages, TRAIN } from './images.ts';

/** The images that `reproduce --images` takes of MNIST, from the page's. */
export const pageTask = ({ split, normalization }: PageImages, classes: number): Task => ({
  ...taskOf(split, { classes, images: TRAIN }),
  normalization,
});
