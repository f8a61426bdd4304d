import { blocksAtLeast, type Claim, CONTROL_LEARNED, judge, LEARNED } from './claim.ts';
import { type Evidence, properties } from './evidence.ts';
import type { Facts, JudgedRun } from './quantity.ts';
import { type Analysis, all } from './results.ts';
import { type ScalarName, scalar, scalarsOf } from './scalars.ts';

const CLAIMS: readonly Claim<ScalarName>[] = all.flatMap(({ claims = [], property: own }) =>
  claims.map(({ blocks: minimum, of, ...claim }) => {
    const { network } = of;
    const { property = (network ? 'no-skip' : own) as Claim['property'] } = claim;
    const learned = network ? CONTROL_LEARNED : LEARNED;
    const measured = of as Claim<ScalarName>['of'];
    return {
      ...{ ...claim, property, of: measured },
      measure: scalar(measured.scalar).what + (network ? ', control' : ''),
      presupposes: property === 'training' ? [] : [...(minimum ? [blocksAtLeast(minimum)] : []), learned],
    };
  }),
);

/** What is known about a network's data, for {@link judgeRun}. */
export type DataFacts = Pick<Facts, 'trainedAt' | 'randomLabels'>;

/** The paper's claims about one trained network, beside its control if there is one, by property. */
export function judgeRun(analysis: Analysis, control: Analysis | undefined, data: DataFacts): Evidence[] {
  const run = runOf(analysis, control, data);
  return CLAIMS.filter(
    ({ of, kinds }) =>
      (control !== undefined || of.network !== 'control') && kinds?.includes(analysis.network.kind) !== false,
  )
    .map((claim) => judge(claim, [run]))
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
