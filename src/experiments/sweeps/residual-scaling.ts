import { findExperiment } from '../given-settings.ts';
import { type AxisValues, axis, grid, type Sweep } from '../sweep.ts';
import type { SweepFigure } from '../sweep-file.ts';
import { aligned, fcBase, MAIN } from './bases.ts';

/** At small scales the brief base's decay wipes branches out; this one aligns at all scales. */
const GENTLE = { momentum: 0.9, weightDecay: 1e-2 };

/** Scales of a branch: fixed, by depth, or learned from 0. */
const scales = (depth: number): AxisValues =>
  axis(
    'scale',
    ['1', { branchScale: 1 }],
    ['1/√L', { branchScale: 1 / Math.sqrt(depth) }],
    ['1/L', { branchScale: 1 / depth }],
    ['learned from 0', { branchScale: 'learned' }],
  );

const NORMS = axis('norm', ['BatchNorm', { norm: 'batch' }], ['none', { norm: 'none' }]);

const DROPOUTS = axis(
  'dropout',
  ['before the last BatchNorm', { dropout: 0.2 }],
  ['none, pre-norm', { branch: 'pre-norm' }],
  ['behind the last BatchNorm', { branch: 'pre-norm', dropout: 0.2 }],
);

const BLOCKS = [
  [
    'branchRatio',
    'What a block adds',
    '‖F(h)‖/‖h‖ of each block: one line per seed. Look for blocks that add little to what goes past them.',
  ],
  [
    'blockLoss',
    'What a block is worth',
    'Test accuracy lost when a block’s branch is left out: one line per seed. Look for blocks that can be spared.',
  ],
  [
    'pathShares',
    'What paths of each length carry',
    'Share of the output carried by paths of each length through the linearized blocks: one line per seed. Look for the lengths that matter: short ones where branches are small.',
  ],
] as const;

export const residualScaling: Sweep = {
  name: 'residual-scaling',
  title: 'The scale of residual branches',
  question:
    'How does the scale of branches, with and without BatchNorm, change what blocks do and how they align? And what does dropout do to both?',
  summary: 'branch scales, BatchNorm, dropout; what blocks and paths carry',
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
    return [
      ...grid(gentle, scales(depth), NORMS, axis('dropout', ['none'])),
      ...grid(gentle, axis('scale', ['1']), axis('norm', ['BatchNorm']), DROPOUTS),
    ];
  },
  claims: () => [
    aligned({
      id: 'scaled',
      where: 'at every scale of branches',
      measured: 'with BatchNorm, minimum over scales',
      of: { at: { norm: 'BatchNorm', dropout: 'none' }, over: 'scale', take: 'min' },
    }),
    aligned({
      ...{ id: 'unnormalized', where: 'without BatchNorm', measured: 'at scale 1' },
      of: { at: { norm: 'none', scale: '1', dropout: 'none' } },
    }),
    aligned({
      id: 'unnormalized-small',
      where: 'without BatchNorm where branches are small',
      measured: 'at scale 1/L',
      of: { at: { norm: 'none', scale: '1/L', dropout: 'none' } },
      control: { label: 'with BatchNorm', at: { norm: 'BatchNorm' } },
    }),
    aligned({
      id: 'dropout',
      where: 'with dropout',
      measured: 'with dropout before the last linear layer of post-norm branches',
      of: { at: { norm: 'BatchNorm', scale: '1', dropout: 'before the last BatchNorm' } },
      control: { label: 'without dropout', at: { dropout: 'none' } },
    }),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'scales',
      title: 'Measures against the scale of branches',
      caption:
        'Measures against the scale of branches: one dot per seed. Look for scales at which networks both train and align.',
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
        'Measures with dropout at rate 0.2 before the last linear layer of each branch: one dot per seed. Look for the position that does best: Kim et al. argue for behind the last BatchNorm.',
      x: 'dropout',
      where: { scale: '1', norm: 'BatchNorm' },
      scalars: ['testAccuracy', ...MAIN],
    },
    ...BLOCKS.map(
      ([measure, title, caption]): SweepFigure => ({
        ...{ kind: 'blocks', file: `blocks-${measure}`, title, caption, panels: 'scale', measure },
        where: { norm: 'BatchNorm', dropout: 'none' },
      }),
    ),
  ],
};
