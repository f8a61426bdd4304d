import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { aligned, fcBase, inverse, MAIN, PLAIN, SKIP, SKIP_AXIS, shows, WITH } from './bases.ts';

/** At every depth but 2: two blocks have one pair to align. */
const ALIGNED = {
  ...{ where: 'at every depth', measured: 'minimum over L = 4 to 32' },
  of: { at: { ...WITH, depth: [4, 32] }, take: 'min' },
  control: PLAIN,
} as const;

const slope = (id: string, where: string, depth: readonly [from: number, to: number]) =>
  inverse({
    ...{ property: 'RA4', id, at: { ...WITH, depth }, control: PLAIN },
    title: `the top singular value of the last block falls inversely with total depth${where}`,
    measure: `slope of log σ₁ of the last block on log L, over L = ${depth.join(' to ')}`,
  });

export const depth: Sweep = {
  name: 'ra4-depth',
  title: 'RA4: singular values against total depth',
  question: 'Do the top singular values of Residual Jacobians fall inversely with the number of blocks L?',
  summary: 'σ₁ against total depth L, with the slope in log–log',
  axes: [SKIP_AXIS, { name: 'depth', label: 'total depth L', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('depth', level === 'smoke' ? [2, 4] : [2, 4, 8, 16, 32])),
  claims: () => [
    slope('slope', '', [4, 16]),
    slope('slope-all', ', over all depths', [2, 32]),
    aligned({ id: 'depths', ...ALIGNED }),
    shows('line', { id: 'depth-line', ...ALIGNED }),
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
  notes: [
    'RA4 says “inversely”, which is a slope of −1. Three seeds of the quick preset gave −1.26 [−1.32, −1.20] over L = 4 to 16: σ₁ falls faster. Our threshold is −1.5 … −0.8.',
  ],
};
