import type { Analysis, Claim, NetworkInfo } from './results.ts';
import { type ScalarName, scalar } from './scalars.ts';
import { FIT_FROM } from './summary.ts';
import { verdictOn } from './verdict.ts';

type Kind = NetworkInfo['kind'];

interface Judgement {
  property: Claim['property'];
  id: string;
  title: string;
  /** What is judged. */
  scalar: ScalarName;
  comparison: Claim['comparison'];
  /** The same for every kind of network, or one for the fully connected and one for those with convolutions; it may depend on the number K of triples. */
  threshold: number | { fc: number; conv: number } | ((triples: number) => number);
  /** Networks that it is claimed of; default: all. */
  kinds?: readonly Kind[];
  /** Blocks without which there is nothing to judge; default: 1. */
  leastDepth?: number;
}

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
    scalar: 'testAccuracy',
    comparison: '>=',
    threshold: { fc: 0.98, conv: 0.975 },
  },
  {
    property: 'RA1',
    id: 'line',
    title: 'representations lie on a line',
    scalar: 'line',
    comparison: '>=',
    threshold: 0.99,
  },
  {
    property: 'RA1',
    id: 'step-cosine',
    leastDepth: 2,
    title: 'successive steps point the same way',
    scalar: 'stepCosine',
    comparison: '>=',
    threshold: { fc: 0.97, conv: 0.65 },
  },
  {
    property: 'RA1',
    id: 'step-cv',
    leastDepth: 2,
    title: 'representations are equispaced',
    scalar: 'stepCv',
    comparison: '<=',
    threshold: 0.2,
  },
  {
    property: 'RA2',
    id: 'diagonal-share',
    leastDepth: 2,
    title: 'singular vectors align across depth',
    scalar: 'diagonalShare',
    comparison: '>=',
    threshold: { fc: 0.65, conv: 0.45 },
  },
  {
    property: 'RA2',
    id: 'left-right',
    kinds: ['fc'],
    title: 'left and right singular vectors align',
    scalar: 'leftRight',
    comparison: '>=',
    threshold: 0.7,
  },
  {
    property: 'RA2',
    id: 'left-right-last',
    kinds: CONVOLUTIONAL,
    title: 'left and right singular vectors of the last block align',
    scalar: 'leftRightLast',
    comparison: '>=',
    threshold: 0.45,
  },
  {
    property: 'RA3',
    id: 'top-energy',
    title: 'Residual Jacobians have rank at most C',
    scalar: 'topEnergy',
    comparison: '>=',
    threshold: 0.99,
  },
  {
    property: 'RA4',
    id: 'monotone',
    leastDepth: 2,
    title: 'σ₁ falls with every block',
    scalar: 'sigma1Fall',
    comparison: '<=',
    threshold: 1,
  },
  {
    property: 'RA4',
    id: 'inverse-depth',
    leastDepth: FIT_FROM + 2,
    title: 'σ₁ falls as a/(i + b)',
    scalar: 'inverseDepthR2',
    comparison: '>=',
    threshold: 0.95,
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
    threshold: 0.97,
  },
  {
    ...claimed('line'),
    id: 'control-line',
    kinds: ['fc'],
    title: 'without skip connections they do not lie on a line',
    comparison: '<=',
    threshold: 0.6,
  },
  {
    ...claimed('step-cosine'),
    id: 'control-step-cosine',
    kinds: CONVOLUTIONAL,
    title: 'without skip connections steps do not point the same way',
    comparison: '<=',
    threshold: 0,
  },
  {
    ...claimed('diagonal-share'),
    id: 'control-diagonal-share',
    title: 'without skip connections vectors do not align',
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
    const { scalar: name, leastDepth = 1, kinds, ...words } = judgement;
    const { network, settings } = subject;
    const deepest = Math.max(...network.stages.map(({ blocks }) => blocks.length));
    if (deepest < leastDepth || kinds?.includes(network.kind) === false) return [];
    const threshold =
      thresholds[words.id as keyof typeof thresholds] ??
      thresholdOf(words.threshold, network.kind, settings.triples);
    const { what, from, spread, uncertainty } = scalar(name);
    const value = from(subject.trained, network);
    const off = uncertainty?.(subject.trained, network) ?? null;
    return [
      {
        ...words,
        measure: subject === control ? `${what}, control` : what,
        threshold,
        value,
        spread: spread?.(subject.trained, network) ?? null,
        atInitialization: from(subject.initialization, network),
        control: control ? from(control.trained, network) : null,
        holds: verdictOn(value, words.comparison, threshold, off ?? 0),
        ...(off !== null && { uncertainty: off }),
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
