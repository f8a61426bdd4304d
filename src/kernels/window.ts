import { CollimateError } from '../errors.ts';

/** Height and width. */
export type Sides = readonly [number, number];

/** How a window moves over an image: their sizes, its steps, and rows and columns added on each side. */
export interface Window {
  readonly image: Sides;
  readonly size: Sides;
  readonly stride: Sides;
  readonly padding: Sides;
}

/** Number of output positions, down and across. */
export function outputSides({ image, size, stride, padding }: Window): [number, number] {
  const along = (axis: 0 | 1) =>
    Math.floor((image[axis] + 2 * padding[axis] - size[axis]) / stride[axis]) + 1;
  return [along(0), along(1)];
}

/** @throws CollimateError naming what is invalid about a window */
export function checkWindow(op: string, { image, size, stride, padding }: Window): void {
  const fail = (what: string, remedy: string): never => {
    throw new CollimateError(`${op}: ${what}`, remedy);
  };
  for (const [what, given] of Object.entries({ window: size, stride, padding })) {
    if (given?.length !== 2) fail(`the ${what} is ${given}`, 'Give one number, or two: height and width.');
  }
  for (const axis of [0, 1] as const) {
    const name = axis === 0 ? 'height' : 'width';
    for (const [what, sides] of Object.entries({ window: size, stride, padding })) {
      const [value, least] = [sides[axis], what === 'padding' ? 0 : 1];
      if (!Number.isInteger(value) || value < least)
        fail(`the ${what}'s ${name} is ${value}`, `Give a whole number, at least ${least}.`);
    }
    if (padding[axis] >= size[axis]) {
      fail(
        `a padding of ${padding[axis]} is as large as the window's ${name}, ${size[axis]}`,
        'Some positions of the window would see no image: use less padding.',
      );
    }
    if (size[axis] > image[axis] + 2 * padding[axis]) {
      fail(
        `the window's ${name} is ${size[axis]}, the image's ${image[axis]} with a padding of ${padding[axis]}`,
        'Use a smaller window, or more padding.',
      );
    }
  }
}
