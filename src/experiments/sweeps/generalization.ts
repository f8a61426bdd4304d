import { BY_HEART } from '../../analysis/claim.ts';
import { axis, grid, type Sweep } from '../sweep.ts';
import { aligned, fcBase, MAIN } from './bases.ts';

/** Labels that a network can only learn by heart, and those of the set. */
const LABELS = axis('labels', ['true', { randomLabels: 0 }], ['random', { randomLabels: 1 }]);

/** Settings that learn random labels by heart within 1,500 steps; higher decay prevents that. */
const MEMORIZE = { images: 2_000, validation: 0, epochs: 100, testEvery: 25 };
const TRAININGS = (
  [
    [0.9, 1e-2],
    [0.5, 5e-2],
    [0, 2e-2],
  ] as const
).map(
  ([momentum, weightDecay]) =>
    [`momentum ${momentum}, decay ${weightDecay}`, { momentum, weightDecay }] as const,
);

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
    return grid({ ...base, name: `${base.name}-few`, changes }, axis('training', ...trainings), LABELS);
  },
  claims: () => [
    {
      property: 'training',
      id: 'memorized',
      title: 'random labels are learned by heart',
      measure: 'accuracy on the training images with random labels, minimum over trainings',
      threshold: { atLeast: 0.95 },
      of: { scalar: 'trainAccuracy', at: { labels: 'random' }, over: 'training', take: 'min' },
      control: { label: 'true labels', at: { labels: 'true' } },
    },
    ...TRAININGS.map(([training]) =>
      aligned({
        property: 'generalization',
        id: `labels-${training.replaceAll(/[ ,]+/g, '-')}`,
        where: `more with true labels: ${training}`,
        measured: 'with true labels less that with random ones',
        threshold: { atLeast: 0.1 },
        of: { at: { training, labels: 'true' }, less: { training, labels: 'random' } },
        presupposes: [BY_HEART],
      }),
    ),
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'labels',
      title: 'Random and true labels',
      caption:
        'Measures with true and with random labels: one dot per seed. Look for networks that fit both kinds of labels, for measures that differ between them, and for how much alignment there is without anything to generalize.',
      x: 'labels',
      series: 'training',
      scalars: ['trainAccuracy', 'testAccuracy', ...MAIN, 'nc1'],
    },
  ],
};
