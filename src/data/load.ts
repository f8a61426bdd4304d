import type { DatasetOptions, DatasetSplit } from './dataset.ts';
import { type DatasetName, datasets } from './datasets.ts';
import { locate, missing, type Store } from './locate.ts';

/** Where the files of a dataset belong; undefined if it is not fetched. */
export function storeOf(name: DatasetName, options: DatasetOptions): Store | undefined {
  const { sources, sourceFor } = datasets[name];
  const chosen = options.source ?? sourceFor?.(options) ?? Object.keys(sources)[0];
  return chosen === undefined ? undefined : locate(chosen, sources[chosen]!, options);
}

/**
 * Loads a dataset from this machine's files; docs/data.md says where they are sought. Unpublished files of
 * the right form are accepted, and the dataset's name then says so.
 * @throws CollimateError if the dataset is missing, damaged or of another form
 */
export async function loadDataset(name: DatasetName, options: DatasetOptions = {}): Promise<DatasetSplit> {
  const place = storeOf(name, options);
  if (place && place.lacking.length > 0) throw missing(place, options);
  return datasets[name].load(options, place!); // Only datasets with sources use it.
}
