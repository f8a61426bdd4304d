import type { Property } from '../analysis/evidence.ts';
import { LEVELS } from '../experiments/experiment.ts';
import { groupBy } from '../lists.ts';
import type { Collection, Found, FoundRun, FoundSweep } from './collection.ts';
import type { ShownVerdict } from './page.ts';
import { type Statement, statements } from './statements.ts';
import { type Shown, together } from './verdicts.ts';

export interface Gathered {
  readonly statement: Statement;
  readonly verdict: ShownVerdict;
  /** The most telling one first, each with its source. */
  readonly evidence: readonly Shown[];
  /** The sweeps it comes from, in that order. */
  readonly sweeps: readonly FoundSweep[];
  /** Whether it comes from single runs, for want of sweeps. */
  readonly single: boolean;
}

/** The evidence for each statement of the paper: from sweeps, or from single runs where there are none. */
export function gatherEvidence(found: Collection): Gathered[] {
  const best = bestPresets(found.sweeps);
  return statements.map((statement) => {
    const { property } = statement;
    const having = <F extends Found>(all: readonly F[]) =>
      all.filter(({ claims }) => claims.some((claim) => claim.property === property));
    const rank = ({ record: { name } }: FoundSweep) => [...statement.sweeps, name].indexOf(name);
    const sweeps = having(best).sort((a, b) => rank(a) - rank(b));
    const over = sweeps.flatMap((source) => evidenceOf(source, property));
    const single = over.length === 0;
    const evidence = single ? latest(found.runs).flatMap((run) => evidenceOf(run, property)) : over;
    return { statement, verdict: together(evidence), evidence, sweeps, single };
  });
}

const evidenceOf = ({ claims, name, folder }: Found, property: Property): Shown[] =>
  claims
    .filter((claim) => claim.property === property)
    .map((claim) => ({ ...claim, source: { text: name, to: `${folder}/report.html` } }));

/** The longest preset first, others last. */
const rankOf = (preset: string): number => -(LEVELS as readonly string[]).indexOf(preset);

/** Each sweep's longest judged preset: a short one that fails says nothing against a long one. */
function bestPresets(sweeps: readonly FoundSweep[]): FoundSweep[] {
  const order = (a: FoundSweep, b: FoundSweep) =>
    Number(!isJudged(a)) - Number(!isJudged(b)) || rankOf(a.record.preset) - rankOf(b.record.preset);
  return [...groupBy(sweeps, ({ record }) => record.name).values()].map((same) => same.sort(order)[0]!);
}

const isJudged = ({ claims }: FoundSweep): boolean => claims.some((c) => c.verdict !== 'not measurable');

/** Of each experiment and preset the latest run. */
function latest(runs: readonly FoundRun[]): FoundRun[] {
  const started = ({ config, folder }: FoundRun) => config?.started ?? folder;
  const groups = groupBy(runs, ({ config, folder }) =>
    config ? `${config.experiment} ${config.preset}` : folder,
  );
  return [...groups.values()].map((same) => same.sort((a, b) => (started(a) < started(b) ? 1 : -1))[0]!);
}
