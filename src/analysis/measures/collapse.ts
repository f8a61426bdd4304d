import * as v from 'valibot';
import { whole as integer } from '../../schema.ts';
import { variation } from '../statistics.ts';
import { centerOf, dot, minus, norm, principalDirections, type Rows } from '../vectors.ts';
import { maybe, ofNetwork, type Values } from './field.ts';
import { type Features, type Images, type Scalar, SHARE } from './measure.ts';

export const title = 'Neural collapse';
export const about = `NC1–NC4 of Papyan, Han & Donoho (*Prevalence of neural collapse during the terminal phase of deep learning training*,
PNAS 2020) of the features that the classifier reads: h_{L+1}, averaged over positions under convolutions. Over the first 10,000 training
images (\`examples\`, fewer if there are fewer), in inference mode, with the labels that were trained on. C is the number of classes among
these images; μ_c are the class means, μ_G their mean, w_c the classifier's rows; Σ_W is the mean over classes of the covariance within
the class, Σ_B that of the class means. Every class counts alike, however many images it has. Moments are taken in float64.

| field | formula |
|---|---|
| \`nc1\` | tr(Σ_W Σ_B⁺) / C, directions with less than 1e-12 of the largest variance left out of Σ_B |
| \`nc2Norms\`, \`weightNorms\` | standard deviation of ‖μ_c − μ_G‖, or of ‖w_c‖, over their mean |
| \`nc2Angles\`, \`weightAngles\` | mean over pairs of classes of abs(cos(μ_c − μ_G, μ_c′ − μ_G) + 1/(C − 1)), or of w_c and w_c′ |
| \`nc3\` | ‖W/‖W‖_F − M/‖M‖_F‖_F, the rows of M being μ_c − μ_G |
| \`nc4\` | share of the images whose nearest class mean is of another class than the network predicts |

All are 0 in a network that has collapsed. Where all class means are one to float32's rounding, as in a network that did not
train, or the classifier is zero, what would be undefined is \`null\`, \`nc4\` too; so is \`nc1\` where each class has one image, and all
where targets are vectors.`;

const collapse = v.object({
  /** Images measured. */
  examples: integer(),
  ...{ nc1: maybe, nc2Norms: maybe, nc2Angles: maybe, nc3: maybe, nc4: maybe },
  /** As `nc2Norms` and `nc2Angles`, of the classifier's rows. */
  ...{ weightNorms: maybe, weightAngles: maybe },
});
export type Collapse = v.InferOutput<typeof collapse>;

export const whole = {
  collapse: ofNetwork('neural collapse at the classifier’s input, see above', collapse),
};

const NONE = { nc1: null, nc2Norms: null, nc2Angles: null, nc3: null, nc4: null };

export const overImages = ({ classifies, features, classifier }: Images): Values<typeof whole> => ({
  collapse: classifies
    ? neuralCollapse(features, classifier)
    : { examples: features.labels.length, ...NONE, weightNorms: null, weightAngles: null },
});

const scalar = (
  name: 'nc1' | 'nc2Norms' | 'nc2Angles' | 'nc3' | 'nc4',
  label: string,
  what: string,
  more: Pick<Scalar, 'log' | 'domain' | 'followed'> = {},
): Scalar<Values<typeof whole>> => ({
  label,
  what: `${label.split(',')[0]}, ${what}`,
  ...more,
  from: (m) => m.collapse[name],
});
export const scalars = {
  nc1: scalar('nc1', 'NC1', 'variability within classes over that between them', {
    log: true,
    followed: true,
  }),
  nc2Norms: scalar('nc2Norms', 'NC2, norms', 'coefficient of variation of the centered class means’ norms'),
  nc2Angles: scalar(
    'nc2Angles',
    'NC2, angles',
    'mean distance of the cosines between centered class means from −1/(C − 1)',
    { followed: true },
  ),
  nc3: scalar(
    'nc3',
    'NC3',
    'distance of the classifier from the centered class means, both scaled to norm 1',
    {
      followed: true,
    },
  ),
  nc4: scalar('nc4', 'NC4', 'share of images whose nearest class mean is of another class than predicted', {
    domain: SHARE,
  }),
};

/**
 * Neural collapse (Papyan, Han & Donoho, PNAS 2020). Every class with images counts alike, however many it
 * has: μ_G is the mean of the class means, Σ_W that of the class covariances. `weights` holds the
 * classifier's row for each class.
 */
export function neuralCollapse(
  { features, predicted, labels }: Omit<Features, 'early'>,
  weights: Rows,
): Collapse {
  const count = labels.length;
  const dim = weights[0]!.length;
  const { classes, sizes, means } = classMeans(features, labels, weights.length, dim);
  const center = centerOf(means);
  const apart = means.map((m) => minus(m, center));
  // If all means agree to float32's rounding, what is left of them is noise.
  const centered =
    energyOf(apart) > ROUNDING ** 2 * energyOf(means) ? apart : apart.map((x) => x.map(() => 0));
  const between = principalDirections(centered);

  let within = 0;
  let elsewhere = 0;
  const x = new Float64Array(dim);
  for (let n = 0; n < count; n++) {
    const own = classes.indexOf(labels[n]!);
    const mean = means[own]!;
    for (let d = 0; d < dim; d++) x[d] = features[n * dim + d]! - mean[d]!;
    for (const { direction, energy } of between) within += dot(direction, x) ** 2 / energy / sizes[own]!;
    for (let d = 0; d < dim; d++) x[d]! += mean[d]!;
    if (classes[nearest(means, x)] !== predicted[n]) elsewhere++;
  }
  const rows = classes.map((c) => weights[c]!);
  return {
    examples: count,
    // Σ_B has energy / C along a direction, and Σ_W is a mean over C classes: these C cancel.
    nc1: between.length && count > classes.length ? within / classes.length : null,
    nc2Norms: relativeSpread(centered),
    nc2Angles: farFromSimplex(centered),
    nc3: distanceOfDirections(rows, centered),
    nc4: between.length ? elsewhere / count : null,
    weightNorms: relativeSpread(rows),
    weightAngles: farFromSimplex(rows),
  };
}

const ROUNDING = 1e-7;

const energyOf = (rows: Rows): number => rows.reduce((sum, x) => sum + dot(x, x), 0);

/** The classes that have examples, in order, with their sizes and mean features. */
function classMeans(features: Float32Array, labels: ArrayLike<number>, of: number, dim: number) {
  const sizes = new Array<number>(of).fill(0);
  const sums = sizes.map(() => new Float64Array(dim));
  for (let n = 0; n < labels.length; n++) {
    const sum = sums[labels[n]!]!;
    sizes[labels[n]!]!++;
    for (let d = 0; d < dim; d++) sum[d]! += features[n * dim + d]!;
  }
  const classes = [...sizes.keys()].filter((c) => sizes[c]! > 0);
  return {
    classes,
    sizes: classes.map((c) => sizes[c]!),
    means: classes.map((c) => sums[c]!.map((s) => s / sizes[c]!)),
  };
}

/** Index of the point nearest to x, the first on a tie. */
function nearest(points: Rows, x: Float64Array): number {
  let [best, minimum] = [0, Number.POSITIVE_INFINITY];
  for (const [i, p] of points.entries()) {
    let distance = 0;
    for (let d = 0; d < x.length; d++) distance += (x[d]! - p[d]!) ** 2;
    if (distance < minimum) [best, minimum] = [i, distance];
  }
  return best;
}

const relativeSpread = (vectors: Rows): number | null => variation(vectors.map(norm));

/** Mean over pairs of how far their cosine is from that of a simplex's corners, −1/(n − 1). */
function farFromSimplex(vectors: Rows): number | null {
  const norms = vectors.map(norm);
  if (vectors.length < 2 || norms.some((x) => !(x > 0))) return null;
  const expected = -1 / (vectors.length - 1);
  let sum = 0;
  for (let a = 0; a < vectors.length; a++)
    for (let b = 0; b < a; b++)
      sum += Math.abs(dot(vectors[a]!, vectors[b]!) / (norms[a]! * norms[b]!) - expected);
  return sum / ((vectors.length * (vectors.length - 1)) / 2);
}

/** Frobenius distance of two matrices, each scaled to norm 1; null if one is zero. */
function distanceOfDirections(a: Rows, b: Rows): number | null {
  const [sizeA, sizeB] = [Math.sqrt(energyOf(a)), Math.sqrt(energyOf(b))];
  if (!(sizeA > 0 && sizeB > 0)) return null;
  return Math.sqrt(
    a.reduce((sum, row, c) => sum + row.reduce((s, x, d) => s + (x / sizeA - b[c]![d]! / sizeB) ** 2, 0), 0),
  );
}
