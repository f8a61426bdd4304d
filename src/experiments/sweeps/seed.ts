import { LEARNED } from '../../analysis/claim.ts';
import { grid, type Level, type Sweep, type SweepCell } from '../sweep.ts';
import { fcBase } from './bases.ts';

export const seed: Sweep = {
  name: 'seed',
  title: 'Residual Alignment over seeds, beside networks without skip connections',
  question:
    'Do RA1–RA4 hold in a network trained as in the paper, whatever its seed, and not at initialization or without skip connections? ' +
    'And is there neural collapse beside them?',
  summary: 'the main result over three seeds, each with its control',
  axes: [],
  cells: (level) => mainCells(level),
  runClaims: [{}],
  claims: () => [
    {
      property: 'collapse',
      id: 'nc1',
      title: 'within-class variability collapses',
      measure: 'NC1, tr(Σ_W Σ_B⁺)/C of the last representations',
      threshold: { atMost: 0.2 },
      of: { scalar: 'nc1' },
      presupposes: [LEARNED],
    },
    {
      property: 'collapse',
      id: 'nc2',
      title: 'class means form a simplex',
      measure: 'NC2, mean of |cos + 1/(C−1)| over pairs of centred class means',
      threshold: { atMost: 0.1 },
      of: { scalar: 'nc2Angles' },
      presupposes: [LEARNED],
    },
    {
      property: 'collapse',
      id: 'nc3',
      title: 'the classifier and the class means become dual',
      measure: 'NC3, distance between both, each divided by its norm',
      threshold: { atMost: 0.3 },
      of: { scalar: 'nc3' },
      presupposes: [LEARNED],
    },
    {
      property: 'collapse',
      id: 'nc4',
      title: 'the network chooses the nearest class mean',
      measure: 'NC4, share of training images where it does not',
      threshold: { atMost: 0.01 },
      of: { scalar: 'nc4' },
      presupposes: [LEARNED],
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'seeds',
      title: 'Every seed',
      caption:
        'One dot per seed: the trained network, the same at initialization, and its control without skip connections. Look for three ' +
        'groups that lie apart, and for dots of one group close together.',
      x: 'seed',
      scalars: [
        'line',
        'stepCosine',
        'stepCv',
        'diagonalShare',
        'leftRight',
        'topEnergy',
        'nc1',
        'nc2Angles',
      ],
      beside: true,
    },
  ],
};

/** The preset as it stands, with its control and with snapshots. */
export function mainCells(level: Level): SweepCell[] {
  if (level === 'smoke') {
    const { name, changes, ...tiny } = fcBase('smoke');
    const snapshots = { snapshots: 2, controlWeightDecay: 1e-3 };
    return grid({ ...tiny, name: `${name}-course`, changes: { ...changes, ...snapshots } });
  }
  return grid({
    name: `mnist-fc.${level}-course`,
    experiment: 'mnist-fc',
    preset: level,
    changes: { snapshots: level === 'quick' ? 8 : 16 },
  });
}
