import { type Evidence, short, type Threshold, thresholdInWords, verdictOn } from './evidence.ts';
import { fitPowerLaw } from './power-law.ts';
import { type Facts, type JudgedRun, type Quantity, type State, type Taken, takeFrom } from './quantity.ts';
import { rankInterval, spreadOf } from './statistics.ts';

/*
 * A claim is data: what is claimed, of which number, on which side of which threshold, and what it
 * presupposes. One judge makes it evidence, over a sweep's seeds, the theory's starts, or a run's one seed.
 */

/** What must hold for every run that a claim looks at; otherwise the claim is not measurable. */
export type Presupposition = (run: JudgedRun) => Requirement;
interface Requirement {
  /** The reason if it fails: "the network has not learned its task". */
  readonly otherwise: string;
  /** What `value` is, in words; empty where the reason names it. */
  readonly measure: string;
  readonly value: number | null | undefined;
  readonly threshold: Threshold;
}

/** A claim of the paper, or a part of one. */
export interface Claim<N extends string = string>
  extends Pick<Evidence, 'property' | 'id' | 'title' | 'measure'> {
  readonly of: Quantity<N>;
  readonly threshold: Threshold | ((facts: Facts) => Threshold);
  readonly presupposes?: readonly Presupposition[];
  /** Kinds of networks that it is about; default: all. */
  readonly kinds?: readonly Facts['kind'][];
  /** What it is compared with, and how that differs from `of`, axis by axis; default: the runs' controls. */
  readonly control?: { readonly label: string } & Partial<Quantity<N>>;
}

/** Judges a claim over the seeds of runs. Its control is looked up the same way. */
export function judge<N extends string>(claim: Claim<N>, runs: readonly JudgedRun<N>[]): Evidence {
  const { property, id, title, measure, of, control } = claim;
  const facts = runs.find((run) => run.facts)?.facts;
  const threshold = typeof claim.threshold === 'function' ? claim.threshold(facts as Facts) : claim.threshold;
  const seeds = [...new Set(runs.map(({ seed }) => seed))];
  const each = (network: State, quantity: Quantity<N> = of) =>
    seeds.map((seed) => takeFrom(quantity, network, runs, seed));
  const { network = 'trained' } = of;
  const found = each(network);
  const [only] = found;
  const certainty =
    found.length === 1 && only!.runs.length === 1
      ? only!.runs[0]!.certainty?.(network, of.scalar)
      : undefined;
  const judged = found.map(({ value, runs, lacking }) => {
    const reason = lacking ?? unmet(claim, runs);
    const own = reason === undefined ? verdictOn(value, threshold, certainty?.uncertainty ?? 0) : undefined;
    return { value, verdict: own ?? 'not measurable', reason: reason ?? vague(value) };
  });
  const interval = of.withRank
    ? rankInterval(found.map(({ points }) => points))
    : of.take === 'slope' && fitPowerLaw(found.flatMap(({ points }) => points))?.interval;
  const mean = (all: readonly Taken<N>[]) => spreadOf(all.map(({ value }) => value)).mean;
  return {
    ...{ property, id, title, measure, threshold },
    ...over(judged),
    ...(certainty && { spread: certainty.spread }),
    ...(interval && { interval }),
    ...(certainty?.uncertainty != null && { uncertainty: certainty.uncertainty }),
    atInitialization: mean(each(network === 'control' ? 'controlInitialization' : 'initialization')),
    control: mean(
      control ? each(network, { ...of, ...control, at: { ...of.at, ...control.at } }) : each('control'),
    ),
    ...(control && { controlLabel: control.label }),
  };
}

interface JudgedSeed extends Pick<Evidence, 'value' | 'verdict'> {
  readonly reason?: string | undefined;
}

function over(seeds: readonly JudgedSeed[]) {
  const { mean, std } = spreadOf(seeds.map(({ value }) => value));
  const open = seeds.filter((seed) => seed.verdict === 'not measurable');
  const holding = seeds.filter((seed) => seed.verdict === 'holds').length;
  const [reason = 'there is no run'] = open.map((seed) => seed.reason);
  return {
    values: seeds.map(({ value }) => value),
    value: mean,
    spread: seeds.length > 1 ? std : null,
    holding,
    ...(open.length > 0 || seeds.length === 0
      ? {
          verdict: 'not measurable' as const,
          reason: open.length < seeds.length ? `${reason} (${open.length} of ${seeds.length} seeds)` : reason,
        }
      : { verdict: holding === seeds.length ? ('holds' as const) : ('does not hold' as const) }),
  };
}

/** Seeds it takes to claim that something holds whatever the seed. */
const SEVERAL = 2;

/**
 * Joins the evidence for one claim in several runs, one per seed, into evidence that it holds whatever the
 * seed; `undefined` stands for a missing run. From a single run, only accuracy is judged.
 */
export function joined(all: readonly (Evidence | undefined)[]): Evidence {
  const first = all.find((one) => one !== undefined)!;
  const { property, id, title, measure, threshold } = first;
  const mean = (pick: (one: Evidence) => number | null) =>
    spreadOf(all.map((one) => (one ? pick(one) : null))).mean;
  const judged = over(
    all.map((one) => one ?? { value: null, verdict: 'not measurable', reason: 'a run is missing' }),
  );
  const few = { otherwise: 'too few seeds', measure: '', value: all.length, threshold: { atLeast: SEVERAL } };
  return {
    ...{ property, id, title, measure, threshold },
    ...judged,
    ...(all.length < SEVERAL &&
      property !== 'training' &&
      judged.verdict !== 'not measurable' && { verdict: 'not measurable', reason: requirement(few) }),
    atInitialization: mean((one) => one.atInitialization),
    control: mean((one) => one.control),
  };
}

/** Why a claim is not measurable in these runs, from the worst of them; undefined if it is. */
function unmet({ presupposes = [] }: Pick<Claim, 'presupposes'>, runs: readonly JudgedRun[]) {
  for (const presupposition of presupposes) {
    const [worst] = runs
      .map(presupposition)
      .filter(({ value, threshold }) => verdictOn(value, threshold) !== 'holds')
      .sort((a, b) => (a.value ?? 0) - (b.value ?? 0));
    if (worst) return requirement(worst);
  }
  return undefined;
}

function requirement({ otherwise, measure, value, threshold }: Requirement): string {
  const found = value == null || !Number.isFinite(value) ? 'not known' : short(value);
  return `${otherwise}: ${measure}${measure && ' '}${found}, expected ${thresholdInWords(threshold)}`;
}

const vague = (value: number | null): string =>
  value === null || !Number.isFinite(value)
    ? 'the measure is undefined there'
    : 'the value may lie on either side of the threshold by what it may be off';

/** MNIST test accuracy that counts as trained: what a linear classifier of the pixels reaches. */
const LEARNED_AT = 0.92;
/** Training accuracy at which labels count as known by heart. */
const KNOWN_AT = 0.95;

/** That the network knows the labels by heart, whatever they are. */
export const BY_HEART: Presupposition = ({ facts, trained }) => ({
  otherwise: `${facts?.randomLabels ? 'random' : 'the'} labels are not known by heart`,
  measure: 'training accuracy',
  value: trained?.trainAccuracy,
  threshold: { atLeast: KNOWN_AT },
});

/** That the network learned its task: how one that did not looks says nothing about trained networks. */
export const LEARNED: Presupposition = (run) =>
  run.facts?.randomLabels
    ? BY_HEART(run)
    : {
        otherwise: 'the network has not learned its task',
        measure: 'test accuracy',
        value: run.trained?.testAccuracy,
        threshold: { atLeast: run.facts?.trainedAt ?? LEARNED_AT },
      };

/** The same for the control. */
export const CONTROL_LEARNED: Presupposition = ({ facts, control }) => ({
  ...LEARNED({ facts, trained: control } as JudgedRun),
  otherwise: 'the control has not learned its task',
});

/** That a stage has at least so many blocks. */
export const blocksAtLeast =
  (atLeast: number): Presupposition =>
  ({ facts }) => ({
    ...{ otherwise: 'too few blocks in a stage', measure: '' },
    ...{ value: facts?.blocks, threshold: { atLeast } },
  });
