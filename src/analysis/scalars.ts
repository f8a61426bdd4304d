import { fold } from './measures/list.ts';
import type { Scalar, Series } from './measures/measure.ts';
import type { NetworkInfo } from './network-info.ts';
import type { Measures, Summary } from './results.ts';
import { modelScalars } from './unconstrained/measures.ts';

/** Every scalar of every measure, by its name in tables and files: what claims, sweeps and their figures speak of. */
export const scalars = fold('scalars');
export type ScalarName = keyof typeof scalars;
export const scalarNames = Object.keys(scalars) as ScalarName[];

/** A scalar by name, where one of the table is chosen at run time. */
export const scalar = (name: ScalarName): Scalar<Summary> => scalars[name];

/** Every scalar of one network. */
export const scalarsOf = (
  measures: Summary,
  network: NetworkInfo,
): Readonly<Record<ScalarName, number | null>> =>
  Object.fromEntries(scalarNames.map((name) => [name, scalar(name).from(measures, network)])) as Record<
    ScalarName,
    number | null
  >;

/** The numbers of each block, or of each length of a path, by their names in tables. */
export const allSeries: Readonly<Record<SeriesName, Series<Measures>>> = fold('series');
export type SeriesName = keyof ReturnType<typeof fold<'series'>>;
export const seriesNames = Object.keys(allSeries) as SeriesName[];

/** How a scalar is shown. */
export type ShownScalar = Pick<Scalar, 'label' | 'log' | 'domain' | 'glance'>;
const everyScalar = { ...scalars, ...modelScalars };
/** The scalars of all kinds of runs. */
export type ShownName = keyof typeof everyScalar;
export const shownNames = Object.keys(everyScalar) as ShownName[];
export const shown = (name: ShownName): ShownScalar => everyScalar[name];
