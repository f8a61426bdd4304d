import { CollimateError } from '../src/errors.ts';

/** How a suite's sizes are written, such as `MxNxK`, and its defaults. */
export interface SizeNotation {
  /** Names of the extents, joined by x. */
  readonly notation: string;
  readonly defaults: readonly string[];
  /** Whether one number stands for all extents. */
  readonly cube?: boolean;
}

const MAX_SIDE = 65_536;

/**
 * Sizes as typed, `512,1024x128x784`, for a suite of that notation.
 * @throws CollimateError naming the size that cannot be read
 */
export function parseSizes(
  text: string,
  suite: string,
  { notation, defaults, cube }: SizeNotation,
): number[][] {
  const count = notation.split('x').length;
  return text.split(',').map((part) => {
    const extents = part.trim().split('x').map(Number);
    const whole = extents.every((n) => Number.isInteger(n) && n >= 1 && n <= MAX_SIDE);
    if (whole && extents.length === count) return extents;
    if (whole && extents.length === 1 && cube) return new Array<number>(count).fill(extents[0]!);
    throw new CollimateError(
      `--sizes has '${part}', which is no size for ${suite}`,
      `Give ${notation}${cube ? `, or one number for all ${count}` : ''}, whole numbers from 1 to ${MAX_SIDE}, ` +
        `separated by commas: ${defaults.slice(0, 2).join(',')}`,
    );
  });
}
