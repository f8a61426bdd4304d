import fs from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type * as v from 'valibot';
import { type EpochMetrics, epochMetrics } from '../analysis/results.ts';
import {
  isTemporary,
  makeFolders,
  removeTemporaries,
  writeAtomically,
  writeFailed,
} from '../atomic-write.ts';
import { CollimateError, reading } from '../errors.ts';
import { type RecordKind, readLines, readRecord } from '../record.ts';
import { type FolderLock, isLock, lockFolder } from './lock.ts';

export const CONFIG = 'config.json';
export const METRICS = 'metrics.jsonl';
export const CHECKPOINT = 'checkpoint.safetensors';

/** The epochs in the metrics.jsonl of a run's folder, without a torn last line; none if there is no file. */
export const readMetrics = (folder: string): EpochMetrics[] =>
  readLines(join(folder, METRICS), {
    schema: epochMetrics,
    remedy: 'Remove that line, or restore the file from a copy.',
  });

/**
 * The folder of one run, which only this process writes. Files are replaced as a whole or not at all, save
 * `metrics.jsonl`, which grows by lines. Names may lie in subfolders (`figures/spectra.svg`), made on
 * demand. All failures are {@link CollimateError}s that name the file.
 */
export class RunFolder implements Disposable {
  /** Whether the metrics are known to end with a whole line. */
  #metricsEndWhole = false;
  readonly #subs = new Map<string, RunFolder>();
  readonly #lock: FolderLock;

  private constructor(readonly path: string) {
    this.#lock = lockFolder(path);
  }

  /** Starts a run in a folder that is new or empty. */
  static create(path: string): RunFolder {
    makeFolder(path);
    refuseUsed(path);
    return RunFolder.#locked(path, () => refuseUsed(path)); // by a process that has come and gone in between
  }

  /** Continues a folder's run or starts one; decided under the lock, so no other process starts one too. */
  static open(path: string): RunFolder {
    makeFolder(path);
    return RunFolder.#locked(path, (run) => run.has(CONFIG) || refuseUsed(path));
  }

  static #locked(path: string, check: (run: RunFolder) => void = () => {}): RunFolder {
    const run = new RunFolder(path);
    try {
      check(run);
      removeTemporaries(path);
      return run;
    } catch (error) {
      run.release();
      throw error;
    }
  }

  /** A run inside this one, such as the control; it has its own lock, and is released with this one. */
  sub(name: string): RunFolder {
    const known = this.#subs.get(name);
    if (known) return known;
    const path = this.#locate(name);
    makeFolder(path);
    const run = RunFolder.#locked(path);
    this.#subs.set(name, run);
    return run;
  }

  has(name: string): boolean {
    return fs.existsSync(this.#locate(name));
  }

  write(name: string, contents: string | Uint8Array): void {
    this.#lock.check();
    const path = this.#locate(name);
    makeFolder(dirname(path));
    writeAtomically(path, contents);
  }

  writeJson(name: string, value: unknown): void {
    this.write(name, `${JSON.stringify(value, null, 2)}\n`);
  }

  remove(name: string): void {
    fs.rmSync(this.#locate(name), { force: true });
  }

  readBytes(name: string): Uint8Array {
    const path = this.#locate(name);
    return reading(path, 'Check that it is there and that you may read it.', () => fs.readFileSync(path));
  }

  /** The contents of a JSON file, checked. */
  read<K extends RecordKind>(name: string, kind: K): v.InferOutput<K['schema']> {
    return readRecord(this.#locate(name), kind);
  }

  /** Appends a line to metrics.jsonl and flushes it to disk; too slow for every step. */
  appendMetrics(line: EpochMetrics): void {
    this.#lock.check();
    // After `kill -9` or a full disk the last line may be torn, and would swallow this one.
    if (!this.#metricsEndWhole) this.truncateMetrics(() => true);
    const path = this.#locate(METRICS);
    try {
      fs.appendFileSync(path, `${JSON.stringify(line)}\n`, { flush: true });
    } catch (cause) {
      this.#metricsEndWhole = false;
      throw writeFailed(path, cause);
    }
  }

  /** Keeps only the metrics that `keep` accepts, say those up to the checkpoint that a run resumes from. */
  truncateMetrics(keep: (line: EpochMetrics) => boolean): void {
    const kept = readMetrics(this.path).filter(keep);
    if (this.has(METRICS)) this.write(METRICS, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.#metricsEndWhole = true;
  }

  /** Unlocks the folder and those inside; also happens when the process exits. */
  release(): void {
    for (const run of this.#subs.values()) run.release();
    this.#lock.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #locate(name: string): string {
    const path = resolve(this.path, name);
    if (relative(this.path, path).split(sep)[0] === '..')
      throw new Error(`${name} lies outside ${this.path}`);
    return path;
  }
}

/**
 * Makes an empty default folder for a run, `<root>/<experiment>/<YYYYMMDD-HHMMSS>-<seed>` in local time, and
 * returns its path. Of two runs in the same second, the later one's folder ends in `-2`.
 */
export function defaultRunPath(experiment: string, seed: number, now: Date, root = 'results'): string {
  const local = new Date(now.getTime() - 60_000 * now.getTimezoneOffset()).toISOString();
  const time = local.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const first = join(root, experiment, `${time}-${seed}`);
  makeFolder(dirname(first));
  for (let n = 1; ; n++) {
    const path = n === 1 ? first : `${first}-${n}`;
    try {
      fs.mkdirSync(path); // fails where it exists, so that it is ours
      return path;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || !fs.existsSync(path))
        throw writeFailed(path, cause);
    }
  }
}

/** Makes a folder and its parents, if missing. */
export function makeFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

function refuseUsed(path: string): void {
  const names = fs.readdirSync(path).filter((name) => !isLock(name) && !isTemporary(name));
  if (names.length === 0) return;
  if (names.includes(CONFIG)) {
    const remedy = 'Continue it with `--resume`, or give another folder with `--out`.';
    throw new CollimateError(`the folder ${path} already holds a run`, remedy);
  }
  throw new CollimateError(
    `the folder ${path} is not empty: it holds ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ''}`,
    'Give a new or empty folder with `--out`.',
  );
}
