import type { ScalarName } from '../../analysis/scalars.ts';
import { grid, type Sweep, valuesOf } from '../sweep.ts';
import type { SeedRuns } from '../sweep-claims.ts';
import { fcBase, MAIN } from './bases.ts';

const DECAYS = [0, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

export const noSkip: Sweep = {
  name: 'no-skip',
  title: 'Without skip connections',
  question:
    'Does Residual Alignment cease once skip connections are removed, also at the weight decay at which plain networks generalize best?',
  summary: 'plain networks over weight decays, chosen by validation, beside residual ones',
  axes: [
    { name: 'skip', label: 'skip connections' },
    { name: 'weightDecay', label: 'weight decay' },
  ],
  cells: (level) => {
    const base = fcBase(level);
    const decays = valuesOf('weightDecay', level === 'smoke' ? [0, 1e-3] : DECAYS);
    return [false, true].flatMap((skip) =>
      grid(base, { name: 'skip', values: [{ value: skip ? 'with' : 'without', changes: { skip } }] }, decays),
    );
  },
  claims: () => [
    {
      property: 'training',
      id: 'plain-accuracy',
      title: 'plain networks train',
      measure: 'test accuracy without skip connections at the weight decay of best validation accuracy',
      comparison: '>=',
      threshold: 0.94,
      of: (runs) => atBest(runs, 'without', 'testAccuracy'),
      control: {
        label: 'with skip connections, at their own best',
        of: (runs) => atBest(runs, 'with', 'testAccuracy'),
      },
    },
    ...(
      [
        [
          'line',
          'representations do not lie on a line',
          'share of variance along the first principal direction',
          0.6,
        ],
        [
          'stepCosine',
          'successive steps do not point the same way',
          'mean cosine between successive steps',
          0,
        ],
        [
          'diagonalShare',
          'singular vectors do not align across depth',
          'diagonal share of U_jᵀ J_i V_j',
          0.2,
        ],
        [
          'leftRight',
          'left and right singular vectors do not align',
          'mean u·v of the top three triples, least over blocks from the fourth on',
          0.3,
        ],
      ] as const
    ).map(([name, title, measure, threshold]) => ({
      property: 'no-skip' as const,
      id: `plain-${name}`,
      title: `without skip connections ${title}`,
      measure: `${measure}, at the weight decay of best validation accuracy`,
      comparison: '<=' as const,
      threshold,
      of: (runs: SeedRuns) => atBest(runs, 'without', name),
      control: {
        label: 'with skip connections, at their own best',
        of: (runs: SeedRuns) => atBest(runs, 'with', name),
      },
    })),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'no-skip',
      title: 'With and without skip connections',
      caption:
        'A dot a seed over weight decays. Look where validation accuracy is greatest, and there for the gap between the two kinds of networks.',
      x: 'weightDecay',
      series: 'skip',
      scalars: ['validationAccuracy', 'testAccuracy', ...MAIN],
    },
  ],
  notes: [
    'The weight decay of each kind of network is the one of greatest mean validation accuracy over seeds, on images that no network was trained on.',
  ],
};

const atBest = (runs: SeedRuns, skip: string, name: ScalarName): number | null => {
  const weightDecay = runs.best('weightDecay', { skip });
  return weightDecay === null ? null : runs.get(name, { skip, weightDecay });
};
