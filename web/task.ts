import { type Task, taskOf } from '../src/experiments/task.ts';
import { type PageImages, TRAIN } from './images.ts';

/** What `reproduce --images` takes of MNIST, from the images that the page has. */
export const pageTask = ({ split, normalization }: PageImages, classes: number): Task => ({
  ...taskOf(split, { classes, images: TRAIN }),
  normalization,
});
