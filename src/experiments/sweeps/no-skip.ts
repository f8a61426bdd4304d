import type { Claim } from '../../analysis/claim.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import { axis, grid, type Sweep, valuesOf } from '../sweep.ts';
import { ALIGNMENT, fcBase, MAIN } from './bases.ts';

const DECAYS = [0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/** A scalar of plain networks at their best weight decay against residual ones at theirs. */
const atBest = (scalar: ScalarName): Pick<Claim<ScalarName>, 'of' | 'control'> => ({
  of: { scalar, at: { skip: 'without' }, over: 'weightDecay', take: 'best' },
  control: { label: 'with skip connections, at their own best', at: { skip: 'with' } },
});

export const noSkip: Sweep = {
  name: 'no-skip',
  title: 'Without skip connections',
  question:
    'Does Residual Alignment cease once skip connections are removed, also at the weight decay at which plain networks generalize best?',
  summary: 'plain networks over weight decays, beside residual ones',
  axes: [
    { name: 'skip', label: 'skip connections' },
    { name: 'weightDecay', label: 'weight decay' },
  ],
  cells: (level) => {
    const base = fcBase(level);
    const decays = valuesOf('weightDecay', level === 'smoke' ? [0, 1e-3] : DECAYS);
    return [false, true].flatMap((skip) =>
      grid(base, axis('skip', [skip ? 'with' : 'without', { skip }]), decays),
    );
  },
  claims: () => [
    {
      property: 'training',
      id: 'plain-accuracy',
      title: 'plain networks train',
      measure: 'test accuracy without skip connections at the weight decay of best validation accuracy',
      threshold: { atLeast: 0.94 },
      ...atBest('testAccuracy'),
    },
    ...(
      [
        ['line', 'representations do not lie on a line', 0.6],
        ['stepCosine', 'successive steps do not point the same way', 0],
        [ALIGNMENT, 'singular vectors do not align across depth', 0.2],
        ['leftRight', 'left and right singular vectors do not align', 0.3],
      ] as const
    ).map(
      ([name, title, atMost]): Claim<ScalarName> => ({
        property: 'no-skip',
        id: `plain-${name}`,
        title: `without skip connections ${title}`,
        measure: `${scalar(name).what}, at the weight decay of best validation accuracy`,
        threshold: { atMost },
        ...atBest(name),
      }),
    ),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'no-skip',
      title: 'With and without skip connections',
      caption:
        'Measures against weight decay: one dot per seed. Look for the decay of highest validation accuracy, and for the gap between the two kinds of networks there.',
      x: 'weightDecay',
      series: 'skip',
      scalars: ['validationAccuracy', 'testAccuracy', ...MAIN],
    },
  ],
  notes: [
    'The weight decay of each kind of network is the one of greatest mean validation accuracy over seeds, on images that no network was trained on.',
  ],
};
