import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CollimateError, unreadable } from '../errors.ts';
import { readArchive } from './archive.ts';
import { type Dataset, type DatasetSplit, type ImageDataset, ownName, squareImages } from './dataset.ts';
import { findFile, inArchive, type RemoteFile, type Store } from './locate.ts';

const SIDE = 32;
const CHANNELS = 3;
const PLANE = SIDE * SIDE;
const PIXELS = CHANNELS * PLANE;

/** How the binary version of a set is laid out (https://www.cs.toronto.edu/~kriz/cifar.html). */
interface Layout {
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** Each image's pixels follow this many labels. */
  readonly labels: number;
  /** Which label counts, and its number of classes. */
  readonly label: number;
  readonly classes: number;
}

const facts = { images: 50_000, test: 10_000, side: SIDE, channels: CHANNELS };

/** CIFAR-10 (Krizhevsky, 2009). Checksums and sizes are those of the same files in TensorFlow Datasets. */
export const cifar10: Dataset = {
  title: 'CIFAR-10',
  ...facts,
  ...{ classes: 10, trainedAt: 0.45 },
  sources: {
    cifar10: inArchive(facts, {
      folder: 'cifar10',
      url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
      bytes: 170_052_171,
      sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
      unpacked: 'cifar-10-batches-bin',
    }),
  },
  load: (_, place) =>
    readCifar('cifar10', place, {
      train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`),
      test: ['test_batch.bin'],
      ...{ labels: 1, label: 0, classes: 10 },
    }),
};

/** CIFAR-100, or with its 20 superclasses for labels. */
export const cifar100: Dataset = {
  title: 'CIFAR-100',
  ...facts,
  ...{ classes: 100, superclasses: 20, trainedAt: 0.2 },
  settings: ['superclasses'],
  sources: {
    cifar100: inArchive(facts, {
      folder: 'cifar100',
      url: 'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
      bytes: 168_513_733,
      sha256: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
      unpacked: 'cifar-100-binary',
    }),
  },
  load({ superclasses }, place) {
    const files = { train: ['train.bin'], test: ['test.bin'], labels: 2 };
    return superclasses
      ? readCifar('cifar100-coarse', place, { ...files, label: 0, classes: 20 })
      : readCifar('cifar100', place, { ...files, label: 1, classes: 100 });
  },
};

/** Reads CIFAR-10 or -100 from the published archive or from the folder that it unpacks to. */
async function readCifar(name: string, { folder, source }: Store, layout: Layout): Promise<DatasetSplit> {
  const [archive] = source.files;
  const path = findFile(folder, archive!)!;
  const sizes = new Map(
    (['train', 'test'] as const).flatMap((part) => {
      const { length } = layout[part];
      return layout[part].map((file) => [file, (source[part] / length) * (layout.labels + PIXELS)] as const);
    }),
  );
  const { contents, published } = await readFiles(path, archive!, sizes);
  const shown = published ? name : ownName(name, path);
  const part = (files: readonly string[]) =>
    decode(
      shown,
      layout,
      files.map((file) => contents.get(file)!),
    );
  return { train: part(layout.train), test: part(layout.test) };
}

const FETCH_AGAIN = 'Remove the data and fetch them again: they are damaged, or not what their name says.';

/** Files of given sizes from the archive or the folder that it unpacks to. */
async function readFiles(path: string, { unpacked, sha256 }: RemoteFile, sizes: Map<string, number>) {
  const room = (name: string) => (name.startsWith(`${unpacked}/`) ? sizes.get(basename(name)) : undefined);
  const packed = (await stat(path)).isDirectory() ? undefined : await readArchive(path, room);
  const contents = new Map<string, Uint8Array>();
  for (const [file, bytes] of sizes) {
    const what = packed ? `${unpacked}/${file} in ${path}` : join(path, file);
    const found = packed ? packed.files.get(`${unpacked}/${file}`) : await readOf(what, bytes);
    if (!found) throw new CollimateError(`${path} has no ${unpacked}/${file} in it`, FETCH_AGAIN);
    if (found.length !== bytes) {
      const trouble = found.length < bytes ? 'is truncated' : 'is too long';
      const sides = `expected ${bytes} bytes, found ${found.length}`;
      throw new CollimateError(`${what} ${trouble}: ${sides}`, FETCH_AGAIN);
    }
    contents.set(file, found as Uint8Array);
  }
  return { contents, published: packed?.sha256 === sha256 };
}

/** A file, or its actual size if that differs. */
async function readOf(path: string, bytes: number): Promise<Uint8Array | { readonly length: number }> {
  try {
    const { size } = await stat(path);
    return size === bytes ? await readFile(path) : { length: size };
  } catch (cause) {
    throw unreadable(path, cause, FETCH_AGAIN);
  }
}

/** Splits records into labels and pixels, with planes of channels interleaved. */
function decode(name: string, layout: Layout, files: readonly Uint8Array[]): ImageDataset {
  const { labels: labelBytes, label, classes } = layout;
  const count = files.reduce((sum, { length }) => sum + length, 0) / (labelBytes + PIXELS);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  let n = 0;
  for (const file of files) {
    for (let record = 0; record < file.length; record += labelBytes + PIXELS, n++) {
      labels[n] = file[record + label]!;
      for (let channel = 0; channel < CHANNELS; channel++) {
        const plane = record + labelBytes + channel * PLANE;
        let to = n * PIXELS + channel;
        for (let pixel = 0; pixel < PLANE; pixel++, to += CHANNELS) images[to] = file[plane + pixel]!;
      }
    }
  }
  return squareImages({ images, labels }, { name, side: SIDE, channels: CHANNELS, classes });
}
