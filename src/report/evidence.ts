import type { Property } from '../analysis/evidence.ts';
import type { Collection, FoundRun, FoundSweep, FoundTheory } from './collection.ts';
import { groupBy } from './numbers.ts';
import { type PaperClaim, paperClaims } from './paper-claims.ts';
import type { Verdict } from './parts.ts';
import { type Shown, together } from './verdicts.ts';

/** What was measured of one claim of the paper. */
export interface Gathered {
  readonly claim: PaperClaim;
  readonly verdict: Verdict;
  /** The most telling one first, each with its source. */
  readonly judged: readonly Shown[];
  /** Those of `judged` that come from sweeps, in that order. */
  readonly sweeps: readonly FoundSweep[];
  /** The optimization of the theory's model, where it speaks to the claim. */
  readonly theory: readonly FoundTheory[];
  /** Whether it comes from single runs, for want of sweeps. */
  readonly single: boolean;
}

/** The evidence for each claim of the paper: that of sweeps and of the theory, or where there is none that of single runs. */
export function gather(found: Collection): Gathered[] {
  const best = bestPresets(found.sweeps);
  return paperClaims.map((claim) => {
    const rank = ({ record }: FoundSweep) => {
      const place = claim.sweeps.indexOf(record.name);
      return place < 0 ? claim.sweeps.length : place;
    };
    const sweeps = best
      .filter((sweep) => sweep.claims.some((c) => c.property === claim.property))
      .sort((a, b) => rank(a) - rank(b));
    const theory = bestTheory(found.theory).filter((t) =>
      t.claims.some((c) => c.property === claim.property),
    );
    const over = [...sweeps, ...theory].flatMap((source) => of(source, claim.property));
    const judged = over.length > 0 ? over : latest(found.runs).flatMap((run) => of(run, claim.property));
    return {
      claim,
      sweeps,
      theory,
      judged,
      verdict: together(judged),
      single: over.length === 0 && judged.length > 0,
    };
  });
}

const of = (source: FoundSweep | FoundRun | FoundTheory, property: Property): Shown[] =>
  source.claims
    .filter((c) => c.property === property)
    .map((c) => ({ ...c, source: [{ text: source.name, to: `${source.folder}/report.html` }] }));

const presets = ['paper', 'quick', 'smoke'];
const rankOf = (preset: string): number => presets.indexOf(preset) + (presets.includes(preset) ? 0 : 3);

/** Of each sweep its longest preset that has been judged: a short one that fails says nothing against a long one. */
function bestPresets(sweeps: readonly FoundSweep[]): FoundSweep[] {
  const order = (a: FoundSweep, b: FoundSweep) =>
    Number(!isJudged(a)) - Number(!isJudged(b)) || rankOf(a.record.preset) - rankOf(b.record.preset);
  return [...groupBy(sweeps, ({ record }) => record.name).values()].map((same) => same.sort(order)[0]!);
}

const bestTheory = (theory: readonly FoundTheory[]): FoundTheory[] =>
  [...theory]
    .sort((a, b) => rankOf(a.folder.split('/').at(-1)!) - rankOf(b.folder.split('/').at(-1)!))
    .slice(0, 1);

const isJudged = ({ claims }: FoundSweep): boolean => claims.some((c) => c.verdict !== 'not measurable');

/** Of each experiment and preset the latest run. */
function latest(runs: readonly FoundRun[]): FoundRun[] {
  const started = ({ config, folder }: FoundRun) => config?.started ?? folder;
  const groups = groupBy(runs, ({ config, folder }) =>
    config ? `${config.experiment} ${config.preset}` : folder,
  );
  return [...groups.values()].map((same) => same.sort((a, b) => (started(a) < started(b) ? 1 : -1))[0]!);
}
