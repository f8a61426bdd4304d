import { LEARNED } from '../../analysis/claim.ts';
import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { fcBase, MAIN } from './bases.ts';

export const stochasticDepth: Sweep = {
  name: 'stochastic-depth',
  title: 'Stochastic depth',
  question: 'Does alignment survive when training drops blocks at random?',
  summary: 'survival probabilities 1, 0.9, 0.7, 0.5',
  axes: [{ name: 'survival', label: 'survival probability' }],
  cells: (level) =>
    grid(fcBase(level), valuesOf('survival', level === 'smoke' ? [1, 0.5] : [1, 0.9, 0.7, 0.5])),
  claims: () => [
    {
      property: 'scope',
      id: 'survival',
      title: 'singular vectors align with stochastic depth too',
      measure: 'diagonal share of U_jᵀ J_i V_j, minimum over survival probabilities',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', over: 'survival', take: 'min' },
      presupposes: [LEARNED],
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'survival',
      title: 'Measures against the survival probability',
      caption:
        'Measures against the probability that a block survives: one dot per seed, small dots at initialization. Look for alignment at every probability.',
      x: 'survival',
      scalars: ['testAccuracy', ...MAIN, 'stepCv', 'sigma1Last'],
      beside: true,
    },
  ],
};
