import type { Analysis, Claim, Measures, NetworkInfo, Spread } from './results.ts';
import { FIT_FROM, stagesOf } from './summary.ts';

type Value = { value: number | null; spread: number | null };

const of = (s: Spread): Value => ({ value: s.mean, spread: s.std });

/** The extreme of per-block means, with that block's spread; blocks without a value are passed over. */
function extreme(blocks: readonly Spread[], pick: 'min' | 'max'): Value {
  const known = blocks.filter((b) => b.mean !== null);
  if (!known.length) return { value: null, spread: null };
  return of(known.reduce((a, b) => (a.mean! < b.mean! === (pick === 'min') ? a : b)));
}

/** Largest ratio of one block's σ_1 to that of the block before in its stage: at most 1 where they fall monotonically. */
function steepestRise({ summary: { sigma1 } }: Measures, { stages }: NetworkInfo): Value {
  const firsts = new Set(stagesOf(stages).map(({ start }) => start));
  const ratios = sigma1.flatMap((s, i) => (firsts.has(i) ? [] : [s.mean! / sigma1[i - 1]!.mean!]));
  return { value: ratios.length ? Math.max(...ratios) : null, spread: null };
}

type Kind = NetworkInfo['kind'];

interface Judgement {
  property: Claim['property'];
  id: string;
  title: string;
  measure: string;
  comparison: Claim['comparison'];
  /** The same for every kind of network, or one for the fully connected and one for those with convolutions; it may depend on the number K of triples. */
  threshold: number | { fc: number; conv: number } | ((triples: number) => number);
  /** Networks that it is claimed of; all, if not said. */
  kinds?: readonly Kind[];
  /** Blocks without which there is nothing to judge; 1, if not said. */
  leastDepth?: number;
  from: (m: Measures, network: NetworkInfo) => Value;
}

/** The first block whose left and right vectors are judged: before it, blocks still separate the classes. */
const ALIGNED_FROM = 4;

const CONVOLUTIONAL: readonly Kind[] = ['conv', 'resnet34'];

/**
 * What the trained network has to show. Thresholds are ours; the report prints them. In convolutional networks alignment is
 * weaker and comes later: early blocks still look for features, and after the epochs of a `quick` preset they are not done.
 */
const CLAIMS: readonly Judgement[] = [
  {
    property: 'training',
    id: 'test-accuracy',
    title: 'the network generalizes',
    measure: 'test accuracy',
    comparison: '>=',
    threshold: { fc: 0.98, conv: 0.975 },
    from: (m) => ({ value: m.testAccuracy, spread: null }),
  },
  {
    property: 'RA1',
    id: 'line',
    title: 'representations lie on a line',
    measure: 'share of variance along the first principal direction',
    comparison: '>=',
    threshold: 0.99,
    from: (m) => of(m.summary.line),
  },
  {
    property: 'RA1',
    id: 'step-cosine',
    leastDepth: 2,
    title: 'successive steps point the same way',
    measure: 'mean cosine between successive steps',
    comparison: '>=',
    threshold: { fc: 0.97, conv: 0.65 },
    from: (m) => of(m.summary.stepCosine),
  },
  {
    property: 'RA1',
    id: 'step-cv',
    leastDepth: 2,
    title: 'representations are equispaced',
    measure: 'coefficient of variation of step lengths',
    comparison: '<=',
    threshold: 0.2,
    from: (m) => of(m.summary.stepCv),
  },
  {
    property: 'RA2',
    id: 'diagonal-share',
    leastDepth: 2,
    title: 'singular vectors align across depth',
    measure: 'diagonal share of U_jᵀ J_i V_j, i ≠ j',
    comparison: '>=',
    threshold: { fc: 0.65, conv: 0.45 },
    from: (m) => of(m.summary.diagonalShare),
  },
  {
    property: 'RA2',
    id: 'left-right',
    kinds: ['fc'],
    title: 'left and right singular vectors align',
    measure: 'mean u·v of the top three triples, least over blocks from the fourth on (the last, if fewer)',
    comparison: '>=',
    threshold: 0.7,
    from: ({ summary: { leftRight } }) =>
      extreme(
        leftRight.length >= ALIGNED_FROM ? leftRight.slice(ALIGNED_FROM - 1) : leftRight.slice(-1),
        'min',
      ),
  },
  {
    property: 'RA2',
    id: 'left-right-last',
    kinds: CONVOLUTIONAL,
    title: 'left and right singular vectors of the last block align',
    measure: 'mean u·v of the top three triples, last block',
    comparison: '>=',
    threshold: 0.45,
    from: ({ summary: { leftRight } }) => of(leftRight.at(-1)!),
  },
  {
    property: 'RA3',
    id: 'top-energy',
    title: 'Residual Jacobians have rank at most C',
    measure: 'share of ‖J‖² in the top C singular values, least over blocks',
    comparison: '>=',
    threshold: 0.99,
    from: (m) => extreme(m.summary.topEnergy, 'min'),
  },
  {
    property: 'RA4',
    id: 'monotone',
    leastDepth: 2,
    title: 'σ₁ falls with every block',
    measure: 'largest ratio of σ₁ to that of the block before',
    comparison: '<=',
    threshold: 1,
    from: steepestRise,
  },
  {
    property: 'RA4',
    id: 'inverse-depth',
    leastDepth: FIT_FROM + 2,
    title: 'σ₁ falls as a/(i + b)',
    measure: 'R² of the fit of 1/σ₁ over blocks from the third on, least over stages',
    comparison: '>=',
    threshold: 0.95,
    from: ({ summary: { perStage } }) => {
      const fits = perStage.flatMap(({ inverseDepthFit: fit }) => fit ?? []);
      return { value: fits.length ? Math.min(...fits.map((fit) => fit.r2)) : null, spread: null };
    },
  },
];

/** One of the claims above, to be turned round for the control. */
const claimed = (id: string): Judgement => CLAIMS.find((claim) => claim.id === id)!;

/** What the control without skip connections has to lack, and the accuracy at which the comparison is fair. */
const CONTROL_CLAIMS: readonly Judgement[] = [
  {
    ...claimed('test-accuracy'),
    id: 'control-accuracy',
    title: 'the control trains too',
    measure: 'test accuracy of the control',
    threshold: 0.97,
  },
  {
    ...claimed('line'),
    id: 'control-line',
    kinds: ['fc'],
    title: 'without skip connections they do not lie on a line',
    measure: 'share of variance along the first principal direction, control',
    comparison: '<=',
    threshold: 0.6,
  },
  {
    ...claimed('step-cosine'),
    id: 'control-step-cosine',
    kinds: CONVOLUTIONAL,
    title: 'without skip connections steps do not point the same way',
    measure: 'mean cosine between successive steps, control',
    comparison: '<=',
    threshold: 0,
  },
  {
    ...claimed('diagonal-share'),
    id: 'control-diagonal-share',
    title: 'without skip connections vectors do not align',
    measure: 'diagonal share of U_jᵀ J_i V_j, i ≠ j, control',
    comparison: '<=',
    // Of random K×K matrices it is 1/K.
    threshold: (triples) => 1 / triples + 0.1,
  },
];

/**
 * The paper's claims for one trained network beside its control, each with its verdict; those that need more blocks in
 * a stage than there are are left out. `thresholds` replaces thresholds by the ids of their claims, for data sets on which no
 * network is as accurate as on MNIST.
 */
export function judge(
  analysis: Analysis,
  control: Analysis | undefined,
  thresholds: Readonly<Partial<Record<'test-accuracy' | 'control-accuracy', number>>> = {},
): Claim[] {
  const claim = (judgement: Judgement, subject: Analysis): Claim[] => {
    const { from, leastDepth = 1, kinds, ...words } = judgement;
    const { network, settings } = subject;
    const deepest = Math.max(...network.stages.map(({ blocks }) => blocks.length));
    if (deepest < leastDepth || kinds?.includes(network.kind) === false) return [];
    const threshold =
      thresholds[words.id as keyof typeof thresholds] ??
      thresholdOf(words.threshold, network.kind, settings.triples);
    const { value, spread } = from(subject.trained, network);
    const passes = words.comparison === '>=' ? value! >= threshold : value! <= threshold;
    return [
      {
        ...words,
        threshold,
        value,
        spread,
        atInitialization: from(subject.initialization, network).value,
        control: control ? from(control.trained, network).value : null,
        holds: value !== null && passes,
      },
    ];
  };
  const order = ['training', 'RA1', 'RA2', 'RA3', 'RA4'];
  return [
    ...CLAIMS.flatMap((c) => claim(c, analysis)),
    ...(control ? CONTROL_CLAIMS.flatMap((c) => claim(c, control)) : []),
  ].sort((a, b) => order.indexOf(a.property) - order.indexOf(b.property));
}

function thresholdOf(threshold: Judgement['threshold'], kind: Kind, triples: number): number {
  if (typeof threshold === 'function') return threshold(triples);
  if (typeof threshold === 'number') return threshold;
  return kind === 'fc' ? threshold.fc : threshold.conv;
}
