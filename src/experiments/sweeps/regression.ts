import type { Claim } from '../../analysis/claim.ts';
import type { Place } from '../../analysis/quantity.ts';
import type { Settings } from '../../settings/table.ts';
import type { Level } from '../experiment.ts';
import { axis, type Base, grid, type Sweep, valuesOf } from '../sweep.ts';
import { ALIGNMENT, baseOf, shows } from './bases.ts';

/** Six blocks, 1,000 steps of lr · decay 1e-3: enough for Jacobians to lose their excess rank. */
const BRIEF: Partial<Settings> = {
  ...{ images: 12_800, epochs: 10, testEvery: 10, momentum: 0.9 },
  ...{ depth: 6, width: 64, samples: 8, controlWeightDecay: null },
};
const TINY: Partial<Settings> = { ...BRIEF, images: 640, epochs: 2, depth: 4, width: 16, samples: 2 };

const base = (level: Level, experiment: string, changes: Partial<Settings> = {}): Base => {
  if (level === 'paper') return baseOf(experiment, 'paper', 'squared', { controlWeightDecay: null });
  const [called, settings] = level === 'smoke' ? (['squared-tiny', TINY] as const) : ['squared-brief', BRIEF];
  return baseOf(experiment, 'quick', called, { ...settings, ...changes });
};

/** The loss is the mean over targets: with these, steps are as if it were the sum, whatever their number. */
const summed = (targets: number): Partial<Settings> => ({ lr: 0.01 * targets, weightDecay: 0.1 / targets });

const on = (task: string) => axis('task', [task]);
const WAVES = { task: 'sines' };
const TO_20 = { ...WAVES, outputs: [2, 20] } as const;
const ANGLES = { task: 'angles' };
const CODES = { task: 'autoencoder' };

/** A claim about the smallest value of a measure over some targets or codes. */
const ofTargets = (
  name: Parameters<typeof shows>[0],
  property: Claim['property'],
  id: string,
  where: string,
  at: Place,
  several?: string,
) =>
  shows(name, {
    ...{ property, id, where, of: { at, over: 'outputs', take: 'min' } },
    ...(several && { measured: `minimum over ${several}` }),
  });

/** What replaces C without classes: the question that the paper raises on regression and generation. */
export const regression: Sweep = {
  name: 'regression',
  title: 'Regression and autoencoding',
  beyond: true,
  question:
    'What takes the place of the number of classes where targets are vectors, or the inputs themselves: is the rank of Residual Jacobians the dimension of the target, or of the code?',
  summary: 'rank over the dimension of the target; an autoencoder',
  axes: [
    { name: 'task', label: 'task' },
    { name: 'outputs', label: 'dimension of target or code', log: true },
  ],
  cells: (level) => {
    const some = <T>(all: readonly T[]) => (level === 'smoke' ? all.slice(0, 2) : all);
    const targets = (values: readonly number[]) =>
      axis(
        'outputs',
        ...some(values).map((n) => [n, { classes: n, ...(level !== 'paper' && summed(n)) }] as const),
      );
    const codes = { ...valuesOf('code', some([2, 10])), name: 'outputs' };
    return [
      ...grid(base(level, 'waves-fc'), on('sines'), targets([1, 2, 5, 10, 20])),
      ...grid(base(level, 'mnist-angles-fc'), on('angles'), targets([2])),
      // Of 784 pixels, with little to say of most: less than the sum.
      ...grid(base(level, 'mnist-autoencoder', { lr: 0.5, weightDecay: 2e-3 }), on('autoencoder'), codes),
    ];
  },
  claims: () => [
    ofTargets('topEnergy', 'RA3', 'target-rank', 'for C the dimension of the target', WAVES, 'targets'),
    ofTargets(ALIGNMENT, 'RA2', 'target-aligned', 'in regression', TO_20, 'targets of 2 to 20'),
    ofTargets('line', 'RA1', 'target-line', 'in regression', WAVES, 'targets'),
    ofTargets('topEnergy', 'RA3', 'angles-rank', 'for C = 2, the cosine and sine of an angle', ANGLES),
    ofTargets('topEnergy', 'RA3', 'code-rank', 'for C the dimension of the code', CODES, 'codes'),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'regression',
      title: 'Rank against the dimension of the target',
      caption:
        'Measures against the dimension of the target, or of an autoencoder’s code: one dot per seed, small dots at initialization. Look for energy in as many singular values that rises to 1: then it takes the place of C. Accuracy is R².',
      x: 'outputs',
      series: 'task',
      scalars: ['testAccuracy', 'topEnergy', 'stableRank', ALIGNMENT, 'line'],
      beside: true,
    },
  ],
  notes: [
    'Accuracy is R², the share of the targets’ variance that is explained. Learning rates grow with the number of targets, over which the loss is a mean, and weight decays fall.',
  ],
};
