import type { Analysis, Claim, Measures, Spread } from './results.ts';
import { FIT_FROM } from './summary.ts';

type Value = { value: number | null; spread: number | null };

const of = (s: Spread): Value => ({ value: s.mean, spread: s.std });

/** The extreme of per-block means, with that block's spread; blocks without a value are passed over. */
function extreme(blocks: readonly Spread[], pick: 'min' | 'max'): Value {
  const known = blocks.filter((b) => b.mean !== null);
  if (!known.length) return { value: null, spread: null };
  return of(known.reduce((a, b) => (a.mean! < b.mean! === (pick === 'min') ? a : b)));
}

/** Largest ratio of one block's σ_1 to that of the block before: at most 1 where they fall monotonically. */
function steepestRise({ summary: { sigma1 } }: Measures): Value {
  const ratios = sigma1.slice(1).map((s, i) => s.mean! / sigma1[i]!.mean!);
  return { value: ratios.length ? Math.max(...ratios) : null, spread: null };
}

interface Judgement {
  property: Claim['property'];
  id: string;
  title: string;
  measure: string;
  comparison: Claim['comparison'];
  /** May depend on the number K of triples. */
  threshold: number | ((triples: number) => number);
  /** Blocks without which there is nothing to judge; 1, if not said. */
  leastDepth?: number;
  from: (m: Measures) => Value;
}

/** The first block whose left and right vectors are judged: before it, blocks still separate the classes. */
const ALIGNED_FROM = 4;

/** What the trained network has to show. Thresholds are ours; the report prints them. */
const CLAIMS: readonly Judgement[] = [
  {
    property: 'training',
    id: 'test-accuracy',
    title: 'the network generalizes',
    measure: 'test accuracy',
    comparison: '>=',
    threshold: 0.98,
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
    threshold: 0.97,
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
    threshold: 0.65,
    from: (m) => of(m.summary.diagonalShare),
  },
  {
    property: 'RA2',
    id: 'left-right',
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
    measure: 'R² of the fit of 1/σ₁ over blocks from the third on',
    comparison: '>=',
    threshold: 0.95,
    from: (m) => ({ value: m.summary.inverseDepthFit?.r2 ?? null, spread: null }),
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
    title: 'without skip connections they do not lie on a line',
    measure: 'share of variance along the first principal direction, control',
    comparison: '<=',
    threshold: 0.6,
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
 * The paper's claims for one trained network beside its control, each with its verdict; those that need more blocks
 * than there are are left out.
 */
export function judge(analysis: Analysis, control: Analysis | undefined): Claim[] {
  const claim = (judgement: Judgement, subject: Analysis): Claim[] => {
    const { from, leastDepth = 1, ...words } = judgement;
    if (subject.network.depth < leastDepth) return [];
    const threshold =
      typeof words.threshold === 'number' ? words.threshold : words.threshold(subject.settings.triples);
    const { value, spread } = from(subject.trained);
    const passes = words.comparison === '>=' ? value! >= threshold : value! <= threshold;
    return [
      {
        ...words,
        threshold,
        value,
        spread,
        atInitialization: from(subject.initialization).value,
        control: control ? from(control.trained).value : null,
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
