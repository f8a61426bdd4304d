/** What alignment depends on: skip connections, stochastic depth, weight decay, labels that can be learned, the scale of branches. */

import type { ScalarName } from '../../analysis/scalars.ts';
import { findExperiment } from '../settings.ts';
import { type AxisValues, grid, type Sweep, valuesOf } from '../sweep.ts';
import type { ClaimSpec, SeedRuns } from '../sweep-claims.ts';
import type { CellValue } from '../sweep-results.ts';
import { fcBase } from './bases.ts';
import { MAIN } from './reach.ts';

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
      measure: 'diagonal share of U_jᵀ J_i V_j, least over survival probabilities',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => runs.extreme('min', 'survival', 'diagonalShare'),
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'survival',
      title: 'Measures against the survival probability',
      caption: 'A dot a seed, quiet dots at initialization. Look for alignment at every probability.',
      x: 'survival',
      scalars: ['testAccuracy', ...MAIN, 'stepCv', 'sigma1Last'],
      beside: true,
    },
  ],
};

const MOMENTA = [0, 0.5];

export const weightDecay: Sweep = {
  name: 'weight-decay',
  title: 'Where alignment appears, and where blocks die',
  question:
    'At which weight decays does Residual Alignment appear, with and without momentum, where does decay kill blocks, and do the networks that generalize best align?',
  summary: 'seven weight decays over three decades, with and without momentum',
  axes: [
    { name: 'momentum', label: 'momentum' },
    { name: 'weightDecay', label: 'weight decay', log: true },
  ],
  cells: (level) =>
    grid(
      fcBase(level),
      valuesOf('momentum', MOMENTA),
      valuesOf('weightDecay', level === 'smoke' ? [1e-3, 1e-1] : [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1]),
    ),
  claims: () =>
    MOMENTA.flatMap((momentum): ClaimSpec[] => {
      const at = (runs: SeedRuns, name: ScalarName, weightDecay: CellValue | null | undefined) =>
        weightDecay == null ? null : runs.get(name, { momentum, weightDecay });
      const end = (runs: SeedRuns, which: 0 | -1) => runs.values('weightDecay', { momentum }).at(which);
      return [
        {
          property: 'generalization',
          id: `best-${momentum}`,
          title: `the network that generalizes best aligns (momentum ${momentum})`,
          measure: 'diagonal share of U_jᵀ J_i V_j at the weight decay of best validation accuracy',
          comparison: '>=',
          threshold: 0.6,
          of: (runs) => at(runs, 'diagonalShare', runs.best('weightDecay', { momentum })),
          control: {
            label: 'at the least weight decay',
            of: (runs) => at(runs, 'diagonalShare', end(runs, 0)),
          },
        },
        {
          property: 'scope',
          id: `dead-${momentum}`,
          title: `at the largest weight decay blocks die (momentum ${momentum})`,
          measure: 'blocks whose Jacobian is 0',
          comparison: '>=',
          threshold: 1,
          of: (runs) => at(runs, 'deadBlocks', end(runs, -1)),
          control: {
            label: 'at the weight decay of best validation accuracy',
            of: (runs) => at(runs, 'deadBlocks', runs.best('weightDecay', { momentum })),
          },
        },
      ];
    }),
  figures: [
    {
      kind: 'scalars',
      file: 'weight-decay',
      title: 'Measures against weight decay',
      caption:
        'A dot a seed. Look for the decays at which alignment appears while accuracy is still at its best, and for those at which blocks die: their Jacobians are 0. Networks that did not train can look aligned.',
      x: 'weightDecay',
      series: 'momentum',
      scalars: ['validationAccuracy', 'testAccuracy', ...MAIN, 'sigma1Last', 'deadBlocks', 'nc1'],
    },
  ],
  notes: [
    'Without momentum a step moves by half as much as with momentum 0.5, so that the same decay has half the effect.',
  ],
};

/** Labels that a network can only learn by heart, and those of the set. */
const LABELS: AxisValues = {
  name: 'labels',
  values: [
    { value: 'true', changes: { randomLabels: 0 } },
    { value: 'random', changes: { randomLabels: 1 } },
  ],
};

/** Ways to train in which random labels are learned by heart within 1,500 steps: at much decay they are not. */
const MEMORIZE = { images: 2_000, validation: 0, epochs: 100, testEvery: 25 };
const TRAININGS = (
  [
    [0.9, 1e-2],
    [0.5, 5e-2],
    [0, 2e-2],
  ] as const
).map(([momentum, weightDecay]) => ({
  value: `momentum ${momentum}, decay ${weightDecay}`,
  changes: { momentum, weightDecay },
}));

export const generalization: Sweep = {
  name: 'generalization',
  title: 'Random labels against true ones',
  question:
    'Does alignment come with generalization: is it weaker in a network that learned random labels by heart than in one that learned true labels, trained alike?',
  summary: 'true against random labels, trained alike until they are known',
  axes: [
    { name: 'training', label: 'training' },
    { name: 'labels', label: 'labels' },
  ],
  cells: (level) => {
    const base = fcBase(level);
    const changes = { ...base.changes, ...(level === 'smoke' ? {} : MEMORIZE) };
    const trainings = level === 'smoke' ? TRAININGS.slice(0, 1) : TRAININGS;
    return grid(
      { ...base, name: `${base.name}-few`, changes },
      { name: 'training', values: trainings },
      LABELS,
    );
  },
  claims: () => [
    {
      property: 'training',
      id: 'memorized',
      title: 'random labels are learned by heart',
      measure: 'accuracy on the training images with random labels, least over trainings',
      comparison: '>=',
      threshold: 0.95,
      of: (runs) => runs.extreme('min', 'training', 'trainAccuracy', { labels: 'random' }),
      control: {
        label: 'true labels',
        of: (runs) => runs.extreme('min', 'training', 'trainAccuracy', { labels: 'true' }),
      },
    },
    ...TRAININGS.map(
      ({ value: training }): ClaimSpec => ({
        property: 'generalization',
        id: `labels-${training.replaceAll(/[ ,]+/g, '-')}`,
        title: `singular vectors align more with true labels: ${training}`,
        measure: 'diagonal share of U_jᵀ J_i V_j with true labels less that with random ones',
        comparison: '>=',
        threshold: 0.1,
        of: (runs) => {
          const [known, random] = ['true', 'random'].map((labels) =>
            runs.get('diagonalShare', { training, labels }),
          );
          return known == null || random == null ? null : known - random;
        },
      }),
    ),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'labels',
      title: 'Random and true labels',
      caption:
        'A dot a seed. Both kinds of labels are known by heart at the end. Look for measures that differ, and how much alignment there is without anything to generalize.',
      x: 'labels',
      series: 'training',
      scalars: ['trainAccuracy', 'testAccuracy', ...MAIN, 'nc1'],
    },
  ],
};

/** With small scales the decay of the brief base leaves nothing of branches: this one aligns at all scales. */
const GENTLE = { momentum: 0.9, weightDecay: 1e-2 };

/** Of a branch: fixed, by depth, or learned from 0. */
const scales = (depth: number): AxisValues => ({
  name: 'scale',
  values: [
    { value: '1', changes: { branchScale: 1 } },
    { value: '1/√L', changes: { branchScale: 1 / Math.sqrt(depth) } },
    { value: '1/L', changes: { branchScale: 1 / depth } },
    { value: 'learned from 0', changes: { branchScale: 'learned' } },
  ],
});

const NORMS: AxisValues = {
  name: 'norm',
  values: [
    { value: 'BatchNorm', changes: { norm: 'batch' } },
    { value: 'none', changes: { norm: 'none' } },
  ],
};

export const residualScaling: Sweep = {
  name: 'residual-scaling',
  title: 'The scale of residual branches',
  question:
    'How does the scale of branches, with and without BatchNorm, change what blocks do and how they align? And what does dropout do to both?',
  summary: 'branch scales, BatchNorm, dropout; what each block and each path length carries',
  axes: [
    { name: 'scale', label: 'branch scale' },
    { name: 'norm', label: 'normalization' },
    { name: 'dropout', label: 'dropout' },
  ],
  cells: (level) => {
    const { name, changes, ...base } = fcBase(level);
    const gentle = {
      ...base,
      name: `${name}-gentle`,
      changes: { ...changes, ...(level === 'quick' && GENTLE) },
    };
    const depth = findExperiment(base.experiment).presets[base.preset]!.settings.depth!;
    const none: AxisValues = { name: 'dropout', values: [{ value: 'none', changes: {} }] };
    return [
      ...grid(gentle, scales(depth), NORMS, none),
      ...grid(
        gentle,
        { name: 'scale', values: [{ value: '1', changes: {} }] },
        { name: 'norm', values: [{ value: 'BatchNorm', changes: {} }] },
        {
          name: 'dropout',
          values: [
            { value: 'before the last BatchNorm', changes: { dropout: 0.2 } },
            { value: 'none, pre-norm', changes: { branch: 'pre-norm' } },
            { value: 'behind the last BatchNorm', changes: { branch: 'pre-norm', dropout: 0.2 } },
          ],
        },
      ),
    ];
  },
  claims: () => [
    {
      property: 'scope',
      id: 'scaled',
      title: 'singular vectors align at every scale of branches',
      measure: 'diagonal share of U_jᵀ J_i V_j with BatchNorm, least over scales',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => runs.extreme('min', 'scale', 'diagonalShare', { norm: 'BatchNorm', dropout: 'none' }),
    },
    {
      property: 'scope',
      id: 'unnormalized',
      title: 'singular vectors align without BatchNorm',
      measure: 'diagonal share of U_jᵀ J_i V_j without BatchNorm, at scale 1',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => runs.get('diagonalShare', { norm: 'none', scale: '1', dropout: 'none' }),
    },
    {
      property: 'scope',
      id: 'unnormalized-small',
      title: 'singular vectors align without BatchNorm where branches are small',
      measure: 'diagonal share of U_jᵀ J_i V_j without BatchNorm, at scale 1/L',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => runs.get('diagonalShare', { norm: 'none', scale: '1/L', dropout: 'none' }),
      control: {
        label: 'with BatchNorm',
        of: (runs) => runs.get('diagonalShare', { norm: 'BatchNorm', scale: '1/L', dropout: 'none' }),
      },
    },
    {
      property: 'scope',
      id: 'dropout',
      title: 'singular vectors align with dropout',
      measure:
        'diagonal share of U_jᵀ J_i V_j with dropout before the last linear layer of post-norm branches',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => runs.get('diagonalShare', { dropout: 'before the last BatchNorm' }),
      control: {
        label: 'without dropout',
        of: (runs) => runs.get('diagonalShare', { norm: 'BatchNorm', scale: '1', dropout: 'none' }),
      },
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'scales',
      title: 'Measures against the scale of branches',
      caption: 'A dot a seed. Look for scales at which networks align and train alike.',
      x: 'scale',
      series: 'norm',
      where: { dropout: 'none' },
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'branchRatioMax'],
    },
    {
      kind: 'scalars',
      file: 'dropout',
      title: 'Dropout',
      caption:
        'A dot a seed, with dropout 0.2 of what the last linear layer of a branch reads. Kim et al. hold that it belongs behind the last BatchNorm: look whether it is better there.',
      x: 'dropout',
      where: { scale: '1', norm: 'BatchNorm' },
      scalars: ['testAccuracy', ...MAIN],
    },
    ...(['branchRatio', 'blockLoss', 'pathShares'] as const).map((measure) => ({
      kind: 'blocks' as const,
      file: `blocks-${measure}`,
      title: {
        branchRatio: 'What a block adds',
        blockLoss: 'What a block is worth',
        pathShares: 'What paths of each length carry',
      }[measure],
      caption: {
        branchRatio:
          '‖F(h)‖/‖h‖ of each block, a line a seed. Look for blocks that add little to what goes past them.',
        blockLoss:
          'Test accuracy lost when a block’s branch is left out. Look for blocks that can be spared.',
        pathShares:
          'Share of the output that is carried by paths through so many of the linearized blocks. Look for the lengths that matter: short ones where branches are small.',
      }[measure],
      panels: 'scale',
      measure,
      where: { norm: 'BatchNorm', dropout: 'none' },
    })),
  ],
};
