import { createRequire } from 'node:module';
import type { MultiBar, Options, SingleBar } from 'cli-progress';
import { packageFolder } from '../host/packages.ts';

/** Draws bars; without it, lines are printed. */
const PACKAGE = 'cli-progress';

/** Whether to draw bars: on a terminal that can move its cursor, unless the user has disabled them. */
export const drawsBars = (): boolean =>
  process.stderr.isTTY &&
  process.env.TERM !== 'dumb' &&
  !process.env.NO_COLOR &&
  packageFolder(PACKAGE) !== undefined;

const load = () => createRequire(import.meta.url)(PACKAGE) as typeof import('cli-progress');

/** A bar, where {@link drawsBars} holds. */
export function progressBar(options: Options): SingleBar {
  const { Presets, SingleBar } = load();
  return new SingleBar(options, Presets.shades_classic);
}

/** The same for several bars, one below another. */
export function progressBars(options: Options): MultiBar {
  const { Presets, MultiBar } = load();
  return new MultiBar(options, Presets.shades_classic);
}
