import { createRequire } from 'node:module';
import type { Options, SingleBar } from 'cli-progress';
import { packageFolder } from '../host/packages.ts';

/** Draws bars; without it, lines are printed. */
const PACKAGE = 'cli-progress';

/** Whether bars may be drawn: on a terminal that moves its cursor, unless its user has switched that off. */
export const drawsBars = (): boolean =>
  process.stderr.isTTY &&
  process.env.TERM !== 'dumb' &&
  !process.env.NO_COLOR &&
  packageFolder(PACKAGE) !== undefined;

/** A bar, where {@link drawsBars} holds. */
export function progressBar(options: Options): SingleBar {
  const { Presets, SingleBar } = createRequire(import.meta.url)(PACKAGE) as typeof import('cli-progress');
  return new SingleBar(options, Presets.shades_classic);
}
