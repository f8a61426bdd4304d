import { scalar } from '../../analysis/scalars.ts';
import type { Level } from '../experiment.ts';
import { grid, type Sweep, type SweepCell } from '../sweep.ts';
import { baseOf, fcBase, MAIN } from './bases.ts';

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
  claims: () =>
    (
      [
        ['nc1', 'within-class variability collapses', 0.2],
        ['nc2Angles', 'class means form a simplex', 0.1],
        ['nc3', 'the classifier and the class means become dual', 0.3],
        ['nc4', 'the network chooses the nearest class mean', 0.01],
      ] as const
    ).map(([name, title, atMost]) => ({
      property: 'collapse',
      id: name.slice(0, 3),
      title,
      measure: scalar(name).what,
      threshold: { atMost },
      of: { scalar: name },
    })),
  figures: [
    {
      kind: 'scalars',
      file: 'seeds',
      title: 'Every seed',
      caption:
        'One dot per seed: the trained network, the same at initialization, and its control without skip connections. Look for three ' +
        'groups that lie apart, and for dots of one group close together.',
      x: 'seed',
      scalars: [...MAIN, 'stepCv', 'nc1', 'nc2Angles'],
      beside: true,
    },
  ],
};

/** The preset itself, with its control and snapshots. */
export function mainCells(level: Level): SweepCell[] {
  if (level === 'smoke') {
    const { name, changes, ...tiny } = fcBase('smoke');
    const snapshots = { snapshots: 2, controlWeightDecay: 1e-3 };
    return grid({ ...tiny, name: `${name}-course`, changes: { ...changes, ...snapshots } });
  }
  const changes = { snapshots: level === 'quick' ? 8 : 16 };
  return grid(baseOf('mnist-fc', level, `${level}-course`, changes));
}
