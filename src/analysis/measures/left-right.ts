import { range } from '../../lists.ts';
import { format } from '../../number-format.ts';
import { meanOf, type Spread, spreadOf } from '../statistics.ts';
import { dot } from '../vectors.ts';
import { panels as classifier, type sample as classifierSample } from './classifier.ts';
import { maybe, type Own, overBlocks, perTriple, type Sampled, type Values } from './field.ts';
import { alongBlocks, type FigureSpec, type Row, type Shown } from './figure.ts';
import {
  CONVOLUTIONAL,
  COSINE,
  extreme,
  FULLY_CONNECTED,
  over,
  type RunClaim,
  type Scalar,
  type StageAt,
} from './measure.ts';
import { type sample as spectrum, vectorErrors } from './spectrum.ts';

export const title = 'Left and right singular vectors';
export const property = 'RA2';
export const about = `\`summary.leftRight\` is of the mean over the top three triples. \`leftRightError\` is what a cosine c may be off by:
2 ε_k √(1 − c²) + 2 ε_k², see [Certificates](results.md#certificates).`;

export const sample = { leftRight: perTriple('u_{i,k}·v_{i,k}, k ≤ K', 'triples', maybe) };

export const at = ({ blocks, triples }: StageAt) => ({
  leftRight: blocks.map(({ dead, u, v }) => range(triples).map((k) => (dead ? null : dot(u(k), v(k))))),
});

type Sample = Values<typeof sample & typeof spectrum>;
const TOP = 3;
export const summary = {
  leftRight: overBlocks({ label: 'u·v of the top three triples', short: 'u·v' }, (s: Sample, i) =>
    meanOf(s.leftRight[i]!.slice(0, TOP)),
  ),
  leftRightError: overBlocks({ label: 'error of u·v' }, (s: Sample, i) => {
    const errors = vectorErrors(s.residual[i]!, s.gap[i]!);
    return meanOf(
      s.leftRight[i]!.slice(0, TOP).map((c, k) => (c === null ? null : cosineError(c, errors[k] ?? 1))),
    );
  }),
};
type Measures = Own<typeof sample & typeof classifierSample, typeof summary>;

/** What u·v may be off by if both are by `error`, each at right angles to itself. */
export const cosineError = (cosine: number, error: number): number =>
  Math.min(2, 2 * error * Math.sqrt(Math.max(0, 1 - cosine ** 2)) + 2 * error ** 2);

/** The first block whose left and right vectors are judged: before it, blocks still separate the classes. */
const ALIGNED_FROM = 4;
const judged = (all: readonly Spread[] = []) =>
  all.length >= ALIGNED_FROM ? all.slice(ALIGNED_FROM - 1) : all.slice(-1);

const mean = over<Measures>;
export const scalars = {
  leftRight: {
    label: 'u·v, minimum over blocks',
    what: 'mean u·v of the top three triples, minimum over blocks from the fourth on (the last, if fewer)',
    domain: COSINE,
    ...{ glance: true, followed: true },
    ...mean(({ summary }) => extreme(judged(summary.leftRight), 'minimum')),
    uncertainty: ({ summary }) => extreme(judged(summary.leftRightError), 'maximum')?.mean ?? null,
  },
  leftRightLast: {
    label: 'u·v, last block',
    what: 'mean u·v of the top three triples, last block',
    domain: COSINE,
    ...mean((m) => m.summary.leftRight.at(-1)),
    uncertainty: (m) => m.summary.leftRightError.at(-1)?.mean ?? null,
  },
} satisfies Record<string, Scalar<Measures>>;

export const claims: RunClaim<keyof typeof scalars>[] = [
  {
    ...{ id: 'left-right', title: 'left and right singular vectors align', kinds: FULLY_CONNECTED },
    ...{ of: { scalar: 'leftRight' }, threshold: { atLeast: 0.7 } },
  },
  {
    ...{ id: 'left-right-last', title: 'left and right singular vectors of the last block align' },
    ...{ of: { scalar: 'leftRightLast' }, threshold: { atLeast: 0.45 }, kinds: CONVOLUTIONAL },
  },
];

const cosines = ({ measures: { samples }, network }: Pick<Shown<Cosines>, 'measures' | 'network'>): Row[] =>
  range(network.depth).flatMap((i) =>
    range(Math.max(0, ...samples.map((s) => s.leftRight[i]?.length ?? 0))).map((k) => {
      const { mean, std } = spreadOf(samples.map((s) => s.leftRight[i]?.[k]));
      return { block: i + 1, k: k + 1, cosine: mean, std };
    }),
  );
type Cosines = Measures & Sampled<typeof sample>;
export const tables = { 'left-right': (shown: Shown<Cosines>) => cosines(shown) };

const SHOWN_TRIPLES = 20;

export const figures: FigureSpec<Cosines>[] = [
  {
    file: 'ra2-left-right.svg',
    title: 'RA2: left and right singular vectors, and the classifier',
    caption: (all) => {
      const [{ triples, network }] = all as [Shown<Cosines>];
      return [
        'Above: cosine between left and right singular vector k of each block, mean over samples (blue: positive; ×: the block is',
        'dead). Look for full blue: a block stretches its input along directions that it keeps. Below: the share of the leading',
        'left singular vectors inside the row space of the classifier’s weights, with a band of one standard deviation over',
        'samples. Look for a rise to 1.',
        ...(triples > SHOWN_TRIPLES ? [`The first ${SHOWN_TRIPLES} of ${triples} triples are drawn.`] : []),
        ...(network.stages.length > 1 ? ['Only the last stage is what the classifier reads.'] : []),
      ].join(' ');
    },
    data: ['left-right', 'blocks'],
    panels: [
      {
        each: 'network',
        draw: ({ measures, network }) => {
          const rows = cosines({ measures, network }).filter(({ k }) => (k as number) <= SHOWN_TRIPLES);
          const shown = Math.max(1, ...rows.map(({ k }) => k as number));
          return {
            note: `mean of the top three, last block ${format(measures.summary.leftRight.at(-1)?.mean)}`,
            height: 240,
            x: alongBlocks(network),
            y: { label: 'triple k', counted: [shown, 1] },
            marks: [{ mark: 'cells', rows, x: 'block', y: 'k', value: 'cosine' }],
          };
        },
      },
      classifier,
    ],
    legend: { ramp: 'cosine', label: 'cosine uₖ·vₖ' },
  },
];
