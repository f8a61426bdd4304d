import { LEARNED } from '../../analysis/claim.ts';
import { grid, type Sweep } from '../sweep.ts';
import { alone, fcBase, on } from './bases.ts';

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
    ...grid(fcBase(level), on('mnist'), {
      name: 'classes',
      values: (level === 'smoke' ? [2, 3] : [2, 3, 5, 10]).map((classes) => ({
        value: classes,
        // Two classes have but 12,665 images.
        changes: { classes, ...(classes === 2 && level !== 'smoke' && { validation: 2_000 }) },
      })),
    }),
    ...(level === 'paper'
      ? grid(alone('cifar100-conv', 'paper'), on('cifar100'), {
          name: 'classes',
          values: [
            { value: 20, changes: { classes: 20, superclasses: true } },
            { value: 100, changes: { classes: 100 } },
          ],
        })
      : []),
  ],
  claims: () => [
    {
      property: 'RA2',
      id: 'two-classes',
      title: 'of two classes, singular vectors align almost perfectly',
      measure: 'diagonal share of U_jᵀ J_i V_j at C = 2',
      threshold: { atLeast: 0.95 },
      of: { scalar: 'diagonalShare', at: { dataset: 'mnist', classes: 2 } },
      presupposes: [LEARNED],
    },
    {
      property: 'RA3',
      id: 'rank',
      title: 'Residual Jacobians have rank at most C, for every C',
      measure: 'share of ‖J‖² in the top C singular values, minimum over blocks and C',
      threshold: { atLeast: 0.99 },
      of: { scalar: 'topEnergy', at: { dataset: 'mnist' }, over: 'classes', take: 'min' },
      presupposes: [LEARNED],
    },
    {
      property: 'RA2',
      id: 'dimension',
      title: 'the aligned subspace grows with the number of classes',
      measure: 'slope of log aligned dimension on log C',
      threshold: { atLeast: 0.5 },
      of: { scalar: 'alignedDimension', at: { dataset: 'mnist' }, over: 'classes', take: 'slope' },
      presupposes: [LEARNED],
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'classes',
      title: 'Measures against the number of classes',
      caption:
        'Measures against the number of classes: one dot per seed, small dots at initialization. Look for a rank and an aligned dimension that grow with C while the energy in the top C stays at 1.',
      x: 'classes',
      series: 'dataset',
      scalars: ['numericalRank', 'alignedDimension', 'topEnergy', 'diagonalShare', 'testAccuracy', 'nc1'],
      beside: true,
    },
  ],
};
