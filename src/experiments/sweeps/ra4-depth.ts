import { LEARNED } from '../../analysis/claim.ts';
import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { fcBase, MAIN, PLAIN, SKIP, SKIP_AXIS, WITH, WITHOUT } from './bases.ts';

/** Two blocks have but one pair to align. */
const ALIGNED = [4, Number.POSITIVE_INFINITY] as const;

export const depth: Sweep = {
  name: 'ra4-depth',
  title: 'RA4: singular values against total depth',
  question: 'Do the top singular values of Residual Jacobians fall inversely with the number of blocks L?',
  summary: 'σ₁ against total depth L, with the slope in log–log',
  axes: [SKIP_AXIS, { name: 'depth', label: 'total depth L', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('depth', level === 'smoke' ? [2, 4] : [2, 4, 8, 16, 32])),
  claims: () => [
    {
      property: 'RA4',
      id: 'slope',
      title: 'the top singular value of the last block falls inversely with total depth',
      measure: 'slope of log σ₁ of the last block on log L, over L = 4, 8, 16',
      threshold: { atLeast: -1.5, atMost: -0.8 },
      of: { scalar: 'sigma1Last', at: { ...WITH, depth: [4, 16] }, over: 'depth', take: 'slope' },
      presupposes: [LEARNED],
      control: { label: PLAIN, at: WITHOUT },
    },
    {
      property: 'RA4',
      id: 'slope-all',
      title: 'the top singular value of the last block falls inversely with total depth, over all depths',
      measure: 'slope of log σ₁ of the last block on log L, over L = 2 to 32',
      threshold: { atLeast: -1.5, atMost: -0.8 },
      of: { scalar: 'sigma1Last', at: WITH, over: 'depth', take: 'slope' },
      presupposes: [LEARNED],
      control: { label: PLAIN, at: WITHOUT },
    },
    {
      property: 'scope',
      id: 'depths',
      title: 'singular vectors align at every depth',
      measure: 'diagonal share of U_jᵀ J_i V_j, minimum over L = 4 to 32',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', at: { ...WITH, depth: ALIGNED }, over: 'depth', take: 'min' },
      presupposes: [LEARNED],
      control: { label: PLAIN, at: WITHOUT },
    },
    {
      property: 'scope',
      id: 'depth-line',
      title: 'representations lie on a line at every depth',
      measure: 'share of variance along the first principal direction, minimum over L = 4 to 32',
      threshold: { atLeast: 0.98 },
      of: { scalar: 'line', at: { ...WITH, depth: ALIGNED }, over: 'depth', take: 'min' },
      presupposes: [LEARNED],
      control: { label: PLAIN, at: WITHOUT },
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'ra4-depth',
      title: 'RA4: σ₁ against total depth',
      caption:
        'Largest singular value of the last block and of the first, both axes logarithmic: one dot per seed. Look for a straight fall with skip ' +
        'connections. The slope is that of a line fitted to the logarithms, with its 95% confidence band: −1 where σ₁ is inversely proportional to L.',
      x: 'depth',
      series: 'skip',
      scalars: ['sigma1Last', 'sigma1First'],
      slope: true,
    },
    {
      kind: 'scalars',
      file: 'alignment-depth',
      title: 'The other measures against total depth',
      caption:
        'Measures against total depth: one dot per seed, lines through means. Look for curves that stay high with skip connections and low without: then alignment does not depend on depth.',
      x: 'depth',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN],
    },
    {
      kind: 'blocks',
      file: 'sigma-blocks',
      title: 'σ₁ of each block',
      caption:
        'Largest singular value of each block’s Jacobian with skip connections, one panel per depth, one line per seed. Look for a fall over blocks at every depth.',
      panels: 'depth',
      measure: 'sigma1',
      where: WITH,
    },
  ],
};
