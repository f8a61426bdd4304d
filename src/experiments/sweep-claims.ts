import { fitPowerLaw } from '../analysis/power-law.ts';
import type { Claim } from '../analysis/results.ts';
import type { ScalarName } from '../analysis/scalars.ts';
import { spreadOf } from '../analysis/summary.ts';
import { verdictOn, verdictOnAll } from '../analysis/verdict.ts';
import type { Cell, CellValue, ClaimProperty, SweepClaim, SweepRun } from './sweep-results.ts';

/** A network of each run. */
export type Moment = 'trained' | 'initialization' | 'control';

/** A claim over the runs of a sweep, as data. Thresholds are ours. */
export interface ClaimSpec {
  readonly property: ClaimProperty;
  readonly id: string;
  readonly title: string;
  readonly measure: string;
  readonly comparison: SweepClaim['comparison'];
  readonly threshold: SweepClaim['threshold'];
  /** The value of one seed; the same is taken at initialization and in the controls. */
  readonly of: (runs: SeedRuns) => number | null;
  /** Points [x, y] of one seed, where the value is the slope through their logarithms: its interval is that of all seeds' points. */
  readonly points?: (runs: SeedRuns) => [number, number][];
  /** What it is compared with, where that is no control of the same runs. */
  readonly control?: { readonly label: string; readonly of: (runs: SeedRuns) => number | null };
}

/** The runs of one seed, in which a claim looks up its numbers; it notes which of them are not there. */
export class SeedRuns {
  readonly #all: readonly SweepRun[];
  readonly #seed: number;
  readonly #moment: Moment;
  /** Whether a run that was asked for is not there. */
  incomplete = false;

  constructor(all: readonly SweepRun[], seed: number, moment: Moment) {
    this.#all = all;
    this.#seed = seed;
    this.#moment = moment;
  }

  /** A measure of the run that lies at `where`. */
  get(name: ScalarName, where: Cell = {}): number | null {
    return this.#find(where)?.[this.#moment]?.[name] ?? null;
  }

  #find(where: Cell): SweepRun | undefined {
    const run = this.#all.find((run) => run.seed === this.#seed && liesAt(run, where));
    if (run?.status !== 'done') this.incomplete = true;
    return run;
  }

  /** The values of an axis among runs at `where`, in their order. */
  values(axis: string, where: Cell = {}): CellValue[] {
    const own = this.#all.filter((run) => liesAt(run, where) && axis in run.cell);
    return [...new Set(own.map((run) => run.cell[axis]!))];
  }

  /** [value, measure] over the numbers of an axis; those without a measure are left out. */
  over(axis: string, name: ScalarName, where: Cell = {}): [number, number][] {
    return this.values(axis, where).flatMap((value): [number, number][] => {
      const y = this.get(name, { ...where, [axis]: value });
      return typeof value === 'number' && y !== null ? [[value, y]] : [];
    });
  }

  /** Least of a measure over an axis, among numbers on it from `from` on; null where one of them is undefined. */
  least(axis: string, name: ScalarName, where: Cell = {}, from?: number): number | null {
    const values = this.values(axis, where).filter((value) => from === undefined || Number(value) >= from);
    const all = values.map((value) => this.get(name, { ...where, [axis]: value }));
    const known = all.filter((x) => x !== null);
    return known.length === all.length && known.length > 0 ? Math.min(...known) : null;
  }

  /** Pearson's correlation over the moments of one run between a measure and the logarithm of another. */
  correlationWithLog(name: ScalarName, logOf: ScalarName, where: Cell = {}): number | null {
    const run = this.#find(where);
    const points = (run?.course ?? []).flatMap(({ scalars }): [number, number][] => {
      const [x, y] = [scalars[name], scalars[logOf]];
      return x !== null && y !== null && y > 0 ? [[x, Math.log(y)]] : [];
    });
    return this.#moment === 'trained' ? correlation(points) : null;
  }

  /** The value of an axis at which validation accuracy, meaned over all seeds, is greatest: the same for every seed. */
  best(axis: string, where: Cell = {}): CellValue | null {
    let best: { value: CellValue; accuracy: number } | null = null;
    for (const value of this.values(axis, where)) {
      const runs = this.#all.filter((run) => liesAt(run, { ...where, [axis]: value }));
      if (runs.some((run) => run.status === 'missing')) this.incomplete = true;
      // A run that diverged has learned nothing.
      const accuracy = runs.reduce((sum, run) => sum + (run.validationAccuracy ?? 0), 0) / runs.length;
      if (!best || accuracy > best.accuracy) best = { value, accuracy };
    }
    return best && best.accuracy > 0 ? best.value : null;
  }
}

/** Null where there are fewer than three points, or one coordinate does not vary. */
function correlation(points: readonly (readonly [number, number])[]): number | null {
  const centred = ([0, 1] as const).map((axis) => {
    const mean = points.reduce((sum, p) => sum + p[axis], 0) / points.length;
    return points.map((p) => p[axis] - mean);
  });
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const [x, y] = centred as [number[], number[]];
  // Of a constant, rounding is left.
  const varies = ([0, 1] as const).every((axis) => {
    const energy = points.reduce((sum, p) => sum + p[axis] ** 2, 0);
    return dot(centred[axis]!, centred[axis]!) > 1e-24 * energy;
  });
  return points.length >= 3 && varies ? dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)) : null;
}

const liesAt = (run: SweepRun, where: Cell): boolean =>
  Object.entries(where).every(([axis, value]) => run.cell[axis] === value);

/** Judges a claim over seeds. */
export function judgeClaim(spec: ClaimSpec, runs: readonly SweepRun[], seeds: readonly number[]): SweepClaim {
  const { of, points, control, ...words } = spec;
  const each = (moment: Moment, value = of) =>
    seeds.map((seed) => {
      const own = new SeedRuns(runs, seed, moment);
      const found = value(own);
      return { value: found, incomplete: own.incomplete };
    });
  const trained = each('trained');
  const values = trained.map(({ value }) => value);
  const mean = (moment: Moment, value = of) => spreadOf(each(moment, value).map((v) => v.value)).mean;
  const fit = points && fitPowerLaw(seeds.flatMap((seed) => points(new SeedRuns(runs, seed, 'trained'))));
  return {
    ...words,
    ...verdict(
      spec,
      values,
      trained.some(({ incomplete }) => incomplete),
    ),
    ...(fit?.interval && { interval: fit.interval }),
    atInitialization: mean('initialization'),
    control: control ? mean('trained', control.of) : mean('control'),
    ...(control && { controlLabel: control.label }),
  };
}

/** The claims of single runs, joined over the seeds at one point. */
export function joinRunClaims(runs: readonly SweepRun[], where: Cell): SweepClaim[] {
  const own = runs.filter((run) => liesAt(run, where));
  const first = own.find((run) => run.claims.length > 0);
  const incomplete = own.some((run) => run.status !== 'done');
  return (first?.claims ?? []).map(({ property, id, title, measure, comparison, threshold }) => {
    const same = own.map((run) => run.claims.find((claim) => claim.id === id));
    const mean = (pick: (claim: Claim) => number | null) =>
      spreadOf(same.map((claim) => (claim ? pick(claim) : null))).mean;
    const words = { id, title, measure, comparison, threshold };
    return {
      property: id.startsWith('control-') && property !== 'training' ? 'no-skip' : property,
      ...words,
      ...verdict(
        words,
        same.map((claim) => claim?.value ?? null),
        incomplete,
        same.map((claim) => claim?.holds ?? null),
      ),
      atInitialization: mean((claim) => claim.atInitialization),
      control: mean((claim) => claim.control),
    };
  });
}

function verdict(
  { comparison, threshold }: Pick<SweepClaim, 'comparison' | 'threshold'>,
  values: readonly (number | null)[],
  incomplete: boolean,
  verdicts = values.map((value) => verdictOn(value, comparison, threshold)),
): Pick<SweepClaim, 'values' | 'value' | 'spread' | 'seedsHolding' | 'holds' | 'incomplete'> {
  const { mean, std } = spreadOf(values);
  return {
    values,
    value: mean,
    spread: std,
    seedsHolding: verdicts.filter((holds) => holds).length,
    holds: incomplete ? null : verdictOnAll(verdicts),
    incomplete,
  };
}

/** The slope through logarithms over an axis, among runs at `where` with values in a range: what a {@link ClaimSpec} of it takes. */
export const slopeOver = (
  axis: string,
  name: ScalarName,
  where: Cell = {},
  [least, most]: readonly [number, number] = [0, Number.POSITIVE_INFINITY],
): Required<Pick<ClaimSpec, 'of' | 'points'>> => {
  const points = (runs: SeedRuns) => runs.over(axis, name, where).filter(([x]) => x >= least && x <= most);
  return { points, of: (runs) => fitPowerLaw(points(runs))?.slope ?? null };
};
