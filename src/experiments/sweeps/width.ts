import { LEARNED } from '../../analysis/claim.ts';
import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { fcBase, MAIN, PLAIN, SKIP, SKIP_AXIS, WITH, WITHOUT } from './bases.ts';

export const width: Sweep = {
  name: 'width',
  title: 'Residual Alignment over widths',
  question: 'Does alignment depend on the number of features D?',
  summary: 'all measures over the width D, with and without skip connections',
  axes: [SKIP_AXIS, { name: 'width', label: 'width D', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('width', level === 'smoke' ? [32, 64] : [32, 64, 128, 256])),
  claims: () =>
    (
      [
        [
          'line',
          'representations lie on a line',
          'share of variance along the first principal direction',
          0.98,
        ],
        ['diagonalShare', 'singular vectors align', 'diagonal share of U_jᵀ J_i V_j', 0.6],
        [
          'topEnergy',
          'Residual Jacobians have rank at most C',
          'share of ‖J‖² in the top C, minimum over blocks',
          0.99,
        ],
      ] as const
    ).map(([scalar, title, measure, atLeast]) => ({
      property: 'scope',
      id: `widths-${scalar}`,
      title: `${title} at every width`,
      measure: `${measure}, minimum over widths`,
      threshold: { atLeast },
      of: { scalar, at: WITH, over: 'width', take: 'min' },
      presupposes: [LEARNED],
      control: { label: PLAIN, at: WITHOUT },
    })),
  figures: [
    {
      kind: 'scalars',
      file: 'width',
      title: 'Measures against width',
      caption:
        'Measures against width: one dot per seed. Look for alignment that persists in wider networks with skip connections, and is absent without.',
      x: 'width',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'nc1'],
    },
  ],
};
