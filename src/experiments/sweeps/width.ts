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
          'share of ‖J‖² in the top C, least over blocks',
          0.99,
        ],
      ] as const
    ).map(([name, title, measure, threshold]) => ({
      property: 'scope',
      id: `widths-${name}`,
      title: `${title} at every width`,
      measure: `${measure}, least over widths`,
      comparison: '>=',
      threshold,
      of: (runs) => runs.least('width', name, WITH),
      control: { label: PLAIN, of: (runs) => runs.least('width', name, WITHOUT) },
    })),
  figures: [
    {
      kind: 'scalars',
      file: 'width',
      title: 'Measures against width',
      caption:
        'A dot a seed. Look for alignment that does not go away in wider networks, and is nowhere without skip connections.',
      x: 'width',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'nc1'],
    },
  ],
};
