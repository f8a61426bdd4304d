import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CollimateError } from './errors.ts';

/** Whether a name is that of a file that an interrupted {@link writeAtomically} left. */
export function isTemporary(name: string): boolean {
  return /^\..+\.[0-9a-f]{12}\.tmp$/.test(name);
}

/** A path beside a file that no other process uses. */
export const temporaryFor = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);

/**
 * Writes a file so that at any time the old or the new one is there, whole: to a temporary file beside it,
 * flushed to disk and then renamed. On failure the old file is as it was.
 */
export function writeAtomically(path: string, contents: string | Uint8Array): void {
  const temporary = temporaryFor(path);
  try {
    fs.writeFileSync(temporary, contents, { flag: 'wx', flush: true });
    fs.renameSync(temporary, path);
  } catch (cause) {
    try {
      fs.rmSync(temporary, { force: true });
    } catch {
      // What made the write fail may forbid this too; the next process to open the folder removes it.
    }
    throw writeFailed(path, cause);
  }
  flushFolder(dirname(path));
}

/**
 * Makes a folder and its missing parents. Node's own `recursive` never returns if a parent exists but takes
 * no folders, as in /proc.
 * @throws the system's error
 */
export function makeFolders(path: string): void {
  if (!fs.existsSync(dirname(path))) makeFolders(dirname(path));
  try {
    fs.mkdirSync(path);
  } catch (cause) {
    if (!fs.existsSync(path) || !fs.statSync(path).isDirectory()) throw cause;
  }
}

/** Makes a file's folder and checks that it can be written, before any work. @throws CollimateError */
export function checkTarget(path: string): void {
  try {
    makeFolders(dirname(path));
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    const trial = temporaryFor(path);
    fs.writeFileSync(trial, '', { flag: 'wx' });
    fs.rmSync(trial);
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

/** Removes what interrupted writes left anywhere under a folder that nobody else writes to. */
export function removeTemporaries(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeTemporaries(path);
    else if (isTemporary(entry.name)) fs.rmSync(path, { force: true });
  }
}

/** What to do about an error of the system, by its code. */
export const remedyOf = (code: unknown): string | undefined =>
  new Map<unknown, string>(Object.entries(remedies)).get(code);

const PERMISSIONS = 'Check the permissions of the folder, or write elsewhere with `--out`.';
const remedies = {
  EACCES: PERMISSIONS,
  EPERM: PERMISSIONS,
  EROFS: 'That disk takes no writes: write elsewhere with `--out`.',
  ENOSPC: 'The disk is full: make room, then continue with `--resume`. Earlier files are intact.',
  EDQUOT: 'Your quota is used up: make room, then continue with `--resume`. Earlier files are intact.',
  EEXIST: 'A file is where a folder is needed: write elsewhere with `--out`.',
  ENOTDIR: 'A file is where a folder is needed: write elsewhere with `--out`.',
  EISDIR: 'A folder is where a file is to be: name another file, or remove that folder.',
  EMFILE: 'Too many files are open: raise the limit by `ulimit -n 1024`.',
  EIO: 'The disk failed: check it, or write elsewhere with `--out`.',
};

/** The error for a failed write, with a remedy for its cause. */
export function writeFailed(path: string, cause: unknown): CollimateError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const remedy = remedyOf(code) ?? PERMISSIONS;
  return new CollimateError(`cannot write ${path}: ${message}`, remedy, { cause });
}

/** Flushes a rename to disk; not every system allows that for folders, and a killed process needs none. */
function flushFolder(folder: string): void {
  try {
    const handle = fs.openSync(folder, 'r');
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    // Windows
  }
}
