import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeFolders, temporaryFor } from '../atomic-write.ts';

/** Images as consecutive bytes, and their labels. */
export interface Part {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

type Parts = readonly [train: Part, test: Part];

/** Three u32: how many classes, and images in each part. Then images, labels, and the SHA-256 of it all. */
const HEADER_BYTES = 12;
const CHECKSUM_BYTES = 32;
const CHUNK = 2 ** 26;

/** Pixels that {@link keepPixels} kept; undefined if there are none, or the file is altered or broken. */
export async function readPixels(
  path: string,
  imageBytes: number,
): Promise<{ classes: number; parts: Parts } | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { size } = await file.stat();
    const header = await readBytes(file, HEADER_BYTES);
    const [classes, train, test] = new Uint32Array(header.buffer) as unknown as [number, number, number];
    if (size !== HEADER_BYTES + (train + test) * (imageBytes + 1) + CHECKSUM_BYTES) return undefined;
    const part = async (from: FileHandle, count: number): Promise<Part> => ({
      images: await readBytes(from, count * imageBytes),
      labels: await readBytes(from, count),
    });
    const parts = [await part(file, train), await part(file, test)] as const;
    const expected = [...summed(chunks(classes, parts))].at(-1) as Buffer;
    return expected.equals(await readBytes(file, CHECKSUM_BYTES)) ? { classes, parts } : undefined;
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

async function readBytes(file: FileHandle, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(CHUNK, count - at), null);
    if (bytesRead === 0) throw new Error('the file ends here');
    at += bytesRead;
  }
  return bytes;
}

/** Keeps pixels in a file, whole or not at all; removes others of the folder that begin with `prefix`. */
export async function keepPixels(
  folder: string,
  prefix: string,
  path: string,
  classes: number,
  parts: Parts,
): Promise<void> {
  makeFolders(folder);
  const temporary = temporaryFor(path);
  try {
    await writeFile(temporary, summed(chunks(classes, parts)), { flag: 'wx', flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  for (const name of await readdir(folder)) {
    const earlier = name.startsWith(prefix) || name.startsWith(`.${prefix}`);
    if (earlier && name !== basename(path)) await rm(join(folder, name), { force: true });
  }
}

function* chunks(classes: number, parts: Parts): Generator<Uint8Array> {
  const counts = parts.map(({ labels }) => labels.length);
  yield new Uint8Array(Uint32Array.of(classes, ...counts).buffer);
  for (const { images, labels } of parts) {
    for (let at = 0; at < images.length; at += CHUNK) yield images.subarray(at, at + CHUNK);
    yield labels;
  }
}

/** The same, followed by their SHA-256. */
function* summed(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  const hash = createHash('sha256');
  for (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}
