import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeEach, expect, test } from 'vitest';
import { loadDataset } from '../../src/data/load.ts';
import { packageVersion } from '../../src/host/packages.ts';
import { put, SOURCES, sourceOf, tarGz, temporaryFolder, withSource } from './support.ts';

const FOLDER = 'imagenette2-160';
const ARCHIVE = `${FOLDER}.tgz`;
/** Class folders, and the colour of their images. */
const COLOURS: Record<string, [number, number, number]> = {
  n01: [200, 40, 40],
  n02: [40, 200, 40],
  n03: [40, 40, 200],
};

const jpeg = (width: number, height: number, [r, g, b]: readonly number[]) =>
  sharp({ create: { width, height, channels: 3, background: { r: r!, g: g!, b: b! } } })
    .jpeg({ quality: 95 })
    .toBuffer();

let dataDir: string;
let images: Map<string, Uint8Array>;
const said: string[] = [];
const load = (options: Parameters<typeof loadDataset>[1] = {}) =>
  loadDataset('imagenette', { dataDir, size: 16, say: (message) => said.push(message), ...options });

beforeEach(async () => {
  said.length = 0;
  dataDir = temporaryFolder();
  images = new Map();
  for (const [name, colour] of Object.entries(COLOURS)) {
    for (const i of [0, 1, 2]) images.set(`train/${name}/${i}.JPEG`, await jpeg(20 + i, 40 - i, colour));
    images.set(`val/${name}/0.JPEG`, await jpeg(40, 20, colour));
  }
});

/** Puts the images into a folder. */
function unpack(): string {
  const folder = join(dataDir, 'imagenette', FOLDER);
  for (const [name, contents] of images) put(join(folder, name), contents);
  return folder;
}

const kept = () =>
  readdirSync(join(dataDir, 'imagenette')).filter((name) => name !== FOLDER && name !== ARCHIVE);

test('images are cut to squares, labelled by their folders and mixed', async () => {
  const folder = unpack();
  put(join(folder, 'train/n01/readme.txt'), 'no image');
  put(join(folder, 'train/n01/._0.JPEG'), 'no image');
  const { train, test } = await load();
  expect(train).toMatchObject({ count: 9, height: 16, width: 16, channels: 3, classes: 3 });
  expect(train.name).toBe(`${FOLDER}, 16×16 (own files, ${folder})`);
  expect(test.count).toBe(3);
  for (const { images, labels, count } of [train, test]) {
    for (let i = 0; i < count; i++) {
      const colour = Object.values(COLOURS)[labels[i]!]!;
      for (const [k, value] of images.subarray(i * 768, (i + 1) * 768).entries()) {
        expect(Math.abs(value - colour[k % 3]!)).toBeLessThan(4);
      }
    }
  }
  expect([...train.labels].toSorted()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  expect([...train.labels]).not.toEqual([...train.labels].toSorted());
});

test('images of other formats, of any case and in folders below are read, and what is none is named', async () => {
  const { n01, n02, n03 } = COLOURS;
  const of = (colour: readonly number[] | undefined) => {
    const [r, g, b] = colour as [number, number, number];
    return sharp({ create: { width: 30, height: 20, channels: 3, background: { r, g, b } } });
  };
  images.clear();
  for (const part of ['train', 'val']) {
    images.set(`${part}/n01/0.PNG`, await of(n01).png().toBuffer());
    images.set(`${part}/n02/deep/er/0.webp`, await of(n02).webp({ lossless: true }).toBuffer());
    images.set(`${part}/n03/0.jpg`, await of(n03).jpeg({ quality: 95 }).toBuffer());
    images.set(`${part}/n03/1.Tiff`, await of(n03).tiff().toBuffer());
  }
  images.set('train/n01/list.txt', Buffer.from('no image'));
  images.set('train/n01/1.bmp', Buffer.from('BM'));
  images.set('train/loose.png', images.get('train/n01/0.PNG')!);
  images.set('train/n01/.DS_Store', Buffer.from(''));
  const folder = unpack();
  symlinkSync('..', join(folder, 'train/n01/round'));
  const { train, test } = await load();
  expect([train.classes, train.count, test.count]).toEqual([3, 4, 4]);
  for (let i = 0; i < 4; i++) {
    const colour = Object.values(COLOURS)[train.labels[i]!]!;
    for (const k of [0, 1, 2]) expect(Math.abs(train.images[768 * i + k]! - colour[k]!)).toBeLessThan(4);
  }
  expect(said).toEqual([
    `note: ${folder} has 3 files that are not supported images, such as train/loose.png; skipped`,
  ]);
});

test('the shorter side is resized and the longer one cut in the middle', async () => {
  const pixels = new Uint8Array(64 * 32 * 3).map((_, i) =>
    (i / 3) % 64 >= 16 && (i / 3) % 64 < 48 ? 255 : 0,
  );
  const wide = await sharp(pixels, { raw: { width: 64, height: 32, channels: 3 } })
    .jpeg({ quality: 100 })
    .toBuffer();
  for (const name of images.keys()) images.set(name, wide);
  unpack();
  const { train } = await load();
  expect(train.images.every((value) => value > 200)).toBe(true); // the black sides are gone
  rmSync(join(dataDir, 'imagenette'), { recursive: true });
  const tall = await sharp(pixels, { raw: { width: 64, height: 32, channels: 3 } })
    .rotate(90)
    .jpeg()
    .toBuffer();
  for (const name of images.keys()) images.set(name, tall);
  unpack();
  expect((await load()).train.images.every((value) => value > 200)).toBe(true);
});

test('grey images get three equal channels', async () => {
  for (const name of images.keys())
    images.set(name, await sharp(images.get(name)).greyscale().jpeg().toBuffer());
  unpack();
  const { train } = await load();
  expect(train.images.length).toBe(9 * 768);
  for (let i = 0; i < train.images.length; i += 3) expect(train.images[i]).toBe(train.images[i + 1]);
});

test('the archive and the folder that it unpacks to give the same images', async () => {
  const entries = [...images].reverse().map(([name, contents]) => ({ name: `${FOLDER}/${name}`, contents }));
  const archive = await tarGz([{ name: FOLDER, type: 'directory' }, ...entries]);
  put(join(dataDir, 'imagenette', ARCHIVE), archive);
  const counts = { train: 9, test: 3 };
  const source = sourceOf(SOURCES['imagenette-160'], () => '', new Map([[ARCHIVE, archive]]), counts);
  const packed = await load({ sources: withSource('imagenette-160', source) });
  expect(packed.train.name).toBe(`${FOLDER}, 16×16`);
  expect((await load()).train.name).toContain('own files'); // not what is published
  rmSync(join(dataDir, 'imagenette', ARCHIVE));
  unpack();
  const unpacked = await load();
  expect(unpacked.train.images).toEqual(packed.train.images);
  expect(unpacked.test.labels).toEqual(packed.test.labels);
});

test('pixels are kept, and decoded anew when the size or an image has changed', async () => {
  const folder = unpack();
  let decoded = 0;
  const again = (size = 16) => load({ size, onDecode: () => decoded++ });
  const first = await again();
  expect(decoded).toBe(12);
  const second = await again();
  expect(decoded).toBe(12);
  expect(second).toEqual(first);

  await again(8);
  expect(decoded).toBe(24);
  expect(kept()).toHaveLength(2);

  images.set('train/n02/1.JPEG', await jpeg(30, 30, [255, 255, 255]));
  unpack();
  utimesSync(join(folder, 'train/n02/1.JPEG'), 1, 1);
  const changed = await again();
  expect(decoded).toBe(36);
  expect(changed.train.images).not.toEqual(first.train.images);
  expect(kept()).toHaveLength(2); // those of before are gone

  const [file] = kept().filter((name) => name.includes('16px'));
  const path = join(dataDir, 'imagenette', file!);
  writeFileSync(path, 'half');
  expect(await again()).toEqual(changed);
  expect(decoded).toBe(48);
  // A bit of the header, of a pixel, of a label, of the checksum
  const { length } = readFileSync(path);
  for (const [n, at] of [0, 100, 12 + 9 * 768 + 3, length - 1].entries()) {
    const damaged = readFileSync(path);
    damaged[at]! ^= 1;
    writeFileSync(path, damaged);
    expect(await again()).toEqual(changed);
    expect(decoded).toBe(60 + 12 * n);
  }
  expect(said).toEqual([]);
});

test('pixels are kept for the version of sharp that decoded them', () => {
  expect(packageVersion('sharp')).toBe(sharp.versions.sharp);
});

test('where pixels cannot be kept, that is said, and nothing half-written stays', async () => {
  const folder = unpack();
  const { train } = await load();
  const [file] = kept();
  rmSync(join(dataDir, 'imagenette', file!));
  mkdirSync(join(dataDir, 'imagenette', file!)); // a folder is in the way
  expect((await load()).train.images).toEqual(train.images);
  expect(said[0]).toMatch(new RegExp(`^note: cannot save the decoded images in .*${file}`));
  expect(kept()).toEqual([file]);
  expect(statSync(folder).isDirectory()).toBe(true);
});

test.each<[string, () => unknown, string]>([
  [
    'a damaged image',
    () => images.set('train/n02/1.JPEG', images.get('train/n02/1.JPEG')!.subarray(0, -20)),
    'the image train/n02/1.JPEG in',
  ],
  ['no image', () => images.set('val/n03/0.JPEG', Buffer.from('GIF89a')), 'the image val/n03/0.JPEG in'],
  [
    'a class without training images',
    () => images.set('val/n04/0.JPEG', images.get('val/n03/0.JPEG')!),
    'has val/n04 but no train/n04',
  ],
  [
    'no test images',
    () => [...images.keys()].filter((name) => name.startsWith('val')).map((name) => images.delete(name)),
    'has no images to test on',
  ],
  ['nothing', () => images.clear(), 'has images of 0 classes'],
  [
    'a class in a format that is not read',
    () => {
      for (const i of [0, 1, 2]) {
        images.delete(`train/n03/${i}.JPEG`);
        images.set(`train/n03/${i}.bmp`, Buffer.from('BM'));
      }
    },
    'has no supported image in train/n03: it has 3 other files, such as train/n03/0.bmp',
  ],
  [
    'a broken link',
    () => {
      mkdirSync(join(unpack(), 'train/n01'), { recursive: true });
      symlinkSync('nowhere', join(dataDir, 'imagenette', FOLDER, 'train/n01/9.JPEG'));
    },
    'train/n01/9.JPEG is a broken link',
  ],
])('%s is refused and named', async (_, change, message) => {
  change();
  mkdirSync(unpack(), { recursive: true });
  await expect(load()).rejects.toThrow(message);
  expect(kept()).toEqual([]);
});

test('sizes out of range are refused; larger ones come from the larger images', async () => {
  unpack();
  await expect(load({ size: 4 })).rejects.toThrow('cannot resize images to 4 pixels a side');
  await expect(load({ size: 200 })).rejects.toThrow('imagenette-320 is not there');
});
