import type { Claim } from '../../analysis/claim.ts';
import { type ScalarName, scalar } from '../../analysis/scalars.ts';
import { axis, grid, type Sweep, valuesOf } from '../sweep.ts';
import { ALIGNMENT, fcBase, PLAIN, SKIP_AXIS, WITH } from './bases.ts';

/** What may predict how much is kept, and with which sign. */
const PREDICTORS = {
  [ALIGNMENT]: 'more',
  leftRight: 'more',
  stepCosine: 'more',
  blockInfluence: 'less',
  blockInfluenceSum: 'less',
  linearity: 'more',
  linearityOfStep: 'more',
} as const satisfies Partial<Record<ScalarName, 'more' | 'less'>>;
type Predictor = keyof typeof PREDICTORS;
const NAMES = Object.keys(PREDICTORS) as Predictor[];

const OUTCOMES = {
  keptIterated: 'one block iterated',
  keptLinear: 'one linear step of rank C',
} as const satisfies Partial<Record<ScalarName, string>>;

/** The absolute rank correlation from which we say that one predicts the other. */
const PREDICTS = 0.6;

const predicts = (predictor: Predictor, outcome: keyof typeof OUTCOMES): Claim<ScalarName> => ({
  property: 'beyond',
  id: `${predictor}-${outcome}`,
  title: `${PREDICTORS[predictor] === 'more' ? 'high' : 'low'} ${scalar(predictor).label} tells where ${OUTCOMES[outcome]} can replace all blocks`,
  measure: `Spearman’s rank correlation over networks of ${scalar(predictor).what} with ${scalar(outcome).what}`,
  of: { scalar: outcome, withRank: predictor, at: WITH },
  threshold: PREDICTORS[predictor] === 'more' ? { atLeast: PREDICTS } : { atMost: -PREDICTS },
  control: PLAIN,
});

const panel = (outcome: keyof typeof OUTCOMES, series: string, file: string) =>
  ({
    kind: 'points',
    file,
    title: `What is kept by ${OUTCOMES[outcome]}, against what may predict it`,
    caption: `Share of the test accuracy that is kept where ${OUTCOMES[outcome]} replaces all blocks, against measures of the same network: one dot per network and seed. Look for a rise, or for block influence a fall; without skip connections blocks are not aligned.`,
    x: NAMES,
    y: outcome,
    series,
  }) as const;

export const compression: Sweep = {
  name: 'compression',
  beyond: true,
  title: 'Alignment and compression',
  question:
    'Does alignment tell which networks can be compressed: by iterating one block in the place of all, or by one linear step of rank C?',
  summary: 'replaced blocks: whether alignment tells how much is kept',
  axes: [
    SKIP_AXIS,
    { name: 'depth', label: 'total depth L', log: true },
    { name: 'weightDecay', label: 'weight decay', log: true },
  ],
  cells: (level) => {
    const base = fcBase(level);
    const small = { compress: true, ...(level === 'quick' && { width: 64 }) };
    const tiny = level === 'smoke';
    const cells = (skip: boolean, depths: number[], decays: number[]) =>
      grid(
        base,
        axis('skip', [skip ? 'with' : 'without', { skip, ...small }]),
        valuesOf('depth', depths),
        valuesOf('weightDecay', decays),
      );
    return tiny
      ? [...cells(true, [2, 4], [1e-3, 1e-1]), ...cells(false, [2], [1e-3])]
      : [...cells(true, [4, 8, 16], [1e-3, 1e-2, 1e-1]), ...cells(false, [4, 8], [1e-3, 1e-2])];
  },
  claims: () =>
    (Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]).flatMap((outcome) =>
      NAMES.map((predictor) => predicts(predictor, outcome)),
    ),
  figures: [
    {
      kind: 'scalars',
      file: 'compression',
      title: 'What is kept of the test accuracy',
      caption:
        'Share of the test accuracy that is kept in each way to replace all blocks, and in pairs, against weight decay: one dot per seed, with skip connections. Look for the ways that lose least, and for the decays at which they do.',
      x: 'weightDecay',
      series: 'depth',
      scalars: [
        ...([
          'testAccuracy',
          ALIGNMENT,
          'keptDropped',
          'keptIterated',
          'keptLinear',
          'keptDistilled',
        ] as const),
        ...(['pairsDropped', 'pairsIterated', 'pairsLinear'] as const),
      ],
      where: WITH,
    },
    panel('keptIterated', 'skip', 'compression-iterated'),
    panel('keptLinear', 'skip', 'compression-linear'),
  ],
  notes: [
    'Networks are half as wide as in other sweeps at `quick`, to have more of them. Cosine similarity of successive representations is 1 − block influence: it ranks networks the other way round. The sum over blocks is there because each of many blocks changes less.',
  ],
};
