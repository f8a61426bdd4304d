import { LEARNED } from '../../analysis/claim.ts';
import { findExperiment } from '../settings.ts';
import { type AxisValues, grid, type Sweep } from '../sweep.ts';
import { fcBase, MAIN } from './bases.ts';

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
      measure: 'diagonal share of U_jᵀ J_i V_j with BatchNorm, minimum over scales',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', at: { norm: 'BatchNorm', dropout: 'none' }, over: 'scale', take: 'min' },
      presupposes: [LEARNED],
    },
    {
      property: 'scope',
      id: 'unnormalized',
      title: 'singular vectors align without BatchNorm',
      measure: 'diagonal share of U_jᵀ J_i V_j without BatchNorm, at scale 1',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', at: { norm: 'none', scale: '1', dropout: 'none' } },
      presupposes: [LEARNED],
    },
    {
      property: 'scope',
      id: 'unnormalized-small',
      title: 'singular vectors align without BatchNorm where branches are small',
      measure: 'diagonal share of U_jᵀ J_i V_j without BatchNorm, at scale 1/L',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', at: { norm: 'none', scale: '1/L', dropout: 'none' } },
      presupposes: [LEARNED],
      control: {
        label: 'with BatchNorm',
        at: { norm: 'BatchNorm', scale: '1/L', dropout: 'none' },
      },
    },
    {
      property: 'scope',
      id: 'dropout',
      title: 'singular vectors align with dropout',
      measure:
        'diagonal share of U_jᵀ J_i V_j with dropout before the last linear layer of post-norm branches',
      threshold: { atLeast: 0.6 },
      of: { scalar: 'diagonalShare', at: { dropout: 'before the last BatchNorm' } },
      presupposes: [LEARNED],
      control: {
        label: 'without dropout',
        at: { norm: 'BatchNorm', scale: '1', dropout: 'none' },
      },
    },
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
          '‖F(h)‖/‖h‖ of each block: one line per seed. Look for blocks that add little to what goes past them.',
        blockLoss:
          'Test accuracy lost when a block’s branch is left out: one line per seed. Look for blocks that can be spared.',
        pathShares:
          'Share of the output carried by paths of each length through the linearized blocks: one line per seed. Look for the lengths that matter: short ones where branches are small.',
      }[measure],
      panels: 'scale',
      measure,
      where: { norm: 'BatchNorm', dropout: 'none' },
    })),
  ],
};
