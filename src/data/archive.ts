import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Header } from 'tar-stream';
import { CollimateError, unreadable } from '../errors.ts';
import { needPackages } from '../host/packages.ts';

/** Far above all archives of ours: ImageNette has 13,394 images in 350 MB, CIFAR takes 184 MB. */
const MAX_ENTRIES = 50_000;
const MAX_BYTES = 2 ** 30;

/**
 * Reads files of a `.tar.gz` into memory by name, such as `folder/file`; returns the archive's SHA-256, too.
 * `room` gives the most bytes of a file, or undefined to skip it. Archives count as hostile: only files and
 * folders, no names outside, and bounds on entries, sizes and the total, whatever headers claim.
 */
export async function readArchive(
  path: string,
  room: (name: string) => number | undefined,
  maxBytes = MAX_BYTES,
): Promise<{ readonly files: Map<string, Uint8Array>; readonly sha256: string }> {
  const files = new Map<string, Uint8Array>();
  const hash = createHash('sha256');
  needPackages('reading an archive', ['tar-stream']);
  const tar = (await import('tar-stream')).extract();
  let entries = 0;
  tar.on('entry', (header, stream, next) => {
    stream.on('error', next); // It fails with the whole.
    const trouble = ++entries > MAX_ENTRIES ? `has more than ${MAX_ENTRIES} entries` : faultOf(header);
    if (trouble) return next(refused(path, trouble));
    const name = posix.normalize(header.name);
    const maximum = header.type === 'directory' ? undefined : room(name);
    if (maximum !== undefined && header.size > maximum) {
      return next(refused(path, `has ${name} with ${header.size} bytes, expected at most ${maximum}`));
    }
    if (maximum !== undefined && files.has(name)) return next(refused(path, `has ${name} twice`));
    const chunks: Uint8Array[] = [];
    stream.on('data', (chunk) => {
      if (maximum !== undefined) chunks.push(chunk as Uint8Array);
    });
    stream.on('end', () => {
      if (maximum !== undefined) files.set(name, Buffer.concat(chunks));
      next();
    });
  });
  try {
    let bytes = 0;
    const bounded = watched(({ length }) => {
      bytes += length;
      if (bytes > maxBytes) throw refused(path, `unpacks to more than ${maxBytes} bytes`);
    });
    const hashed = watched((chunk) => hash.update(chunk));
    await pipeline(createReadStream(path), hashed, createGunzip(), bounded, tar);
  } catch (cause) {
    throw failure(path, cause);
  }
  return { files, sha256: hash.digest('hex') };
}

/** Passes chunks on, showing each to a callback. */
function watched(look: (chunk: Buffer) => void) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      look(chunk);
      yield chunk;
    }
  };
}

/** What is wrong with an entry, before any of it is read. */
function faultOf({ name, type, linkname }: Header): string | undefined {
  const leadsOut = posix.isAbsolute(name) || /^[A-Za-z]:/.test(name) || /(^|[\\/])\.\.([\\/]|$)/.test(name);
  if (leadsOut) return `has an entry that leads out of its folder: ${JSON.stringify(name)}`;
  if (type === 'file' || type === 'contiguous-file' || type === 'directory') return undefined;
  const target = linkname ? ` to ${JSON.stringify(linkname)}` : '';
  return `has an entry that is neither file nor folder: ${JSON.stringify(name)}, a ${type}${target}`;
}

const FETCH_AGAIN = 'Remove the archive and fetch it again: it is damaged, or not what its name says.';

const refused = (path: string, trouble: string) => new CollimateError(`${path} ${trouble}`, FETCH_AGAIN);

function failure(path: string, cause: unknown): CollimateError {
  if (cause instanceof CollimateError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR' || message === 'Unexpected end of data') {
    return new CollimateError(`${path} is truncated: it ends in the middle of an entry`, FETCH_AGAIN, {
      cause,
    });
  }
  if (code?.startsWith('E') && !code.startsWith('ERR_')) {
    return unreadable(path, cause, 'Check that you may read it.');
  }
  return new CollimateError(`${path} cannot be unpacked: ${message}`, FETCH_AGAIN, { cause });
}
