import type { Claim } from '../../analysis/claim.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import { grid, type Sweep, valuesOf } from '../sweep.ts';
import { aligned, fcBase, MAIN } from './bases.ts';

const MOMENTA = [0, 0.5];
const [SMALLEST, LARGEST] = [1e-3, 1];

export const weightDecay: Sweep = {
  name: 'weight-decay',
  title: 'Where alignment appears, and where blocks die',
  question:
    'At which weight decays does Residual Alignment appear, with and without momentum, where does decay kill blocks, and do the networks that generalize best align?',
  summary: 'seven weight decays, with and without momentum',
  axes: [
    { name: 'momentum', label: 'momentum' },
    { name: 'weightDecay', label: 'weight decay', log: true },
  ],
  cells: (level) =>
    grid(
      fcBase(level),
      valuesOf('momentum', MOMENTA),
      valuesOf(
        'weightDecay',
        level === 'smoke' ? [SMALLEST, 1e-1] : [SMALLEST, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, LARGEST],
      ),
    ),
  claims: () =>
    MOMENTA.flatMap((momentum): Claim<ScalarName>[] => [
      aligned({
        property: 'generalization',
        id: `best-${momentum}`,
        where: `in the network that generalizes best (momentum ${momentum})`,
        measured: 'at the weight decay of best validation accuracy',
        of: { at: { momentum }, over: 'weightDecay', take: 'best' },
        control: { label: `at weight decay ${SMALLEST}`, at: { weightDecay: SMALLEST } },
      }),
      {
        property: 'scope',
        id: `dead-${momentum}`,
        title: `at weight decay ${LARGEST} blocks die (momentum ${momentum})`,
        measure: scalar('deadBlocks').what,
        threshold: { atLeast: 1 },
        presupposes: [],
        of: { scalar: 'deadBlocks', at: { momentum, weightDecay: LARGEST } },
        control: {
          label: 'at the weight decay of best validation accuracy',
          ...{ at: { weightDecay: [SMALLEST, LARGEST] }, over: 'weightDecay', take: 'best' },
        },
      },
    ]),
  figures: [
    {
      kind: 'scalars',
      file: 'weight-decay',
      title: 'Measures against weight decay',
      caption:
        'Measures against weight decay: one dot per seed. Look for the decays at which alignment appears while accuracy is still high, and for those at which blocks die: their Jacobians are 0. Networks that did not train can look aligned.',
      x: 'weightDecay',
      series: 'momentum',
      scalars: ['validationAccuracy', 'testAccuracy', ...MAIN, 'sigma1Last', 'deadBlocks', 'nc1'],
    },
  ],
  notes: [
    'Without momentum a step moves by half as much as with momentum 0.5, so that the same decay has half the effect.',
  ],
};
