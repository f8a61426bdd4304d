import { constants, existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders } from '../atomic-write.ts';
import { CollimateError } from '../errors.ts';
import { formatBytes } from '../gpu/failures.ts';
import { sha256OfFile } from './checksum.ts';
import type { DatasetOptions } from './dataset.ts';
import type { DatasetName } from './datasets.ts';
import { storeOf } from './load.ts';
import {
  fetchCommand,
  lackingBytes,
  offlineSource,
  type PlaceOptions,
  type RemoteFile,
  type Store,
} from './locate.ts';

export interface FetchProgress {
  readonly file: string;
  /** Bytes of the file, earlier transfers included. */
  readonly received: number;
  readonly total: number;
}

export interface FetchOptions extends PlaceOptions {
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/**
 * Fetches a dataset's missing files, after saying so; without any, does nothing and needs no network. A file
 * grows under its name plus `.part`, from which an interrupted transfer resumes, and gets its name once
 * whole with the right checksum. Processes that fetch the same file at once write the same bytes to the same
 * places and never cut each other's off.
 * @throws CollimateError if the server fails or sends a file other than the published, or the disk is full
 */
export async function ensureDataset(
  name: DatasetName,
  options: DatasetOptions & FetchOptions = {},
): Promise<void> {
  const place = storeOf(name, options);
  if (!place || place.lacking.length === 0) return;
  const { say = console.error } = options;
  const { host } = new URL(place.lacking[0]!.url);
  const bytes = formatBytes(lackingBytes(place));
  say(`${place.name} is not in ${place.folder}: fetching ${bytes} from ${host}`);
  for (const file of place.lacking) await fetchFile(place, file, options);
}

async function fetchFile(place: Store, file: RemoteFile, options: FetchOptions): Promise<void> {
  const { name, url, bytes, sha256 } = file;
  const { folder } = place;
  const command = fetchCommand(place.name, options);
  const path = join(folder, name);
  const part = `${path}.part`;

  const notPublished = (trouble: string) =>
    new CollimateError(
      `${url} is not the published file: it ${trouble}`,
      'Try again. If it fails again, the file has changed at its source: get the published one elsewhere, and put it ' +
        `into ${folder} yourself.`,
    );

  /** Awaits a write; `lacking` bytes are still to come. */
  async function writing<T>(done: Promise<T>, lacking = 0): Promise<T> {
    try {
      return await done;
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      const remedy = full
        ? `The disk is full: make room for ${formatBytes(lacking)} and run \`${command}\` again, which continues from there`
        : 'Check the permissions of the folder';
      const elsewhere = `${remedy}, or choose another folder with \`--data-dir\`.`;
      throw new CollimateError(`cannot write ${part}: ${message}`, elsewhere, { cause });
    }
  }

  /** Continues the transfer until it ends or is cut off; returns whether the file is whole. */
  async function receiveMore(): Promise<boolean> {
    if ((await sizeOf(part)) > bytes) await rm(part, { force: true });
    const before = await sizeOf(part);
    if (before === bytes) return true;
    const failure = await receive(before).catch((error: Error) => error);
    if (failure instanceof CollimateError) throw failure;
    const after = await sizeOf(part);
    // A transfer that was cut off but made progress continues.
    if (!failure || after > before) return after === bytes;
    const rest = after > 0 ? `, which continues after the ${after} of ${bytes} bytes received` : '';
    throw new CollimateError(
      `cannot fetch ${url}: ${reasonOf(failure)}`,
      `Check the network and run \`${command}\` again${rest}, or put ${name} into ${folder} yourself.${offlineSource(place.source)}`,
      { cause: failure },
    );
  }

  /** Receives the file from byte `from` on, or all of it if the server cannot resume. */
  async function receive(from: number): Promise<void> {
    requireSafe(url);
    const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) };
    const response = await fetch(url, { headers });
    requireSafe(response.url); // It may have been sent on.
    const goesOn = from > 0 && response.status === 206;
    if (response.status !== 200 && !goesOn) {
      throw new CollimateError(
        `cannot fetch ${url}: the server answers ${response.status} ${response.statusText}`.trimEnd(),
        `Try again later, or get the file elsewhere and put it into ${folder} yourself.`,
      );
    }
    const range = response.headers.get('content-range') ?? '';
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range) ?? [];
    const offered = goesOn ? total : response.headers.get('content-length');
    if (offered && Number(offered) !== bytes) throw notPublished(`has ${offered} bytes, not ${bytes}`);
    if (goesOn && Number(first) !== from) {
      throw new CollimateError(
        `cannot resume ${url}: requested the bytes from ${from} on, and the server sent others`,
        `Remove ${part}, and run \`${command}\` again.`,
      );
    }
    let received = goesOn ? from : 0;
    const out = await writing(open(part, goesOn ? 'r+' : constants.O_WRONLY | constants.O_CREAT));
    try {
      for await (const chunk of response.body ?? []) {
        if (received + chunk.length > bytes) {
          await rm(part, { force: true });
          throw notPublished(`has more than ${bytes} bytes`);
        }
        await writing(write(out, chunk, received), bytes - received);
        received += chunk.length;
        options.onProgress?.({ file: name, received, total: bytes });
      }
      await writing(out.sync());
    } finally {
      await out.close();
    }
    if (received < bytes) throw new Error(`the connection ended after ${received} of ${bytes} bytes`);
  }

  await writing((async () => makeFolders(folder))());
  try {
    while (!(await receiveMore())) if (existsSync(path)) return;
    const found = await sha256OfFile(part);
    if (found === sha256) return await writing(rename(part, path));
    await rm(part, { force: true });
    throw notPublished(`has the SHA-256 checksum ${found}, where that of the published file is ${sha256}`);
  } catch (error) {
    // Another process was faster, and its checked file is already in place.
    if (!existsSync(path)) throw error;
  }
}

/** Writes at a position, whatever another process that fetches the same has written there. */
async function write(out: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    at += (await out.write(chunk, at, chunk.length - at, position + at)).bytesWritten;
  }
}

/** Allows only HTTPS, or addresses on this machine. */
function requireSafe(url: string): void {
  const { protocol, hostname } = new URL(url);
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isLocal)) return;
  throw new CollimateError(`${url} is not fetched: it is not HTTPS`, 'Get the file another way.');
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;

/** The cause of a `fetch failed`. */
function reasonOf(error: Error): string {
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.message || cause?.code || error.message;
}
