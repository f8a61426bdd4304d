import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeAtomically } from '../atomic-write.ts';
import { CollimateError } from '../errors.ts';
import { whole } from '../schema.ts';

/** Who holds a lock, as in its file. `machine` and `started` tell whether `pid` still is that process. */
const holder = v.object({
  host: v.string(),
  machine: v.string(),
  pid: whole(1),
  started: v.nullish(v.string()),
});
type Holder = v.InferOutput<typeof holder>;

const PREFIX = '.lock-';
const BEAT_MS = 5_000;
/** A holder that cannot be looked up, as on another machine, counts as gone after this much silence. */
const SILENCE_MS = 60_000;
const ATTEMPTS = 4;

export function isLock(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** Another process is writing the folder. */
export class LockedError extends CollimateError {}

export interface FolderLock {
  /** Throws if the lock was lost, as when this process was halted for longer than {@link SILENCE_MS}. */
  check(): void;
  /** Idempotent; also called when the process exits. */
  release(): void;
}

/**
 * Locks an existing folder, or throws naming the process that holds it, so that two processes never write
 * one folder. Each writes its own lock file, looks for others', and withdraws if one's holder lives: of two
 * at once, the later to look sees the other. Dead holders' files go at once: names never recur.
 *
 * On this machine the process table tells whether a holder lives, so a folder is free the moment its process
 * dies. Other machines show only a heartbeat, in the clock of the shared file system; a holder that only
 * slept and was taken for gone learns of it from {@link FolderLock.check}.
 */
export function lockFolder(folder: string): FolderLock {
  const [pid, started] = [process.pid, startOf(process.pid)];
  const contents = JSON.stringify({ host: hostname(), machine: machine(), pid, started } satisfies Holder);
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, PREFIX + randomBytes(6).toString('hex'));
    try {
      writeAtomically(path, contents);
    } catch (error) {
      // Another process may just have got the lock and swept the temporary file away as a leftover.
      const swept =
        ((error as Error).cause as NodeJS.ErrnoException).code === 'ENOENT' && fs.existsSync(folder);
      if (swept && attempt < ATTEMPTS) continue;
      throw error;
    }
    const rival = findRival(folder, path);
    if (!rival) return hold(folder, path, contents);
    fs.rmSync(path, { force: true });
    if (attempt === ATTEMPTS) throw held(folder, rival);
    // Two that met may both have withdrawn: retry after different times.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10 + Math.random() * 40 * attempt);
  }
}

/** Keeps a lock file alive until it is released. */
function hold(folder: string, path: string, contents: string): FolderLock {
  const beat = setInterval(() => fs.writeFile(path, contents, { flag: 'r+' }, () => {}), BEAT_MS).unref();
  const release = () => {
    clearInterval(beat);
    process.off('exit', release);
    fs.rmSync(path, { force: true });
  };
  process.on('exit', release);
  const check = () => {
    if (fs.existsSync(path)) return;
    throw new CollimateError(
      `this process no longer holds the run folder ${folder}: its lock file ${path} is gone`,
      'Make sure that no other process is writing there, then continue with `--resume`.',
    );
  };
  return { check, release };
}

/** The living holder of another lock in the folder, if any. Removes the locks of dead ones. */
function findRival(folder: string, own: string): { path: string; holder: Holder | undefined } | undefined {
  const now = fs.statSync(own).mtimeMs; // by the clock of the file system, which other machines share
  for (const name of fs.readdirSync(folder).filter(isLock)) {
    const path = join(folder, name);
    if (path === own) continue;
    const silence = now - (fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    const holder = readHolder(path);
    if (isAlive(holder) ?? silence < SILENCE_MS) return { path, holder };
    fs.rmSync(path, { force: true });
  }
  return undefined;
}

function readHolder(path: string): Holder | undefined {
  try {
    const found: unknown = JSON.parse(fs.readFileSync(path, 'utf8'));
    return v.is(holder, found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a holder lives; undefined if that cannot be looked up. */
function isAlive(holder: Holder | undefined): boolean | undefined {
  if (holder?.machine !== machine()) return undefined;
  const started = startOf(holder.pid);
  if (holder.started && started !== undefined) return started === holder.started;
  try {
    process.kill(holder.pid, 0);
    return undefined; // some process has this number, maybe another by now
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? undefined : false;
  }
}

/** Names what process numbers are counted in: on Linux this boot of the kernel and the PID namespace. */
function machine(): string {
  try {
    return `${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Start of a process in clock ticks since boot; null for a zombie, undefined if unknown (off Linux). */
function startOf(pid: number): string | null | undefined {
  try {
    // proc(5): the second field, the program's name in parentheses, may hold anything; count from its end.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19];
  } catch {
    return undefined;
  }
}

function held(folder: string, { path, holder }: { path: string; holder: Holder | undefined }): LockedError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
  return new LockedError(
    `${who} is writing the run folder ${folder}`,
    `Wait until it is done, stop it, or give another folder with \`--out\`. If it is gone, remove ${path}.`,
  );
}
