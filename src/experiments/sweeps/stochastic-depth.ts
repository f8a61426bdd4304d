import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { aligned, fcBase, MAIN } from './bases.ts';

export const stochasticDepth: Sweep = {
  name: 'stochastic-depth',
  title: 'Stochastic depth',
  question: 'Does alignment survive when training drops blocks at random?',
  summary: 'survival probabilities 1, 0.9, 0.7, 0.5',
  axes: [{ name: 'survival', label: 'survival probability' }],
  cells: (level) =>
    grid(fcBase(level), valuesOf('survival', level === 'smoke' ? [1, 0.5] : [1, 0.9, 0.7, 0.5])),
  claims: () => [
    aligned({
      id: 'survival',
      where: 'with stochastic depth too',
      measured: 'minimum over survival probabilities',
      of: { over: 'survival', take: 'min' },
    }),
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
