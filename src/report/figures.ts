import { all } from '../analysis/results.ts';
import { scalar, scalarNames } from '../analysis/scalars.ts';
import { type ReportData, shown } from './data.ts';
import { draw } from './figures/kinds.ts';
import { coursePanels } from './figures/sweep-figures.ts';
import { training } from './figures/training.ts';
import type { Figure } from './page.ts';
import { figure } from './svg.ts';
import { courseRows } from './tables.ts';

/** All figures of a report: those of measures, in order, then training and the course of alignment. */
export const figures = (data: ReportData): Figure[] => [
  ...all.flatMap((measure) => measure.figures ?? []).map((spec) => draw(spec, shown(data))),
  training(data),
  ...course(data),
];

/** How alignment and neural collapse came about, where weights were kept on the way. */
function course({ run }: ReportData): Figure[] {
  if (!run.course) return [];
  const followed = scalarNames.filter((name) => scalar(name).followed);
  const rows = courseRows(run).map((row) => ({ ...row, run: run.label }));
  return [
    figure(
      {
        file: 'course.svg',
        data: ['course'],
        title: 'Alignment and neural collapse over training',
        caption:
          'Measures at snapshots of training, from initialization on. Look for alignment (d, e, f, g) that rises while neural ' +
          'collapse (j, k, l) falls to 0. Epochs are placed by their logarithms; each panel has its own scale.',
      },
      coursePanels(followed, rows),
    ),
  ];
}
