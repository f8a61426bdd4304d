import type { NetworkInfo, Spread, Summary } from './results.ts';
import { stagesOf } from './summary.ts';

/** One number that says something of a network at one moment. */
export interface Scalar {
  /** Of an axis or a column. */
  readonly label: string;
  /** What it is, as part of a sentence. */
  readonly what: string;
  /** Whether an axis should be logarithmic. */
  readonly log?: boolean;
  /** Where it can lie, if that is a range worth showing. */
  readonly domain?: readonly [number, number];
  /** The number; null where it is undefined. */
  readonly from: (m: Summary, network: NetworkInfo) => number | null;
  /** What the number may be off by, where that is known: see certificates.ts. */
  readonly uncertainty?: (m: Summary, network: NetworkInfo) => number | null;
  /** Its standard deviation over samples, where it is a mean over these. */
  readonly spread?: (m: Summary, network: NetworkInfo) => number | null;
}

/** The first block whose left and right vectors are judged: before it, blocks still separate the classes. */
const ALIGNED_FROM = 4;

const SHARE = [0, 1] as const;
const COSINE = [-1, 1] as const;

/** A mean over samples with its spread. */
const over = (pick: (m: Summary, network: NetworkInfo) => Spread | undefined) => ({
  from: (m: Summary, network: NetworkInfo) => pick(m, network)?.mean ?? null,
  spread: (m: Summary, network: NetworkInfo) => pick(m, network)?.std ?? null,
});

/** The extreme of per-block means, with that block's spread; blocks without a value are passed over. */
function extreme(blocks: readonly Spread[], which: 'least' | 'largest'): Spread | undefined {
  const known = blocks.filter((b) => b.mean !== null);
  if (!known.length) return undefined;
  return known.reduce((a, b) => (a.mean! < b.mean! === (which === 'least') ? a : b));
}

/** The blocks whose left and right vectors are judged. */
const judgedBlocks = (all: readonly Spread[]) =>
  all.length >= ALIGNED_FROM ? all.slice(ALIGNED_FROM - 1) : all.slice(-1);

/** What a singular value may be off by, over σ₁: √2 residuals. */
const sigmaError = ({ summary: { residual } }: Summary): number =>
  Math.SQRT2 * (extreme(residual ?? [], 'largest')?.mean ?? 0);

/** At most 1 where σ₁ falls from block to block; stages begin anew. Undefined beside a dead block, which has no σ to fall from or to. */
function steepestRise({ summary: { sigma1 } }: Summary, { stages }: NetworkInfo): number | null {
  const firsts = new Set(stagesOf(stages).map(({ start }) => start));
  if (!sigma1.every((s) => s.mean! > 0)) return null;
  const ratios = sigma1.flatMap((s, i) => (firsts.has(i) ? [] : [s.mean! / sigma1[i - 1]!.mean!]));
  return ratios.length ? Math.max(...ratios) : null;
}

/** Every scalar measure of a run, by its name in tables and files: what claims, sweeps and their figures speak of. */
export const scalars = {
  testAccuracy: {
    label: 'test accuracy',
    what: 'test accuracy',
    domain: SHARE,
    from: (m) => m.testAccuracy,
  },
  trainAccuracy: {
    label: 'training accuracy',
    what: 'accuracy on the training images',
    domain: SHARE,
    from: (m) => m.trainAccuracy,
  },
  line: {
    label: 'share of variance on a line',
    what: 'share of variance along the first principal direction',
    domain: SHARE,
    ...over((m) => m.summary.line),
  },
  straightness: {
    label: 'straightness',
    what: 'distance from the first point to the last over the length of the path',
    domain: SHARE,
    ...over((m) => m.summary.straightness),
  },
  lineShape: {
    label: 'line-shape score',
    what: 'line-shape score of Gai & Zhang, 1 for a straight line',
    ...over((m) => m.summary.lineShape),
  },
  stepCv: {
    label: 'variation of step lengths',
    what: 'coefficient of variation of step lengths',
    ...over((m) => m.summary.stepCv),
  },
  stepCosine: {
    label: 'cosine of successive steps',
    what: 'mean cosine between successive steps',
    domain: COSINE,
    ...over((m) => m.summary.stepCosine),
  },
  diagonalShare: {
    label: 'diagonal share',
    what: 'diagonal share of U_jᵀ J_i V_j, i ≠ j',
    domain: SHARE,
    ...over((m) => m.summary.diagonalShare),
    uncertainty: (m) => m.summary.diagonalShareError?.mean ?? null,
  },
  coupling: {
    label: 'coupling',
    what: 'coupling ‖A_ij − S_i‖ / ‖S_i‖, i ≠ j',
    ...over((m) => m.summary.coupling),
  },
  leftRight: {
    label: 'u·v, least over blocks',
    what: 'mean u·v of the top three triples, least over blocks from the fourth on (the last, if fewer)',
    domain: COSINE,
    ...over(({ summary: { leftRight } }) => extreme(judgedBlocks(leftRight), 'least')),
    uncertainty: ({ summary: { leftRightError } }) =>
      extreme(judgedBlocks(leftRightError ?? []), 'largest')?.mean ?? null,
  },
  leftRightLast: {
    label: 'u·v, last block',
    what: 'mean u·v of the top three triples, last block',
    domain: COSINE,
    ...over((m) => m.summary.leftRight.at(-1)),
    uncertainty: (m) => m.summary.leftRightError?.at(-1)?.mean ?? null,
  },
  alignedDimension: {
    label: 'aligned dimension',
    what: 'number of singular directions of a block that lie in those of another, mean over pairs',
    ...over((m) => m.summary.alignedDimension),
  },
  classifierShare: {
    label: 'share inside the classifier',
    what: 'share of the last block’s left singular vectors inside the row space of the classifier',
    domain: SHARE,
    ...over((m) => m.summary.classifierShare.at(-1)),
  },
  topEnergy: {
    label: 'energy in top C',
    what: 'share of ‖J‖² in the top C singular values, least over blocks',
    domain: SHARE,
    ...over((m) => extreme(m.summary.topEnergy, 'least')),
    uncertainty: (m) =>
      2 * sigmaError(m) + Math.max(...m.frobenius.map(({ relativeError }) => relativeError)),
  },
  numericalRank: {
    label: 'numerical rank',
    what: 'number of singular values above a hundredth of the first, largest over blocks',
    ...over((m) => extreme(m.summary.numericalRank, 'largest')),
  },
  stableRank: {
    label: 'stable rank',
    what: 'stable rank ‖J‖² / σ₁², largest over blocks',
    ...over((m) => extreme(m.summary.stableRank, 'largest')),
  },
  sigma1First: {
    label: 'σ₁, first block',
    what: 'largest singular value of the first block',
    log: true,
    ...over((m) => m.summary.sigma1[0]),
  },
  sigma1Last: {
    label: 'σ₁, last block',
    what: 'largest singular value of the last block',
    log: true,
    ...over((m) => m.summary.sigma1.at(-1)),
  },
  sigma1Fall: {
    label: 'largest σ₁ ratio to the block before',
    what: 'largest ratio of σ₁ to that of the block before',
    log: true,
    from: steepestRise,
    uncertainty: (m, network) => 2 * sigmaError(m) * (steepestRise(m, network) ?? 0),
  },
  inverseDepthR2: {
    label: 'R² of a/(i + b)',
    what: 'R² of the fit of 1/σ₁ over blocks from the third on, least over stages',
    domain: SHARE,
    from: ({ summary: { perStage } }) => {
      const fits = perStage.flatMap(({ inverseDepthFit: fit }) => fit ?? []);
      return fits.length ? Math.min(...fits.map((fit) => fit.r2)) : null;
    },
  },
  deadBlocks: {
    label: 'dead blocks',
    what: 'number of blocks whose Jacobian is zero at some sample',
    from: (m) => m.deadBlocks.length,
  },
  branchRatioMax: {
    label: 'largest ‖F(h)‖/‖h‖',
    what: '‖F(h)‖ over ‖h‖, largest over blocks',
    log: true,
    ...over((m) => extreme(m.summary.branchRatio, 'largest')),
  },
  nc1: {
    label: 'NC1',
    what: 'NC1, variability within classes over that between them',
    log: true,
    from: (m) => m.collapse.nc1,
  },
  nc2Norms: {
    label: 'NC2, norms',
    what: 'NC2, coefficient of variation of the centred class means’ norms',
    from: (m) => m.collapse.nc2Norms,
  },
  nc2Angles: {
    label: 'NC2, angles',
    what: 'NC2, mean distance of the cosines between centred class means from −1/(C − 1)',
    from: (m) => m.collapse.nc2Angles,
  },
  nc3: {
    label: 'NC3',
    what: 'NC3, distance of the classifier from the centred class means, both scaled to norm 1',
    from: (m) => m.collapse.nc3,
  },
  nc4: {
    label: 'NC4',
    what: 'NC4, share of images whose nearest class mean is of another class than predicted',
    domain: SHARE,
    from: (m) => m.collapse.nc4,
  },
} as const satisfies Record<string, Scalar>;

export type ScalarName = keyof typeof scalars;

/** A measure by name, where one of the table is chosen at run time. */
export const scalar = (name: ScalarName): Scalar => scalars[name];

/** Every scalar of one network. */
export const scalarsOf = (
  measures: Summary,
  network: NetworkInfo,
): Readonly<Record<ScalarName, number | null>> =>
  Object.fromEntries(
    (Object.keys(scalars) as ScalarName[]).map((name) => [name, scalars[name].from(measures, network)]),
  ) as Record<ScalarName, number | null>;
