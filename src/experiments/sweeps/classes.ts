import type { Settings } from '../../settings/table.ts';
import { axis, grid, type Sweep } from '../sweep.ts';
import { ALIGNMENT, aligned, baseOf, fcBase, on, shows } from './bases.ts';

export const classes: Sweep = {
  name: 'classes',
  title: 'The aligned subspace grows with the number of classes',
  question:
    'Are Residual Jacobians of rank at most C, and does the subspace in which their singular vectors align grow with C, the number of classes?',
  summary: 'rank and aligned dimension over the number of classes C',
  axes: [
    { name: 'dataset', label: 'dataset' },
    { name: 'classes', label: 'classes C', log: true },
  ],
  cells: (level) => [
    ...grid(
      fcBase(level),
      on('mnist'),
      axis(
        'classes',
        ...(level === 'smoke' ? [2, 3] : [2, 3, 5, 10]).map((classes): [number, Partial<Settings>] => [
          classes,
          // Two classes have only 12,665 images.
          { classes, ...(classes === 2 && level !== 'smoke' && { validation: 2_000 }) },
        ]),
      ),
    ),
    ...(level === 'paper'
      ? grid(
          baseOf('cifar100-conv', 'paper', 'paper-alone', { controlWeightDecay: null }),
          on('cifar100'),
          axis('classes', [20, { classes: 20, superclasses: true }], [100, { classes: 100 }]),
        )
      : []),
  ],
  claims: () => [
    aligned({
      ...{ property: 'RA2', id: 'two-classes', where: 'almost perfectly with two classes' },
      threshold: { atLeast: 0.95 },
      of: { at: { dataset: 'mnist', classes: 2 } },
    }),
    shows('topEnergy', {
      ...{ property: 'RA3', id: 'rank', where: 'for every C', measured: 'minimum over C' },
      of: { at: { dataset: 'mnist' }, over: 'classes', take: 'min' },
    }),
    {
      property: 'RA2',
      id: 'dimension',
      title: 'the aligned subspace grows with the number of classes',
      measure: 'slope of log aligned dimension on log C',
      threshold: { atLeast: 0.5 },
      of: { scalar: 'alignedDimension', at: { dataset: 'mnist' }, over: 'classes', take: 'slope' },
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'classes',
      title: 'Measures against the number of classes',
      caption:
        'Measures against the number of classes: one dot per seed, small dots at initialization. Look for a rank and an aligned dimension that grow with C while the energy in the top C stays at 1. Ranks are counted up to 3C, which is what small dots show.',
      x: 'classes',
      series: 'dataset',
      scalars: ['numericalRank', 'alignedDimension', 'topEnergy', ALIGNMENT, 'testAccuracy', 'nc1'],
      beside: true,
    },
  ],
};
