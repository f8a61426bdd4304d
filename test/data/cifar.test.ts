import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { loadDataset } from '../../src/data/load.ts';
import type { Sources } from '../../src/data/locate.ts';
import {
  cifar10Files,
  cifarFile,
  put,
  SOURCES,
  sourceOf,
  tarGz,
  temporaryFolder,
  withSource,
} from './support.ts';

const EACH = 4;
const BATCHES = 'cifar-10-batches-bin';
const ARCHIVE = 'cifar-10-binary.tar.gz';

const packed = (files: ReadonlyMap<string, Uint8Array>, folder = BATCHES) =>
  tarGz([...files].map(([name, contents]) => ({ name: `${folder}/${name}`, contents })));

let dataDir: string;
let sources: Sources;
const files = cifar10Files(EACH);
beforeEach(async () => {
  dataDir = temporaryFolder();
  const archive = await packed(files);
  put(join(dataDir, 'cifar10', ARCHIVE), archive);
  const counts = { train: 5 * EACH, test: EACH };
  sources = withSource(
    'cifar10',
    sourceOf(SOURCES.cifar10, () => '', new Map([[ARCHIVE, archive]]), counts),
  );
});

/** Replaces the archive with other files. */
async function repack(change: [string, Uint8Array | undefined]) {
  const changed = new Map([...files, change].filter((entry): entry is [string, Uint8Array] => !!entry[1]));
  if (!change[1]) changed.delete(change[0]);
  put(join(dataDir, 'cifar10', ARCHIVE), await packed(changed));
}

test('planes become pixels, batches follow each other, labels stay with their images', async () => {
  const { train, test } = await loadDataset('cifar10', { dataDir, sources });
  expect(train).toMatchObject({
    name: 'cifar10',
    count: 20,
    height: 32,
    width: 32,
    channels: 3,
    classes: 10,
  });
  expect(test).toMatchObject({ name: 'cifar10', count: EACH });
  [...files.values()].forEach((file, batch) => {
    const [part, first] = batch < 5 ? [train, batch * EACH] : [test, 0];
    for (let i = 0; i < EACH; i++) {
      const record = file.subarray(i * 3073, (i + 1) * 3073);
      expect(part.labels[first + i]).toBe(record[0]);
      for (const [y, x, channel] of [
        [0, 0, 0],
        [0, 1, 2],
        [31, 31, 1],
        [17, 5, 0],
      ] as const) {
        const pixel = part.images[(((first + i) * 32 + y) * 32 + x) * 3 + channel];
        expect(pixel).toBe(record[1 + channel * 1024 + y * 32 + x]);
      }
    }
  });
});

test('CIFAR-100 has fine labels, and coarse ones on request', async () => {
  const archive = await packed(
    new Map([
      ['train.bin', cifarFile(6, (i) => [i, 99 - i])],
      ['test.bin', cifarFile(3, (i) => [19 - i, i])],
    ]),
    'cifar-100-binary',
  );
  const name =
    put(join(dataDir, 'cifar100', 'cifar-100-binary.tar.gz'), archive) && 'cifar-100-binary.tar.gz';
  const source = sourceOf(SOURCES.cifar100, () => '', new Map([[name, archive]]), { train: 6, test: 3 });
  const options = { dataDir, sources: withSource('cifar100', source) };
  const fine = await loadDataset('cifar100', options);
  expect(fine.train).toMatchObject({ name: 'cifar100', classes: 100 });
  expect([...fine.train.labels, ...fine.test.labels]).toEqual([99, 98, 97, 96, 95, 94, 0, 1, 2]);
  const coarse = await loadDataset('cifar100', { ...options, superclasses: true });
  expect(coarse.test).toMatchObject({ name: 'cifar100-coarse', classes: 20 });
  expect([...coarse.train.labels, ...coarse.test.labels]).toEqual([0, 1, 2, 3, 4, 5, 19, 18, 17]);
  expect(coarse.train.images).toEqual(fine.train.images);
});

test('an unpacked folder is read, and named as the user’s own', async () => {
  const { train } = await loadDataset('cifar10', { dataDir, sources });
  rmSync(join(dataDir, 'cifar10', ARCHIVE));
  for (const [name, contents] of files) put(join(dataDir, 'cifar10', BATCHES, name), contents);
  const own = await loadDataset('cifar10', { dataDir, sources });
  expect(own.train.name).toBe(`cifar10 (own files, ${join(dataDir, 'cifar10', BATCHES)})`);
  expect(own.train.images).toEqual(train.images);

  const batch = join(dataDir, 'cifar10', BATCHES, 'data_batch_3.bin');
  put(batch, files.get('data_batch_3.bin')!.subarray(0, 5000));
  await expect(loadDataset('cifar10', { dataDir, sources })).rejects.toThrow(
    `${batch} is truncated: expected 12292 bytes, found 5000`,
  );
  renameSync(batch, `${batch}.txt`);
  await expect(loadDataset('cifar10', { dataDir, sources })).rejects.toThrow(`cannot read ${batch}: ENOENT`);
  mkdirSync(batch);
  await expect(loadDataset('cifar10', { dataDir, sources })).rejects.toThrow(batch);
});

test('an archive with other contents is taken, and named so', async () => {
  await repack(['test_batch.bin', cifarFile(EACH, () => [3])]);
  const { test } = await loadDataset('cifar10', { dataDir, sources });
  expect(test.name).toBe(`cifar10 (own files, ${join(dataDir, 'cifar10', ARCHIVE)})`);
  expect([...test.labels]).toEqual([3, 3, 3, 3]);
});

test.each<[string, [string, Uint8Array | undefined], string]>([
  ['a label out of range', ['data_batch_2.bin', cifarFile(EACH, (i) => [9 + i])], 'item 5 has the label 10'],
  [
    'a file cut short',
    ['data_batch_2.bin', new Uint8Array(3073)],
    'is truncated: expected 12292 bytes, found 3073',
  ],
  [
    'a file too long',
    ['data_batch_2.bin', new Uint8Array(20_000)],
    'with 20000 bytes, expected at most 12292',
  ],
  ['a file missing', ['data_batch_4.bin', undefined], `has no ${BATCHES}/data_batch_4.bin in it`],
])('%s is refused', async (_, change, message) => {
  await repack(change);
  await expect(loadDataset('cifar10', { dataDir, sources })).rejects.toThrow(message);
});

test('what is missing is named: the file, its address, the folder and the command', async () => {
  const error = await loadDataset('cifar100', { dataDir: '/no where' }).catch((error) => error);
  expect(error.message).toBe(
    'cifar100 is not there: /no where/cifar100 lacks cifar-100-binary.tar.gz ' +
      '(https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz)',
  );
  expect(error.remedy).toBe(
    "Fetch 160.7 MiB with `npm run data -- fetch cifar100 --data-dir '/no where'`, or put the files into that folder yourself.",
  );
});
