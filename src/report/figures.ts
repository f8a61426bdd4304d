import type { Figure, ReportData } from './data.ts';
import { alignment } from './figures/alignment.ts';
import { blocks } from './figures/blocks.ts';
import { course } from './figures/course.ts';
import { leftRight } from './figures/left-right.ts';
import { scale } from './figures/scale.ts';
import { spectra } from './figures/spectra.ts';
import { steps } from './figures/steps.ts';
import { training } from './figures/training.ts';
import { trajectories } from './figures/trajectories.ts';

export type { Figure, ReportData, RunData } from './data.ts';

/** All figures of a report, in the order in which a reader wants them. */
export function figures(data: ReportData): Figure[] {
  const drawn = [trajectories, steps, alignment, leftRight, spectra, scale, blocks, training];
  return [...drawn.map((draw) => draw(data)), ...course(data)];
}
