import { format } from '../../number-format.ts';
import { spreadOf, variation } from '../statistics.ts';
import { centerOf, dot, minus, norm, type Plane, principalPlane, type Rows } from '../vectors.ts';
import { type Own, ofPath, perBlock, type Sampled, type Values } from './field.ts';
import { alongBlocks, type FigureSpec, meanWithBand } from './figure.ts';
import {
  byKind,
  CONVOLUTIONAL,
  COSINE,
  FULLY_CONNECTED,
  over,
  type RunClaim,
  type Scalar,
  type Series,
  SHARE,
  type StageAt,
} from './measure.ts';

export const title = 'Straight and evenly spaced paths';
export const property = 'RA1';

export const sample = {
  line: ofPath('λ_1 / Σλ of the covariance of the points h_1 … h_{L+1}'),
  straightness: ofPath('‖h_{L+1} − h_1‖ / Σ_i ‖h_{i+1} − h_i‖'),
  lineShape: ofPath(
    'line-shape score of Gai & Zhang (*A mathematical principle of deep learning: learn the geodesic curve in the Wasserstein space*, 2021): L / ‖Σ_i (h_{i+1} − h_i)/‖h_{i+1} − h_i‖‖; 1 for a straight line, larger for a bent one',
  ),
  stepCv: ofPath('standard deviation (population) of the step norms over their mean'),
  stepCosine: ofPath('mean cosine between successive steps'),
  growthCv: ofPath(
    'standard deviation (population) over abs(mean) of log(‖h_{i+1}‖ / ‖h_i‖): 0 where norms grow exponentially, `null` where they do not grow (after the exponential distance of Aubry et al., *Transformer Block Coupling*, ICLR 2025)',
  ),
  stepNorms: perBlock('‖h_{i+1} − h_i‖'),
};
type Measures = Own<typeof sample>;

export const at = ({ path, plane }: StageAt) => lineMeasures(path, plane);

/** Steps below this share of the points' energy are float32's rounding. */
const ROUNDING = 1e-14;
/** So is the growth of a log norm up to this. */
const GROWN = 1e-6;

/** Straightness and spacing of a path: null but for norms if it is still; `line` also for two points. */
export function lineMeasures(path: Rows, plane: Plane = principalPlane(path)): Values<typeof sample> {
  const steps = path.slice(1).map((h, i) => minus(h, path[i]!));
  const stepNorms = steps.map(norm);
  const length = stepNorms.reduce((a, b) => a + b, 0);
  const units = steps.filter((_, i) => stepNorms[i]! > 0).map((s) => s.map((x) => x / norm(s)));
  const energy = path.reduce((sum, h) => sum + dot(h, h), 0);
  const still = !(stepNorms.reduce((sum, x) => sum + x * x, 0) > ROUNDING * energy);
  const covered = still ? 0 : norm(centerOf(units));
  const growth = path.slice(1).map((h, i) => Math.log(norm(h) / norm(path[i]!)));
  const grown = growth.some((x) => Math.abs(x) > GROWN);
  const spread = grown ? variation(growth) : null;
  const cosines = steps
    .slice(1)
    .flatMap((s, i) =>
      stepNorms[i]! > 0 && stepNorms[i + 1]! > 0
        ? [dot(s, steps[i]!) / (stepNorms[i]! * stepNorms[i + 1]!)]
        : [],
    );
  return {
    line: still || path.length < 3 ? null : plane.share,
    straightness: still ? null : norm(minus(path.at(-1)!, path[0]!)) / length,
    lineShape: covered > 0 ? 1 / covered : null,
    stepCv: still ? null : variation(stepNorms),
    stepCosine: !still && cosines.length ? cosines.reduce((a, b) => a + b, 0) / cosines.length : null,
    growthCv: still || !growth.every(Number.isFinite) || spread === null ? null : Math.abs(spread),
    stepNorms,
  };
}

const mean = over<Measures>;
export const scalars = {
  line: {
    label: 'share of variance on a line',
    what: 'share of variance along the first principal direction',
    domain: SHARE,
    ...{ glance: true, followed: true },
    ...mean((m) => m.summary.line),
  },
  straightness: {
    label: 'straightness',
    what: 'distance from the first point to the last over the length of the path',
    domain: SHARE,
    ...mean((m) => m.summary.straightness),
  },
  lineShape: {
    label: 'line-shape score',
    what: 'line-shape score of Gai & Zhang, 1 for a straight line',
    ...mean((m) => m.summary.lineShape),
  },
  stepCv: {
    label: 'variation of step lengths',
    what: 'coefficient of variation of step lengths',
    glance: true,
    ...mean((m) => m.summary.stepCv),
  },
  stepCosine: {
    label: 'cosine of successive steps',
    what: 'mean cosine between successive steps',
    domain: COSINE,
    ...{ glance: true, followed: true },
    ...mean((m) => m.summary.stepCosine),
  },
  growthCv: {
    label: 'variation of growth',
    what: 'coefficient of variation of the growth of log norms from block to block',
    ...mean((m) => m.summary.growthCv),
  },
} satisfies Record<string, Scalar<Measures>>;

export const claims: RunClaim<keyof typeof scalars>[] = [
  {
    ...{ id: 'line', title: 'representations lie on a line' },
    ...{ of: { scalar: 'line' }, threshold: { atLeast: 0.99 } },
  },
  {
    ...{ id: 'step-cosine', title: 'successive steps point the same way' },
    ...{ of: { scalar: 'stepCosine' }, threshold: byKind(0.97, 0.65), blocks: 2 },
  },
  {
    ...{ id: 'step-cv', title: 'representations are equispaced' },
    ...{ of: { scalar: 'stepCv' }, threshold: { atMost: 0.2 }, blocks: 2 },
  },
  {
    id: 'control-line',
    title: 'without skip connections they do not lie on a line',
    kinds: FULLY_CONNECTED,
    ...{ of: { scalar: 'line', network: 'control' }, threshold: { atMost: 0.6 } },
  },
  {
    ...{ id: 'control-step-cosine', title: 'without skip connections steps do not point the same way' },
    ...{ of: { scalar: 'stepCosine', network: 'control' }, threshold: { atMost: 0 } },
    ...{ blocks: 2, kinds: CONVOLUTIONAL },
  },
];

export const series = {
  step: {
    label: 'step ‖hᵢ₊₁ − hᵢ‖ (units of h)',
    from: ({ samples }) => samples[0]?.stepNorms.map((_, i) => spreadOf(samples.map((s) => s.stepNorms[i]))),
  },
} satisfies Record<string, Series<Measures & Sampled<typeof sample>>>;

export const figures: FigureSpec<Measures & Sampled<typeof sample>>[] = [
  {
    file: 'ra1-steps.svg',
    title: 'RA1: step from block to block',
    caption:
      'Length of the step that a representation makes in each block: mean over samples, and a band of one standard deviation. ' +
      'Look for a level line: equal steps. CV is the coefficient of variation of the steps of one sample; the cosine between ' +
      'successive steps is 1 where they all point the same way. Each panel has its own scale, from zero.',
    data: ['blocks', 'measures'],
    panels: [
      {
        each: 'network',
        draw: ({ measures, network }) => ({
          note: `CV ${format(measures.summary.stepCv.mean)}, cosine ${format(measures.summary.stepCosine.mean)}`,
          x: alongBlocks(network),
          y: { label: series.step.label, zero: true },
          marks: meanWithBand(series.step.from(measures) ?? [], network, [0, Number.POSITIVE_INFINITY]),
        }),
      },
    ],
    legend: [
      ['mean over samples', 'accent', 'line'],
      ['± one standard deviation', 'accent', 'band'],
    ],
  },
];
