import { type DatasetName, datasets } from '../data/datasets.ts';
import { models } from '../models/networks.ts';
import { type Experiment, experimentOn } from './experiment.ts';

const all = (Object.keys(datasets) as DatasetName[]).flatMap((dataset) =>
  models.map((model) => experimentOn(dataset, model)),
);

/** All experiments by name: each kind of network on each dataset. */
export const catalog: Readonly<Record<string, Experiment>> = Object.assign(
  Object.create(null), // `constructor` is the name of none
  Object.fromEntries(all.map((e) => [e.name, e])),
);
