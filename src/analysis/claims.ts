import { blocks, type Claim, CONTROL_LEARNED, judge, LEARNED } from './claim.ts';
import { type Evidence, properties, type Threshold } from './evidence.ts';
import { FIT_FROM } from './measures/scale.ts';
import type { Facts, JudgedRun } from './quantity.ts';
import type { Analysis } from './results.ts';
import { type ScalarName, scalar, scalarsOf } from './scalars.ts';

/** A claim about one network and its control; it measures what its scalar does. */
type RunClaim = Omit<Claim<ScalarName>, 'measure'>;

const CONVOLUTIONAL: readonly Facts['kind'][] = ['conv', 'resnet34'];

/** A lower bound for fully connected networks, and one for those with convolutions. */
const byKind =
  (fc: number, conv: number) =>
  ({ kind }: Facts): Threshold => ({ atLeast: kind === 'fc' ? fc : conv });

/**
 * What the trained network has to show, and what the control without skip connections has to lack. Thresholds are ours; the report
 * prints them. In convolutional networks alignment is weaker and comes later: early blocks still look for features, and after the
 * epochs of a `quick` preset they are not done.
 */
const CLAIMS: readonly RunClaim[] = [
  {
    property: 'training',
    id: 'test-accuracy',
    title: 'the network generalizes',
    of: { scalar: 'testAccuracy' },
    threshold: (facts) => (facts.trainedAt ? { atLeast: facts.trainedAt } : byKind(0.98, 0.975)(facts)),
  },
  {
    property: 'training',
    id: 'control-accuracy',
    title: 'the control trains too',
    of: { scalar: 'testAccuracy', network: 'control' },
    threshold: ({ trainedAt = 0.97 }) => ({ atLeast: trainedAt }),
  },
  {
    property: 'RA1',
    id: 'line',
    title: 'representations lie on a line',
    of: { scalar: 'line' },
    threshold: { atLeast: 0.99 },
    presupposes: [LEARNED],
  },
  {
    property: 'RA1',
    id: 'step-cosine',
    title: 'successive steps point the same way',
    of: { scalar: 'stepCosine' },
    threshold: byKind(0.97, 0.65),
    presupposes: [blocks(2), LEARNED],
  },
  {
    property: 'RA1',
    id: 'step-cv',
    title: 'representations are equispaced',
    of: { scalar: 'stepCv' },
    threshold: { atMost: 0.2 },
    presupposes: [blocks(2), LEARNED],
  },
  {
    property: 'no-skip',
    id: 'control-line',
    title: 'without skip connections they do not lie on a line',
    kinds: ['fc'],
    of: { scalar: 'line', network: 'control' },
    threshold: { atMost: 0.6 },
    presupposes: [CONTROL_LEARNED],
  },
  {
    property: 'no-skip',
    id: 'control-step-cosine',
    title: 'without skip connections steps do not point the same way',
    kinds: CONVOLUTIONAL,
    of: { scalar: 'stepCosine', network: 'control' },
    threshold: { atMost: 0 },
    presupposes: [blocks(2), CONTROL_LEARNED],
  },
  {
    property: 'RA2',
    id: 'diagonal-share',
    title: 'singular vectors align across depth',
    of: { scalar: 'diagonalShare' },
    threshold: byKind(0.65, 0.45),
    presupposes: [blocks(2), LEARNED],
  },
  {
    property: 'RA2',
    id: 'left-right',
    title: 'left and right singular vectors align',
    kinds: ['fc'],
    of: { scalar: 'leftRight' },
    threshold: { atLeast: 0.7 },
    presupposes: [LEARNED],
  },
  {
    property: 'RA2',
    id: 'left-right-last',
    title: 'left and right singular vectors of the last block align',
    kinds: CONVOLUTIONAL,
    of: { scalar: 'leftRightLast' },
    threshold: { atLeast: 0.45 },
    presupposes: [LEARNED],
  },
  {
    property: 'no-skip',
    id: 'control-diagonal-share',
    title: 'without skip connections vectors do not align',
    of: { scalar: 'diagonalShare', network: 'control' },
    // Of random K×K matrices it is 1/K.
    threshold: ({ triples }) => ({ atMost: 1 / triples + 0.1 }),
    presupposes: [blocks(2), CONTROL_LEARNED],
  },
  {
    property: 'RA3',
    id: 'top-energy',
    title: 'Residual Jacobians have rank at most C',
    of: { scalar: 'topEnergy' },
    threshold: { atLeast: 0.99 },
    presupposes: [LEARNED],
  },
  {
    property: 'RA4',
    id: 'monotone',
    title: 'σ₁ falls with every block',
    of: { scalar: 'sigma1Fall' },
    threshold: { atMost: 1 },
    presupposes: [blocks(2), LEARNED],
  },
  {
    property: 'RA4',
    id: 'inverse-depth',
    title: 'σ₁ falls as a/(i + b)',
    of: { scalar: 'inverseDepthR2' },
    threshold: { atLeast: 0.95 },
    presupposes: [blocks(FIT_FROM + 2), LEARNED],
  },
];

/** What is known of a network's data, for {@link judgeRun}. */
export type DataFacts = Pick<Facts, 'trainedAt' | 'randomLabels'>;

/** The paper's claims of one trained network beside its control, where there is one, by property. */
export function judgeRun(analysis: Analysis, control: Analysis | undefined, data: DataFacts): Evidence[] {
  const run = runOf(analysis, control, data);
  return CLAIMS.filter(
    ({ of, kinds }) =>
      (control !== undefined || of.network !== 'control') && kinds?.includes(analysis.network.kind) !== false,
  )
    .map((claim) => {
      const { what } = scalar(claim.of.scalar);
      return judge({ ...claim, measure: claim.of.network ? `${what}, control` : what }, [run]);
    })
    .sort((a, b) => properties.indexOf(a.property) - properties.indexOf(b.property));
}

/** A run by itself, as claims look at it. */
function runOf(analysis: Analysis, control: Analysis | undefined, data: DataFacts): JudgedRun<ScalarName> {
  const { network, settings } = analysis;
  const numbers = (of: Analysis | undefined, at: 'trained' | 'initialization') =>
    of ? scalarsOf(of[at], of.network) : null;
  return {
    ...{ cell: {}, seed: settings.seed, status: 'done' },
    facts: {
      ...{ kind: network.kind, triples: (control ?? analysis).settings.triples, ...data },
      blocks: Math.max(...network.stages.map(({ blocks }) => blocks.length)),
    },
    trained: numbers(analysis, 'trained'),
    initialization: numbers(analysis, 'initialization'),
    control: numbers(control, 'trained'),
    controlInitialization: numbers(control, 'initialization'),
    certainty(name, which) {
      const { trained, network } = name === 'control' ? control! : analysis;
      const { spread, uncertainty } = scalar(which);
      return {
        spread: spread?.(trained, network) ?? null,
        uncertainty: uncertainty?.(trained, network) ?? null,
      };
    },
  };
}
