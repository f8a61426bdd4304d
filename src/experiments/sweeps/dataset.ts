import type { Claim } from '../../analysis/claim.ts';
import type { ScalarName } from '../../analysis/scalars.ts';
import { datasets } from '../../data/datasets.ts';
import { type Model, networks } from '../../models/networks.ts';
import type { Level } from '../experiment.ts';
import { axis, grid, type Sweep, type SweepCell } from '../sweep.ts';
import { aligned, baseOf, fcBase, MAIN, on } from './bases.ts';

const by = (model: Model) => axis('model', [model]);

/** What each level trains: `quick` what two cores can; `paper` everything. */
function datasetCells(level: Level): SweepCell[] {
  const fc = (['mnist', 'fashion', 'cifar10'] as const).flatMap((set) =>
    grid(fcBase(level, set), on(set), by('fc')),
  );
  if (level === 'smoke') return fc.slice(0, 1);
  const others = (
    level === 'quick'
      ? [['mnist', 'conv']]
      : [
          ...(['mnist', 'fashion', 'cifar10', 'cifar100', 'imagenette'] as const).map((set) => [set, 'conv']),
          ...(['mnist', 'cifar10', 'cifar100', 'imagenette'] as const).map((set) => [set, 'resnet34']),
        ]
  ) as [keyof typeof datasets, Model][];
  return [
    ...fc,
    ...others.flatMap(([set, model]) => grid(baseOf(`${set}-${model}`, level, level), on(set), by(model))),
  ];
}

/** For each dataset and kind of network: vectors align, more than at initialization. */
const datasetClaims = (level: Level): Claim<ScalarName>[] =>
  datasetCells(level).map(({ cell }) => {
    const [dataset, model] = [cell.dataset, cell.model] as [keyof typeof datasets, Model];
    return aligned({
      id: `${dataset}-${model}`,
      where: `on ${datasets[dataset].title}, ${networks[model].title}`,
      threshold: { atLeast: networks[model].convolutional ? 0.45 : 0.5 },
      of: { at: cell },
    });
  });

export const dataset: Sweep = {
  name: 'dataset',
  title: 'Residual Alignment over datasets and kinds of networks',
  question: 'Does alignment occur on all datasets, in fully connected and in convolutional networks?',
  summary: 'RA on every dataset at hand, in each kind of network',
  axes: [
    { name: 'dataset', label: 'dataset' },
    { name: 'model', label: 'network' },
  ],
  cells: datasetCells,
  runClaims: [],
  claims: datasetClaims,
  figures: [
    {
      kind: 'scalars',
      file: 'datasets',
      title: 'Measures on each dataset',
      caption:
        'Measures on each dataset: one dot per seed, small dots at initialization and in the controls. Look for trained networks far above both.',
      x: 'dataset',
      series: 'model',
      scalars: ['testAccuracy', ...MAIN],
      beside: true,
    },
  ],
};
