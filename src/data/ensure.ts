import { formatBytes } from '../gpu/failures.ts';
import { type FetchOptions, fetchFiles } from './fetch.ts';
import { type DatasetName, type DatasetOptions, sourceOf } from './load.ts';
import { locate, packagedFashion } from './locate.ts';

/** Fetches what a dataset lacks, after saying so. Does nothing, and reaches for no network, where all is there. */
export async function ensureDataset(
  name: DatasetName,
  options: DatasetOptions & FetchOptions = {},
): Promise<void> {
  const source = sourceOf(name, options);
  if (!source) return;
  const place = locate(source, options);
  if (place.lacking.length === 0 || packagedFashion(place)) return;
  const { say = console.error } = options;
  const bytes = place.lacking.reduce((sum, file) => sum + file.bytes, 0);
  const { host } = new URL(place.lacking[0]!.url);
  say(`${source} is not in ${place.folder}: fetching ${formatBytes(bytes)} from ${host}`);
  await fetchFiles(place, options);
}
