import { scalar } from '../../analysis/scalars.ts';
import type { Level } from '../experiment.ts';
import { axis, grid, type Sweep, valuesOf } from '../sweep.ts';
import { aligned, baseOf, inverse, MAIN, PLAIN, SKIP_AXIS, shows } from './bases.ts';

const NETWORKS = ['vit', 'gpt'] as const;
const DATA = { vit: 'mnist', gpt: 'language' } as const;

/** Without controls of their own. */
const base = (level: Level, network: 'vit' | 'gpt') =>
  baseOf(`${DATA[network]}-${network}`, level, `${level}-alone`, { controlWeightDecay: null, testEvery: 5 });

const TOGETHER = { branches: 'together', norms: 'pre', skip: 'with' };
const WHOLE = axis('branches', ['together']);
const APART = axis('branches', ['apart', { branches: 'apart' }]);
const PRE = axis('norms', ['pre']);
const POST = axis('norms', ['post', { order: 'post' }]);
const SKIPS = axis('skip', ['with']);
const NO_SKIPS = axis('skip', ['without', { skip: false }]);

/** Layers of the networks examined closely, and of others for the slope over depth. */
const usual = (level: Level) => ({ smoke: 2, quick: 4, paper: 6 })[level];
const DEPTHS = { smoke: [], quick: [2, 8], paper: [3, 12, 24] };

/** What each level trains: over depth, attention and MLP apart, norms behind, and no skip connections. */
function cells(level: Level) {
  return NETWORKS.flatMap((network) => {
    const own = base(level, network);
    const at = axis('model', [network]);
    const depth = valuesOf('depth', [usual(level)]);
    const followed = axis('branches', ['together', level === 'smoke' ? {} : { snapshots: 5 }]);
    return [
      ...grid(own, at, depth, followed, PRE, SKIPS),
      ...grid(own, at, depth, APART, PRE, SKIPS),
      ...grid(own, at, depth, WHOLE, PRE, NO_SKIPS),
      ...(level === 'paper' ? grid(own, at, depth, WHOLE, POST, SKIPS) : []),
      ...(network === 'gpt' ? grid(own, at, valuesOf('depth', DEPTHS[level]), WHOLE, PRE, SKIPS) : []),
    ];
  });
}

const title = { vit: 'the Vision Transformer', gpt: 'the GPT' };

/** Whether transformers show Residual Alignment: the paper's first open question. */
export const transformers: Sweep = {
  name: 'transformers',
  beyond: true,
  title: 'Transformers',
  question:
    'Do RA1–RA4 hold in transformers, by depth and over training, of whole layers and of attention and MLP apart?',
  summary: 'a ViT and a GPT over L, by parts, and norms behind',
  axes: [
    { name: 'model', label: 'network' },
    { name: 'depth', label: 'layers L', log: true },
    { name: 'branches', label: 'attention and MLP' },
    { name: 'norms', label: 'norms' },
    SKIP_AXIS,
  ],
  cells,
  notes: [
    'Measures are of one token, the class token of the Vision Transformer and the last of the GPT: its path, and the Jacobians of what layers add to it by itself.',
  ],
  claims: (level) => {
    const depth = usual(level);
    return [
      ...NETWORKS.flatMap((network) => {
        const at = { model: network, depth, ...TOGETHER };
        const where = `in ${title[network]}`;
        return [
          shows('line', { id: `${network}-line`, where, property: 'RA1', of: { at }, control: PLAIN }),
          aligned({ id: `${network}-aligned`, where, property: 'RA2', of: { at }, control: PLAIN }),
          aligned({
            id: `${network}-apart`,
            where: `${where}, attention and MLP apart`,
            of: { at: { ...at, branches: 'apart' } },
            control: { label: 'layers as a whole', at: { branches: 'together' } },
          }),
          shows('topEnergy', { id: `${network}-rank`, where, property: 'RA3', of: { at }, control: PLAIN }),
        ];
      }),
      inverse({
        ...{ property: 'RA4', id: 'gpt-slope', at: { model: 'gpt', ...TOGETHER } },
        title: 'the top singular value falls inversely with depth in the GPT',
        measure: `slope of log of the ${scalar('sigma1Last').what} on log L`,
      }),
    ];
  },
  figures: [
    {
      kind: 'scalars',
      file: 'transformers',
      title: 'Measures of layers and of their parts',
      caption:
        'Measures of whole layers, and of attention and MLP apart: one dot per seed, small dots at initialization. Look for trained networks far above their initialization.',
      x: 'branches',
      series: 'model',
      where: { norms: 'pre', skip: 'with' },
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last', 'coupling', 'selfCoupling', 'contextCoupling'],
      beside: true,
    },
    {
      kind: 'scalars',
      file: 'transformers-depth',
      title: 'Measures against depth',
      caption:
        'Measures of the GPT against its number of layers: one dot per seed, small dots at initialization.',
      x: 'depth',
      where: { model: 'gpt', ...TOGETHER },
      scalars: ['testAccuracy', ...MAIN, 'sigma1Last'],
      beside: true,
    },
    {
      kind: 'course',
      file: 'transformers-course',
      title: 'Alignment over training',
      caption:
        'Each measure over training, from initialization on: one line per run. Look for when each appears.',
      scalars: ['trainAccuracy', 'testAccuracy', ...MAIN, 'nc1'],
    },
  ],
};
