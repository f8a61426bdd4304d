import { type DatasetName, datasets } from '../data/datasets.ts';
import { models, networks } from '../models/networks.ts';
import { type Experiment, experimentOn } from './experiment.ts';

const all = (Object.keys(datasets) as DatasetName[]).flatMap((dataset) =>
  models
    .filter((model) => !!networks[model].text === (datasets[dataset].length !== undefined))
    .map((model) => experimentOn(dataset, model)),
);

/** A table by names, in order. */
export const byName = <T extends { readonly name: string }>(
  list: readonly T[],
): Readonly<Record<string, T>> =>
  Object.assign(
    Object.create(null), // `constructor` is the name of none
    Object.fromEntries(list.map((one) => [one.name, one])),
  );

/** All experiments by name: each kind of network on each dataset that it can read. */
export const catalog: Readonly<Record<string, Experiment>> = byName(all);
