import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CollimateError } from '../src/errors.ts';
import type { AdapterInfo } from '../src/gpu/adapter.ts';
import { type Roofline, shareOf } from './roofline.ts';
import type { Statistics } from './statistics.ts';

/** Grows whenever a reader of older files would go wrong. */
export const SCHEMA = 1;

/** How wrong the outputs of what was timed are, against float64, and how wrong they may be. */
export interface Check {
  /** What the error is relative to, e.g. `Σ|a||b|`. */
  readonly relativeTo: string;
  readonly error: number;
  readonly tolerance: number;
}

/** A peer beside us on one row: the same work, in turns, each waited for as a user of it would. */
export interface PeerTiming {
  readonly name: string;
  readonly version: string;
  readonly device: string;
  /** Of the peer and of us, in the same turns. */
  readonly milliseconds?: Statistics;
  readonly ours?: Statistics;
  /** Why there are no times. */
  readonly problem?: string;
}

export interface Row {
  readonly suite: string;
  readonly name: string;
  readonly size: string;
  /** Requested size of lavapipe's thread pool; `default` is what users get. */
  readonly threads: number | 'default';
  /** Whose clock: the GPU's timestamps, the wall's around many queued dispatches, or the host's alone. */
  readonly clock: 'gpu' | 'wall' | 'host';
  /** Time of one repetition; null if there is an error. */
  readonly milliseconds: Statistics | null;
  /** Of one repetition: operations, and bytes that have to cross between memory and kernels; 0 if not counted. */
  readonly flops: number;
  readonly bytes: number;
  /** Time that the measured ceilings allow over time taken; null without operations or bytes. */
  readonly share: number | null;
  /** Which of the structures that compute the same ran. */
  readonly variant?: string;
  readonly check?: Check;
  /** Further numbers by name, e.g. `host share`. */
  readonly figures?: Readonly<Record<string, number>>;
  readonly peers?: readonly PeerTiming[];
  readonly error?: string;
}

/** A row as a suite measures it. */
export type Measured = Omit<Row, 'suite' | 'threads' | 'share'>;

/** A row with what its suite does not know of it; a failed check makes it an error. */
export function completeRow(
  measured: Measured,
  suite: string,
  threads: Row['threads'],
  roofline: Roofline,
): Row {
  const { check, milliseconds, flops, bytes } = measured;
  const wrong = check && !(check.error <= check.tolerance);
  return {
    suite,
    threads,
    ...measured,
    share: milliseconds && shareOf(roofline, flops, bytes, milliseconds.median),
    ...(wrong
      ? {
          error: `off by ${check.error.toExponential(1)} of ${check.relativeTo}, where ${check.tolerance} is allowed`,
        }
      : {}),
  };
}

/** What a run of the benchmarks leaves behind: `results/bench/<time>.json`. */
export interface BenchFile {
  readonly schema: typeof SCHEMA;
  /** When it began, ISO 8601. */
  readonly date: string;
  /** As typed. */
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly collimate: { readonly version: string; readonly commit: string | null };
  readonly node: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    /** In bytes. */
    readonly memory: number;
    readonly platform: string;
  };
  readonly adapter: AdapterInfo;
  readonly roofline: Roofline;
  readonly rows: readonly Row[];
}

export function writeBenchFile(path: string, file: BenchFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(file, null, 1)}\n`);
}

/** @throws CollimateError if it cannot be read, is no such file, or is of another schema */
export function readBenchFile(path: string): BenchFile {
  const remedy = 'Give a file that `npm run bench` wrote, such as results/bench/<time>.json.';
  let file: BenchFile;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as BenchFile;
  } catch (cause) {
    throw new CollimateError(`cannot read ${path}: ${(cause as Error).message}`, remedy, { cause });
  }
  if (!Array.isArray(file?.rows)) throw new CollimateError(`${path} holds no benchmark results`, remedy);
  if (file.schema !== SCHEMA) {
    throw new CollimateError(
      `${path} has schema ${file.schema}, and this is schema ${SCHEMA}`,
      'Run the benchmarks again.',
    );
  }
  return file;
}

/** What a row is called wherever rows are matched or named. */
export const keyOf = ({ suite, name, size, threads }: Row): string => `${suite} ${name} ${size} ${threads}`;
