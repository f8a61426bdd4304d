import type { Evidence } from './evidence.ts';
import type { NetworkInfo } from './network-info.ts';
import { fitPowerLaw } from './power-law.ts';
import { correlation, rankCorrelation } from './statistics.ts';

export type CellValue = number | string;
/** Where a run lies on the axes of a sweep; an axis that does not apply to it is left out. */
export type Cell = Readonly<Record<string, CellValue>>;
/** Where to look for runs: at a value of an axis, or between two numbers, both included. */
export type Place = Readonly<Record<string, CellValue | readonly [from: number, to: number]>>;

/** Scalar measures of one network by name; null where undefined. */
export type Scalars<N extends string = string> = Readonly<Partial<Record<N, number | null>>>;
/** Which of a run's networks, and when. */
export type State = 'trained' | 'initialization' | 'control' | 'controlInitialization';

/** What thresholds and presuppositions depend on besides measurements. */
export interface Facts {
  readonly kind: NetworkInfo['kind'];
  /** Of the longest stage. */
  readonly blocks: number;
  /** Number K of leading triples that are compared. */
  readonly triples: number;
  /** Test accuracy from which a network counts as trained, if the dataset has its own. */
  readonly trainedAt?: number | undefined;
  /** Whether it was trained on random labels, which nothing can be predicted from. */
  readonly randomLabels: boolean;
}

/** A run as claims look at it. */
export interface JudgedRun<N extends string = string>
  extends Readonly<Partial<Record<State, Scalars<N> | null>>> {
  readonly cell: Cell;
  readonly seed: number;
  readonly status: 'done' | 'missing' | 'failed';
  /** Complete where a claim depends on them. */
  readonly facts?: Partial<Facts> | undefined;
  readonly validationAccuracy?: number | null;
  readonly course?: readonly { readonly scalars: Scalars<N> }[] | null;
  /** Spread over samples, and what a scalar may be off by; null or undefined if unknown. */
  certainty?(network: State, scalar: N): Pick<Evidence, 'spread' | 'uncertainty'>;
}

/** A number per seed: a scalar of the run at `at`, or something taken from the runs along an axis there. */
export interface Quantity<N extends string = string> {
  readonly scalar: N;
  /** Default: the trained network. */
  readonly network?: 'control' | 'initialization';
  readonly at?: Place;
  /** An axis. Default, for a minimum or maximum: all. */
  readonly over?: string;
  /**
   * Over the runs along `over`: minimum or maximum; slope of its logarithm against the axis's; or the scalar
   * of the run with the best validation accuracy, averaged over all seeds and so the same for each.
   */
  readonly take?: 'min' | 'max' | 'slope' | 'best';
  /** Minus the scalar of the run at this cell. */
  readonly less?: Cell;
  /** Its Pearson correlation with the logarithm of this scalar, over the run's snapshots. */
  readonly withLog?: N;
  /** Its Spearman rank correlation with this scalar, over the runs at `at`. */
  readonly withRank?: N;
}

/** A quantity of one seed. */
export interface Taken<N extends string> {
  readonly value: number | null;
  /** The runs that it was taken from. */
  readonly runs: readonly JudgedRun<N>[];
  /** Points [x, y] of a slope or a correlation. */
  readonly points: readonly (readonly [number, number])[];
  /** Why runs that it takes are missing. */
  readonly lacking?: string | undefined;
}

/** Takes a quantity of one network from each of a seed's runs. */
export function takeFrom<N extends string>(
  { scalar, at = {}, over, take: which, less, withLog, withRank }: Quantity<N>,
  network: State,
  all: readonly JudgedRun<N>[],
  seed: number,
): Taken<N> {
  const looked: (JudgedRun<N> | undefined)[] = [];
  const find = (where: Place) => {
    const run = all.find((one) => one.seed === seed && liesAt(one, where));
    looked.push(run);
    return run;
  };
  const number = (where: Place) => find(where)?.[network]?.[scalar] ?? null;
  const taken = (value: number | null, points: Taken<N>['points'] = [], choice: typeof looked = []) => {
    const needed = [...looked, ...choice];
    return { value, points, runs: looked.filter((run) => run !== undefined), lacking: lackOf(needed) };
  };
  if (withLog) {
    const points = (find(at)?.course ?? []).flatMap(({ scalars }): [number, number][] => {
      const [x, y] = [scalars[scalar], scalars[withLog]];
      return x != null && y != null && y > 0 ? [[x, Math.log(y)]] : [];
    });
    return taken(network === 'trained' ? correlation(points) : null);
  }
  if (withRank) {
    const own = all.filter((run) => run.seed === seed && liesAt(run, at));
    looked.push(...own);
    const points = own.flatMap((run): [number, number][] => {
      const [x, y] = [run[network]?.[withRank], run[network]?.[scalar]];
      return x != null && y != null ? [[x, y]] : [];
    });
    return taken(rankCorrelation(points), points);
  }
  if (less) {
    const [value, other] = [number(at), number(less)];
    return taken(value === null || other === null ? null : value - other);
  }
  if (which === 'min' || which === 'max') {
    const own = all.filter(
      (run) => run.seed === seed && liesAt(run, at) && (over === undefined || over in run.cell),
    );
    looked.push(...own);
    const found = own.map((run) => run[network]?.[scalar] ?? null);
    const whole = found.length > 0 && !found.includes(null);
    return taken(whole ? Math[which](...(found as number[])) : null);
  }
  if (over === undefined) return taken(number(at));
  const along = all.filter((run) => liesAt(run, at) && over in run.cell);
  const values = [...new Set(along.map((run) => run.cell[over]!))];
  const there = (value: CellValue) => number({ ...at, [over]: value });
  if (which === 'best') {
    const value = best(along, over, values);
    const missing = along.filter(({ status }) => status === 'missing');
    return taken(value === undefined ? null : there(value), [], missing);
  }
  const points = values.flatMap((x): [number, number][] => {
    const y = there(x);
    return typeof x === 'number' && y !== null ? [[x, y]] : [];
  });
  return taken(fitPowerLaw(points)?.slope ?? null, points);
}

/** Whether a run lies at a place on the axes. */
export const liesAt = ({ cell }: Pick<JudgedRun, 'cell'>, where: Place): boolean =>
  Object.entries(where).every(([axis, place]) => {
    const value = cell[axis];
    return typeof place === 'object'
      ? Number(value) >= place[0] && Number(value) <= place[1]
      : value === place;
  });

/** Why runs that a quantity takes are missing, if any are. */
function lackOf(runs: readonly (Pick<JudgedRun, 'status'> | undefined)[]): string | undefined {
  const lacking = runs.filter((run) => run?.status !== 'done');
  if (lacking.length === 0) return undefined;
  if (lacking.every((run) => run === undefined)) return 'the preset has no such run';
  return lacking.every((run) => run?.status === 'failed') ? 'a run failed' : 'a run is missing';
}

/** The axis value with the greatest mean validation accuracy; a run that diverged has learned nothing. */
function best(runs: readonly JudgedRun[], axis: string, values: readonly CellValue[]): CellValue | undefined {
  const accuracies = values.map((value) => {
    const own = runs.filter((run) => run.cell[axis] === value);
    return own.reduce((sum, run) => sum + (run.validationAccuracy ?? 0), 0) / own.length;
  });
  const greatest = Math.max(...accuracies);
  return greatest > 0 ? values[accuracies.indexOf(greatest)] : undefined;
}
