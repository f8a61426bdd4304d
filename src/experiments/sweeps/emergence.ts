/** How alignment comes about over one run. */
import type { Sweep } from '../sweep.ts';
import { ALIGNMENT, MAIN } from './bases.ts';
import { mainCells } from './seed.ts';

export const emergence: Sweep = {
  name: 'emergence',
  title: 'How alignment emerges, beside neural collapse',
  question:
    'When in training do RA1–RA4 appear, before or after neural collapse, and what do training and test error do meanwhile?',
  summary: 'every measure over the epochs of a run, beside neural collapse',
  axes: [],
  cells: mainCells,
  claims: () => [
    {
      property: 'collapse',
      id: 'together',
      title: 'alignment and neural collapse come together',
      measure: 'correlation over snapshots between the diagonal share and log NC1',
      threshold: { atMost: -0.5 },
      of: { scalar: ALIGNMENT, withLog: 'nc1' },
    },
  ],
  figures: [
    {
      kind: 'course',
      file: 'alignment-course',
      title: 'Alignment over training',
      caption:
        'Each measure over training, from initialization on: one line per seed. Look for when each property appears.',
      scalars: [
        ...(['trainAccuracy', 'testAccuracy', ...MAIN] as const),
        ...(['stepCv', 'sigma1First', 'sigma1Last'] as const),
      ],
    },
    {
      kind: 'course',
      file: 'collapse-course',
      title: 'Neural collapse over training',
      caption:
        'NC1–NC4 over training: one line per seed. All fall to 0 in a network that collapses. Look for whether they fall while alignment rises.',
      scalars: ['nc1', 'nc2Norms', 'nc2Angles', 'nc3', 'nc4'],
    },
  ],
};
