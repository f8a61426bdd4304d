import { fold } from './measures/list.ts';
import type { Scalar, Series } from './measures/measure.ts';
import type { NetworkInfo } from './network-info.ts';
import { all, type Measures, type Summary } from './results.ts';
import { modelScalars } from './unconstrained/measures.ts';

/** Every scalar of every measure, by the name that tables, files, claims and sweeps use. */
export const scalars = fold('scalars');
export type ScalarName = keyof typeof scalars;
export const scalarNames = Object.keys(scalars) as ScalarName[];

/** A scalar by a name chosen at run time. */
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

/** Numbers of each block, or of each path length, by their names in tables. */
export const series: Readonly<Record<string, Series<Measures>>> = Object.fromEntries(
  all.flatMap(({ sample = {}, summary = {}, series: own = {} }) => [
    ...Object.entries(own),
    ...[...Object.entries(sample), ...Object.entries(summary)].flatMap(([name, { series: named }]) => {
      const from = ({ summary }: Measures) => summary[name as 'sigma1'];
      return named ? [[name, { ...named, from }] as const] : [];
    }),
  ]),
);

/** How a scalar is shown. */
export type ShownScalar = Pick<Scalar, 'label' | 'log' | 'domain' | 'glance'>;
const everyScalar = { ...scalars, ...modelScalars };
/** The scalars of all kinds of runs. */
export type ShownName = keyof typeof everyScalar;
export const shownNames = Object.keys(everyScalar) as ShownName[];
export const shown = (name: ShownName): ShownScalar => everyScalar[name];
