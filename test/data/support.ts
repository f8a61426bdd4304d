import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { onTestFinished } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import type { RemoteFile, Source } from '../../src/data/locate.ts';

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'collimate-data-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file and the folders that it is in. */
export function put(path: string, contents: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
  return path;
}

/** Bytes that look random and are always the same. */
export const noise = (count: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: count }, (_, i) => Math.imul(i + 1, 2654435761 + 2 * seed) >>> 13);

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An IDX file with the given header fields, valid or not. */
export function idx(shape: readonly number[], data: ArrayLike<number>, type = 8): Uint8Array {
  const file = new Uint8Array(4 + 4 * shape.length + data.length);
  file.set([0, 0, type, shape.length]);
  shape.forEach((size, axis) => {
    new DataView(file.buffer).setUint32(4 + 4 * axis, size);
  });
  file.set(data, 4 + 4 * shape.length);
  return file;
}

export type Entry = Partial<Header> & { name: string; contents?: Uint8Array };

export async function tar(entries: readonly Entry[]): Promise<Uint8Array> {
  const packed = pack();
  for (const { contents, ...header } of entries) {
    if (contents) packed.entry(header, contents);
    else packed.entry(header);
  }
  packed.finalize();
  return buffer(packed as AsyncIterable<Uint8Array> as never);
}

export const tarGz = async (entries: readonly Entry[]): Promise<Uint8Array> => gzipSync(await tar(entries));

/** The files of a small Fashion-MNIST. */
export function fashionFiles(train: number, test: number): Map<string, Uint8Array> {
  const part = (name: string, count: number): [string, Uint8Array][] => [
    [`${name}-images-idx3-ubyte.gz`, gzipSync(idx([count, 28, 28], noise(count * 784)))],
    [
      `${name}-labels-idx1-ubyte.gz`,
      gzipSync(
        idx(
          [count],
          Array.from({ length: count }, (_, i) => i % 10),
        ),
      ),
    ],
  ];
  return new Map([...part('train', train), ...part('t10k', test)]);
}

/** Images in the binary version of CIFAR: labels, then a plane for each channel. */
export function cifarFile(count: number, labels: (i: number) => number[], seed = 1): Uint8Array {
  const records = Array.from({ length: count }, (_, i) => [...labels(i), ...noise(3072, seed + i)]);
  return Uint8Array.from(records.flat());
}

/** CIFAR-10's files, `count` images in each, with labels from 0 to 9. */
export function cifar10Files(count: number): Map<string, Uint8Array> {
  const names = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`).concat('test_batch.bin');
  return new Map(names.map((name, n) => [name, cifarFile(count, (i) => [(n + i) % 10], 100 * n)]));
}

/** A copy of a source with other files. */
export function sourceOf(
  base: Source,
  url: (name: string) => string,
  contents: ReadonlyMap<string, Uint8Array>,
  counts: { train: number; test: number },
): Source {
  const files = base.files.map((file): RemoteFile => {
    const bytes = contents.get(file.name)!;
    return { ...file, url: url(file.name), bytes: bytes.length, sha256: sha256(bytes) };
  });
  return { ...base, ...counts, files };
}

/** Every source that there is. */
export const SOURCES = Object.assign({}, ...Object.values(datasets).map(({ sources }) => sources)) as Record<
  'fashion' | 'cifar10' | 'cifar100' | 'imagenette-160' | 'imagenette-320',
  Source
>;

/** All sources, one of them replaced. */
export const withSource = (name: keyof typeof SOURCES, source: Source) => ({ ...SOURCES, [name]: source });
