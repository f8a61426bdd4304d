import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Dawn writes warnings straight to stderr while it looks for adapters: limits it lowered, drivers it passed
 * over, a stack trace where there is no driver. All are expected, and errors and `collimate doctor` tell
 * what follows from them, so the terminal is spared them unless COLLIMATE_DEBUG is set.
 */
const EXPECTED = /^(Warning: .*|\s+at .*|)$/;

/**
 * Runs `body`, which must not await anything, and drops what Dawn is expected to write to stderr meanwhile.
 * Anything else, such as a driver's own complaint, is passed on.
 */
export function withoutDawnWarnings<T>(body: () => T): T {
  const descriptors = process.env.COLLIMATE_DEBUG ? undefined : libc();
  if (!descriptors) return body();
  const path = join(tmpdir(), `collimate-${process.pid}-${Date.now()}.log`);
  let sink: number;
  try {
    sink = openSync(path, 'wx+', 0o600);
    rmSync(path);
  } catch {
    return body(); // Without a place for temporary files, rather too many lines than too few.
  }
  const stderr = descriptors.dup(2);
  descriptors.dup2(sink, 2);
  try {
    return body();
  } finally {
    descriptors.dup2(stderr, 2);
    closeSync(stderr);
    const rest = unexpected(contents(sink));
    closeSync(sink);
    if (rest) process.stderr.write(`${rest}\n`);
  }
}

/** The lines of Dawn's output that a user should see. */
export const unexpected = (output: string): string =>
  output
    .split('\n')
    .filter((line) => !EXPECTED.test(line))
    .join('\n');

function contents(file: number): string {
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  return bytes.toString();
}

interface Descriptors {
  dup(fd: number): number;
  dup2(from: number, to: number): number;
}

let loaded: Descriptors | undefined;

/** Node itself cannot duplicate file descriptors. Undefined where koffi, which is optional, cannot. */
function libc(): Descriptors | undefined {
  if (process.platform === 'win32') return undefined;
  try {
    loaded ??= load();
    return loaded;
  } catch {
    return undefined;
  }
}

function load(): Descriptors {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  return {
    dup: library.func('int dup(int fd)'),
    dup2: library.func('int dup2(int from, int to)'),
  };
}
