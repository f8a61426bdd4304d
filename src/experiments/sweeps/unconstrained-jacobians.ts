import type { Claim } from '../../analysis/claim.ts';
import type { ModelScalarName } from '../../analysis/unconstrained/measures.ts';
import type { Question } from '../sweep.ts';
import type { TheorySettings } from '../unconstrained/settings.ts';
import { PLAIN, SKIP_AXIS, WITH } from './bases.ts';

type Words = Pick<Claim<ModelScalarName>, 'id' | 'title' | 'measure' | 'threshold'>;

/** A claim about the worst number of blocks, and of classes, from each start. Thresholds are ours. */
const worst = (
  scalar: ModelScalarName,
  classes: number | readonly [number, number],
  words: Words,
): Claim<ModelScalarName> => ({
  ...{ property: 'theory', ...words },
  of: { scalar, at: { ...WITH, classes }, take: 'atLeast' in words.threshold ? 'min' : 'max' },
  ...(classes === 2 && { control: PLAIN }),
});

/** Theorem 3.3, number by number, and that the optimum was found. */
const twoClasses = (depths: number): Claim<ModelScalarName>[] => [
  worst('excess', 2, {
    id: 'optimum',
    title: 'every start reaches the global optimum',
    measure: 'excess of the objective over the predicted optimum’s, as a share of it',
    threshold: { atMost: 1e-3 },
  }),
  worst('topLeftRight', 2, {
    id: 'left-right',
    title: 'left and right singular vectors align',
    measure: 'minimum u·v of the top triple over blocks',
    threshold: { atLeast: 0.999 },
  }),
  worst('topOverlap', 2, {
    id: 'across',
    title: 'singular vectors align across blocks',
    measure: 'minimum of |u_i·u_j| and |v_i·v_j| over all pairs of blocks',
    threshold: { atLeast: 0.999 },
  }),
  worst('rest', 2, {
    id: 'rank-one',
    title: 'Jacobians have rank one',
    measure: 'maximum σ₂/σ₁ over blocks',
    threshold: { atMost: 1e-3 },
  }),
  worst('spread', 2, {
    id: 'equal',
    title: 'singular values are equal over blocks',
    measure: '(maximum − minimum)/mean of σ₁ over blocks',
    threshold: { atMost: 0.01 },
  }),
  worst('sigmaError', 2, {
    id: 'sigma',
    title: 'the singular value is the predicted one',
    measure: 'maximum |σ₁/σ − 1| over blocks, with σ from the optimum’s equation',
    threshold: { atMost: 0.01 },
  }),
  ...(depths < 3
    ? []
    : [
        {
          property: 'theory',
          id: 'depth',
          title: 'the singular value falls with depth, towards 1/L',
          measure: 'slope of σ₁ against L, log–log, means over blocks',
          // The optimum's slope tends to −1 with depth, and is above −0.8 at these depths: docs/theory.md.
          threshold: { atMost: -0.6 },
          of: { scalar: 'sigma1', at: { ...WITH, classes: 2 }, over: 'depth', take: 'slope' },
        } as const,
      ]),
];

/** What remains with more classes; our claims, as the theorem is about two. */
const MORE = [3, Number.POSITIVE_INFINITY] as const;
const moreClasses: readonly Claim<ModelScalarName>[] = [
  worst('rest', MORE, {
    id: 'more-rank',
    title: 'with more classes, Jacobians have rank at most C − 1',
    measure: 'maximum σ_C/σ₁ over blocks',
    threshold: { atMost: 1e-3 },
  }),
  worst('rankedLeftRight', MORE, {
    id: 'more-left-right',
    title: 'with more classes, left and right singular vectors align',
    measure: 'minimum u·v of the triples with σ_k ≥ 0.01 σ₁ over blocks',
    threshold: { atLeast: 0.99 },
  }),
  worst('rankedOverlap', MORE, {
    id: 'more-across',
    title: 'with more classes, blocks share the space of their singular vectors',
    measure: 'minimum overlap of these triples’ spaces over all pairs of blocks',
    threshold: { atLeast: 0.99 },
  }),
  worst('spread', MORE, {
    id: 'more-equal',
    title: 'with more classes, the first singular value is equal over blocks',
    measure: '(maximum − minimum)/mean of σ₁ over blocks',
    threshold: { atMost: 0.01 },
  }),
];

/** The claims that the models support, those on two classes first. */
export const theoryClaims = ({ classes, depth }: TheorySettings): Claim<ModelScalarName>[] => [
  ...(classes.includes(2) ? twoClasses(depth.length) : []),
  ...(classes.some((c) => c > 2) ? moreClasses : []),
];

/** The theory as a sweep: models in place of networks, whose random starts are its seeds. */
export const theorySweep: Question = {
  name: 'unconstrained-jacobians',
  title: 'Residual Alignment in the Unconstrained Jacobians Model',
  question:
    'Does gradient descent find the optimum of the paper’s theory, where singular vectors are aligned, from every random start?',
  summary: 'the Unconstrained Jacobians Model beside its theory',
  axes: [{ name: 'classes', label: 'classes C' }, SKIP_AXIS, { name: 'depth', label: 'blocks L', log: true }],
  figures: [
    {
      kind: 'course',
      file: 'theory-course',
      title: 'Singular values during the optimization',
      caption:
        'Means over blocks of σ₁ and of σ_C, with two classes σ₂; one line per start. Look for starts that end alike: σ₁ where the table below has σ of ' +
        'the aligned solution, and σ_C at zero, but for float32. With many classes σ₁ may end above: there the aligned solution is not the best.',
      series: 'model',
      scalars: ['sigma1', 'sigmaC'],
    },
    {
      kind: 'matrices',
      file: 'theory-alignment',
      title: 'Jacobians in each other’s singular bases',
      caption:
        'Row i, column j shows |Uⱼᵀ Jᵢ Vⱼ| over the first C singular vectors of block j, divided by the largest singular value of Jᵢ, at the end of the ' +
        'first start. With two classes one entry of each matrix should be dark, the first: all Jacobians are multiples of one matrix of rank one, with equal ' +
        'vectors left and right. Without skip connections each Jacobian has rank one, too, but vectors of its own.',
      panels: 'model',
      label: '|Uⱼᵀ Jᵢ Vⱼ| / σ₁(Jᵢ)',
    },
    {
      kind: 'scalars',
      file: 'theory-depth',
      title: 'The largest singular value against depth',
      caption:
        'Left, σ₁, mean over blocks, one dot per start; right, what the optimum’s equation gives; all axes logarithmic. Look for equal slopes, near −1: σ₁ falls ' +
        'nearly as 1/L, and ever more nearly, since σ₁ L is about the logarithm of how much representations grow, which rises slowly with L.',
      x: 'depth',
      series: 'classes',
      scalars: ['sigma1', 'alignedSigma'],
      where: WITH,
      slope: true,
    },
    {
      kind: 'scalars',
      file: 'theory-rank',
      title: 'More classes: rank and objective against depth',
      caption:
        'Left, the number of singular values from 0.01 σ₁ on, mean over blocks, at most C − 1. Right, how far the objective is above that of the aligned solution, in which all C − 1 ' +
        'directions are used alike. Below 0 that solution is not the optimum: deep models save penalty by using fewer directions, as has been shown of deep ' +
        'unconstrained features models (Súkeník, Mondelli & Lampert 2024; Garrod & Keating 2025). The paper’s theorem is about two classes.',
      x: 'depth',
      series: 'classes',
      scalars: ['rank', 'excess'],
      where: WITH,
    },
  ],
  notes: [
    'From the paper: that the Jacobians themselves are the parameters, under a penalty on their Frobenius norms, and the conclusion of its Theorem 3.3 for two classes.',
    'Ours, because the paper’s exact definition was not at hand: one input per class, orthonormal; a classifier that is a parameter under the same penalty; cross-entropy; Jacobians shared by all classes; and the equation of the optimum, derived in docs/theory.md.',
    'More than two classes, numbers of blocks and the control without skip connections are our additions.',
    'The optimizer, SGD with momentum and gradients cut to a length, is ours: the theory is about the optimum, not about how it is found.',
  ],
};
