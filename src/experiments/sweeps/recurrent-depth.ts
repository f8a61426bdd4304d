import { scalar } from '../../analysis/scalars.ts';
import { axis, grid, type Sweep, valuesOf } from '../sweep.ts';
import { ALIGNMENT, aligned, fcBase, inverse, MAIN } from './bases.ts';

const BLOCKS = axis('blocks', ['tied', { tied: true }], ['own', { tied: false }]);
const TIED = { blocks: 'tied' };
const OWN = { label: 'blocks with weights of their own', at: { blocks: 'own' } };

/** Networks of one iterated block: the paper's question on recurrent networks. */
export const recurrentDepth: Sweep = {
  name: 'recurrent-depth',
  beyond: true,
  title: 'Recurrent depth',
  question:
    'Is a network that iterates one block aligned by construction, or by training? Do its singular values fall with depth, and may it stop early?',
  summary: 'one block iterated, beside blocks of their own, over L',
  axes: [
    { name: 'blocks', label: 'weights of blocks' },
    { name: 'depth', label: 'total depth L', log: true },
  ],
  cells: (level) => grid(fcBase(level), BLOCKS, valuesOf('depth', level === 'smoke' ? [2, 4] : [4, 8, 16])),
  claims: () => [
    {
      property: 'beyond',
      id: 'tied-construction',
      title: 'one block iterated is aligned across depth before training',
      measure: 'diagonal share over i ≠ j at initialization, minimum over depths',
      of: { scalar: ALIGNMENT, network: 'initialization', at: TIED, over: 'depth', take: 'min' },
      threshold: { atLeast: 0.9 },
      control: OWN,
    },
    aligned({
      property: 'beyond',
      id: 'tied',
      where: 'after training too',
      measured: 'minimum over depths',
      of: { at: TIED, over: 'depth', take: 'min' },
      control: OWN,
    }),
    {
      property: 'beyond',
      id: 'tied-left-right',
      title: 'left and right vectors of one block align by training',
      measure: `${scalar('leftRight').what}, and over depths`,
      of: { scalar: 'leftRight', at: TIED, over: 'depth', take: 'min' },
      threshold: { atLeast: 0.7 },
      control: OWN,
    },
    inverse({
      ...{ property: 'beyond', id: 'tied-slope', at: TIED, control: OWN },
      title: 'the top singular value of the last iteration falls inversely with their number',
      measure: 'slope of log σ₁ of the last iteration on log L',
    }),
    {
      property: 'beyond',
      id: 'tied-early',
      title: 'one block iterated half as often classifies as well',
      measure: 'training accuracy lost at half depth, maximum over depths',
      of: { scalar: 'halfAccuracyLost', at: TIED, over: 'depth', take: 'max' },
      threshold: { atMost: 0.01 },
      control: OWN,
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'recurrent-depth',
      title: 'Measures against the number of iterations',
      caption:
        'Measures against total depth, of one block iterated and of blocks with weights of their own: one dot per seed, small dots at initialization. Look for what tied blocks have before training: that is by construction.',
      x: 'depth',
      series: 'blocks',
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'halfAccuracyLost'],
      beside: true,
    },
    {
      kind: 'blocks',
      file: 'recurrent-sigma',
      title: 'σ₁ of each iteration',
      caption:
        'Largest singular value of the Jacobian of each iteration of one block, one panel per depth, one line per seed. Look for a fall although the weights are the same.',
      panels: 'depth',
      measure: 'sigma1',
      where: TIED,
    },
  ],
};
