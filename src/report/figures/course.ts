import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import type { Figure, ReportData } from '../data.ts';
import { figure } from '../svg.ts';
import { coursePanels } from './sweep-lines.ts';

/** What is shown of a single run: training, the properties in their order, neural collapse. */
const shown: readonly ScalarName[] = [
  ...(['trainAccuracy', 'testAccuracy', 'line', 'stepCosine', 'diagonalShare', 'leftRight'] as const),
  ...(['topEnergy', 'sigma1First', 'sigma1Last', 'nc1', 'nc2Angles', 'nc3'] as const),
];

/** How alignment and neural collapse came about, where weights were kept on the way. */
export function course({ run }: ReportData): Figure[] {
  const { course: moments, analysis } = run;
  if (!moments) return [];
  const rows = shown.flatMap((measure) =>
    moments.map((moment) => ({
      ...{ measure, run: run.label, epoch: moment.epoch },
      value: scalar(measure).from(moment, analysis.network),
    })),
  );
  return [
    figure(
      {
        file: 'course.svg',
        data: ['course'],
        title: 'Alignment and neural collapse over training',
        caption:
          'Measures at moments of training, from initialization on. Look for alignment (d, e, f, g) that rises while neural ' +
          'collapse (j, k, l) falls to 0. Epochs are placed by their logarithms; each panel has its own scale.',
      },
      coursePanels(shown, rows),
    ),
  ];
}
