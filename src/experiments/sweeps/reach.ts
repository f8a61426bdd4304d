/** How far alignment reaches: seeds, total depth, width, classes, datasets. */

import type { ScalarName } from '../../analysis/scalars.ts';
import { datasets, type Model } from '../experiment.ts';
import { type AxisValues, grid, type Level, type Sweep, type SweepCell, valuesOf } from '../sweep.ts';
import type { ClaimSpec } from '../sweep-claims.ts';
import { type SeedRuns, slopeOver } from '../sweep-claims.ts';
import type { Cell } from '../sweep-results.ts';
import { alone, asItStands, fcBase, PLAIN, SKIP, SKIP_AXIS } from './bases.ts';

/** The claims that are looked for in every cell of a sweep, so that they can be compared. */
export const MAIN = ['line', 'stepCosine', 'diagonalShare', 'leftRight', 'topEnergy'] as const;

export const seed: Sweep = {
  name: 'seed',
  title: 'Residual Alignment over seeds, beside networks without skip connections',
  question:
    'Do RA1–RA4 hold in a network trained as in the paper, whatever its seed, and not at initialization or without skip connections? ' +
    'And is there neural collapse beside them?',
  summary: 'the main result over three seeds, each with its control',
  axes: [],
  cells: (level) => mainCells(level),
  runClaims: [{}],
  claims: () => [
    {
      property: 'collapse',
      id: 'nc1',
      title: 'within-class variability collapses',
      measure: 'NC1, tr(Σ_W Σ_B⁺)/C of the last representations',
      comparison: '<=',
      threshold: 0.2,
      of: (runs) => runs.get('nc1'),
    },
    {
      property: 'collapse',
      id: 'nc2',
      title: 'class means form a simplex',
      measure: 'NC2, mean of |cos + 1/(C−1)| over pairs of centred class means',
      comparison: '<=',
      threshold: 0.1,
      of: (runs) => runs.get('nc2Angles'),
    },
    {
      property: 'collapse',
      id: 'nc3',
      title: 'the classifier and the class means become dual',
      measure: 'NC3, distance between both, each divided by its norm',
      comparison: '<=',
      threshold: 0.3,
      of: (runs) => runs.get('nc3'),
    },
    {
      property: 'collapse',
      id: 'nc4',
      title: 'the network chooses the nearest class mean',
      measure: 'NC4, share of training images where it does not',
      comparison: '<=',
      threshold: 0.01,
      of: (runs) => runs.get('nc4'),
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'seeds',
      title: 'Every seed',
      caption:
        'A dot a seed: the trained network, the same at initialization, and its control without skip connections. Look for three ' +
        'groups that lie apart, and for dots of one group close together.',
      x: 'seed',
      scalars: [
        'line',
        'stepCosine',
        'stepCv',
        'diagonalShare',
        'leftRight',
        'topEnergy',
        'nc1',
        'nc2Angles',
      ],
      beside: true,
    },
  ],
};

/** The preset as it stands, with its control and with snapshots. */
export function mainCells(level: Level): SweepCell[] {
  if (level === 'smoke') {
    const { name, changes, ...tiny } = fcBase('smoke');
    const snapshots = { snapshots: 2, controlWeightDecay: 1e-3 };
    return grid({ ...tiny, name: `${name}-course`, changes: { ...changes, ...snapshots } });
  }
  return grid({
    name: `mnist-fc.${level}-course`,
    experiment: 'mnist-fc',
    preset: level,
    changes: { snapshots: level === 'quick' ? 8 : 16 },
  });
}

const WITH = { skip: 'with' };
const WITHOUT = { skip: 'without' };

/** The least of a measure over depths from 4 on. */
const leastOverDepths = (runs: SeedRuns, name: ScalarName, where: Cell): number | null => {
  const deep = runs.values('depth', where).filter((L) => Number(L) >= 4);
  const values = deep.map((L) => runs.get(name, { ...where, depth: L }));
  const known = values.filter((x) => x !== null);
  return known.length === values.length && known.length > 0 ? Math.min(...known) : null;
};

export const depth: Sweep = {
  name: 'ra4-depth',
  title: 'RA4: singular values against total depth',
  question: 'Do the top singular values of Residual Jacobians fall inversely with the number of blocks L?',
  summary: 'σ₁ against total depth L, with the slope in log–log',
  axes: [SKIP_AXIS, { name: 'depth', label: 'total depth L', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('depth', level === 'smoke' ? [2, 4] : [2, 4, 8, 16, 32])),
  claims: () => [
    {
      property: 'RA4',
      id: 'slope',
      title: 'the top singular value of the last block falls inversely with total depth',
      measure: 'slope of log σ₁ of the last block on log L, over L = 4, 8, 16',
      comparison: 'between',
      threshold: [-1.5, -0.8],
      ...slopeOver('depth', 'sigma1Last', WITH, [4, 16]),
      control: { label: PLAIN, of: slopeOver('depth', 'sigma1Last', WITHOUT, [4, 16]).of },
    },
    {
      property: 'RA4',
      id: 'slope-all',
      title: 'the top singular value of the last block falls inversely with total depth, over all depths',
      measure: 'slope of log σ₁ of the last block on log L, over L = 2 to 32',
      comparison: 'between',
      threshold: [-1.5, -0.8],
      ...slopeOver('depth', 'sigma1Last', WITH),
      control: { label: PLAIN, of: slopeOver('depth', 'sigma1Last', WITHOUT).of },
    },
    {
      property: 'scope',
      id: 'depths',
      title: 'singular vectors align at every depth',
      measure: 'diagonal share of U_jᵀ J_i V_j, least over L = 4 to 32',
      comparison: '>=',
      threshold: 0.6,
      of: (runs) => leastOverDepths(runs, 'diagonalShare', WITH),
      control: { label: PLAIN, of: (runs) => leastOverDepths(runs, 'diagonalShare', WITHOUT) },
    },
    {
      property: 'scope',
      id: 'depth-line',
      title: 'representations lie on a line at every depth',
      measure: 'share of variance along the first principal direction, least over L = 4 to 32',
      comparison: '>=',
      threshold: 0.98,
      of: (runs) => leastOverDepths(runs, 'line', WITH),
      control: { label: PLAIN, of: (runs) => leastOverDepths(runs, 'line', WITHOUT) },
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'ra4-depth',
      title: 'RA4: σ₁ against total depth',
      caption:
        'Largest singular value of the last block and of the first, both axes logarithmic, a dot a seed. Look for a straight fall with skip ' +
        'connections: the slope is that of a line through the logarithms, −1 where σ₁ is inverse to L.',
      x: 'depth',
      series: 'skip',
      scalars: ['sigma1Last', 'sigma1First'],
      slope: true,
    },
    {
      kind: 'scalars',
      file: 'alignment-depth',
      title: 'The other measures against total depth',
      caption:
        'Look for curves that stay up with skip connections, and stay down without: alignment does not depend on how deep the network is.',
      x: 'depth',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN],
    },
    {
      kind: 'blocks',
      file: 'sigma-blocks',
      title: 'σ₁ of each block',
      caption:
        'Largest singular value of each block’s Jacobian with skip connections, a panel a depth, a line a seed. Look for a fall over blocks at every depth.',
      panels: 'depth',
      measure: 'sigma1',
      where: WITH,
    },
  ],
};

export const width: Sweep = {
  name: 'width',
  title: 'Residual Alignment over widths',
  question: 'Does alignment depend on the number of features D?',
  summary: 'all measures over the width D, with and without skip connections',
  axes: [SKIP_AXIS, { name: 'width', label: 'width D', log: true }],
  cells: (level) =>
    grid(fcBase(level), SKIP, valuesOf('width', level === 'smoke' ? [32, 64] : [32, 64, 128, 256])),
  claims: () =>
    (
      [
        [
          'line',
          'representations lie on a line',
          'share of variance along the first principal direction',
          0.98,
        ],
        ['diagonalShare', 'singular vectors align', 'diagonal share of U_jᵀ J_i V_j', 0.6],
        [
          'topEnergy',
          'Residual Jacobians have rank at most C',
          'share of ‖J‖² in the top C, least over blocks',
          0.99,
        ],
      ] as const
    ).map(([name, title, measure, threshold]) => ({
      property: 'scope',
      id: `widths-${name}`,
      title: `${title} at every width`,
      measure: `${measure}, least over widths`,
      comparison: '>=',
      threshold,
      of: (runs) => runs.extreme('min', 'width', name, WITH),
      control: { label: PLAIN, of: (runs) => runs.extreme('min', 'width', name, WITHOUT) },
    })),
  figures: [
    {
      kind: 'scalars',
      file: 'width',
      title: 'Measures against width',
      caption:
        'A dot a seed. Look for alignment that does not go away in wider networks, and is nowhere without skip connections.',
      x: 'width',
      series: 'skip',
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'nc1'],
    },
  ],
};

export const classes: Sweep = {
  name: 'classes',
  title: 'The aligned subspace grows with the number of classes',
  question:
    'Are Residual Jacobians of rank at most C, and does the subspace in which their singular vectors align grow with C, the number of classes?',
  summary: 'rank and aligned dimension over the number of classes C',
  axes: [
    { name: 'dataset', label: 'dataset' },
    { name: 'classes', label: 'classes C', log: true },
  ],
  cells: (level) => [
    ...grid(fcBase(level), on('mnist'), {
      name: 'classes',
      values: (level === 'smoke' ? [2, 3] : [2, 3, 5, 10]).map((classes) => ({
        value: classes,
        // Two classes have but 12,665 images.
        changes: { classes, ...(classes === 2 && level !== 'smoke' && { validation: 2_000 }) },
      })),
    }),
    ...(level === 'paper'
      ? grid(alone('cifar100-conv', 'paper'), on('cifar100'), {
          name: 'classes',
          values: [
            { value: 20, changes: { classes: 20, superclasses: true } },
            { value: 100, changes: { classes: 100 } },
          ],
        })
      : []),
  ],
  claims: () => [
    {
      property: 'RA2',
      id: 'two-classes',
      title: 'of two classes, singular vectors align almost perfectly',
      measure: 'diagonal share of U_jᵀ J_i V_j at C = 2',
      comparison: '>=',
      threshold: 0.95,
      of: (runs) => runs.get('diagonalShare', { dataset: 'mnist', classes: 2 }),
    },
    {
      property: 'RA3',
      id: 'rank',
      title: 'Residual Jacobians have rank at most C, for every C',
      measure: 'share of ‖J‖² in the top C singular values, least over blocks and C',
      comparison: '>=',
      threshold: 0.99,
      of: (runs) => runs.extreme('min', 'classes', 'topEnergy', { dataset: 'mnist' }),
    },
    {
      property: 'RA2',
      id: 'dimension',
      title: 'the aligned subspace grows with the number of classes',
      measure: 'slope of log aligned dimension on log C',
      comparison: '>=',
      threshold: 0.5,
      ...slopeOver('classes', 'alignedDimension', { dataset: 'mnist' }),
    },
  ],
  figures: [
    {
      kind: 'scalars',
      file: 'classes',
      title: 'Measures against the number of classes',
      caption:
        'A dot a seed, quiet dots at initialization. Look for a rank and an aligned dimension that grow with C, while the energy in the top C stays at 1.',
      x: 'classes',
      series: 'dataset',
      scalars: ['numericalRank', 'alignedDimension', 'topEnergy', 'diagonalShare', 'testAccuracy', 'nc1'],
      beside: true,
    },
  ],
};

/** A place on the axis of datasets; what it changes lies in the base. */
const on = (dataset: string): AxisValues => ({ name: 'dataset', values: [{ value: dataset, changes: {} }] });
const by = (model: Model): AxisValues => ({ name: 'model', values: [{ value: model, changes: {} }] });

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
    ...others.flatMap(([set, model]) => grid(asItStands(`${set}-${model}`, level), on(set), by(model))),
  ];
}

const names: Record<Model, string> = { fc: 'fully connected', conv: 'convolutional', resnet34: 'ResNet-34' };

/** Of each dataset and kind of network: vectors align, more than at initialization. */
const datasetClaims = (level: Level): ClaimSpec[] =>
  datasetCells(level).map(({ cell }) => {
    const [dataset, model] = [cell.dataset, cell.model] as [keyof typeof datasets, Model];
    return {
      property: 'scope',
      id: `${dataset}-${model}`,
      title: `singular vectors align on ${datasets[dataset].title}, ${names[model]}`,
      measure: 'diagonal share of U_jᵀ J_i V_j',
      comparison: '>=',
      threshold: model === 'fc' ? 0.5 : 0.45,
      of: (runs) => runs.get('diagonalShare', { dataset, model }),
    };
  });

export const dataset: Sweep = {
  name: 'dataset',
  title: 'Residual Alignment over datasets and kinds of networks',
  question: 'Does alignment occur on all datasets, in fully connected and in convolutional networks?',
  summary: 'RA on every dataset that is at hand, fully connected and convolutional',
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
        'A dot a seed, quiet dots at initialization and in the controls. Look for trained networks far above both.',
      x: 'dataset',
      series: 'model',
      scalars: ['testAccuracy', ...MAIN],
      beside: true,
    },
  ],
};
