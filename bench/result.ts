import * as v from 'valibot';
import type { AdapterInfo } from '../src/gpu/adapter.ts';
import { finite, isRecord, measured } from '../src/schema.ts';
import { type Roofline, shareOf } from './roofline.ts';
import { statistics } from './statistics.ts';

/** Grows whenever readers of older files would misread it. */
export const SCHEMA = 1;

/** The error of timed outputs against float64, and its limit. */
const check = v.object({
  /** What the error is relative to, e.g. `Σ|a||b|`. */
  relativeTo: v.string(),
  error: measured,
  tolerance: finite,
});

/** A peer beside us on one row: the same work, in turns, each awaited as its users would. */
const peerTiming = v.object({
  name: v.string(),
  version: v.string(),
  device: v.string(),
  /** Of the peer and of us, in the same turns. */
  milliseconds: v.exactOptional(statistics),
  ours: v.exactOptional(statistics),
  /** Why there are no times. */
  problem: v.exactOptional(v.string()),
});

const row = v.object({
  suite: v.string(),
  name: v.string(),
  size: v.string(),
  /** Requested size of lavapipe's thread pool; `default` is what users get. */
  threads: v.union([finite, v.literal('default')]),
  /** Whose clock: the GPU's timestamps, the wall's around many queued dispatches, or the host's alone. */
  clock: v.picklist(['gpu', 'wall', 'host']),
  /** Time of one repetition; null if there is an error. */
  milliseconds: v.nullable(statistics),
  /** Of one repetition: operations, and bytes that must pass between memory and kernels; 0 if uncounted. */
  flops: finite,
  bytes: finite,
  /** Time that the measured ceilings allow over time taken; null without operations or bytes. */
  share: v.nullable(finite),
  /** The variant of the kernel that ran. */
  variant: v.exactOptional(v.string()),
  check: v.exactOptional(check),
  /** Further numbers by name, e.g. `host share`. */
  figures: v.exactOptional(v.record(v.string(), measured)),
  peers: v.exactOptional(v.array(peerTiming)),
  error: v.exactOptional(v.string()),
});

/** What a run of the benchmarks writes: `results/bench/<time>.json`. */
export const benchFile = v.object({
  schema: v.literal(SCHEMA),
  /** When it began, ISO 8601. */
  date: v.string(),
  /** As typed. */
  command: v.string(),
  options: v.record(v.string(), v.unknown()),
  collimate: v.object({ version: v.string(), commit: v.nullable(v.string()) }),
  node: v.string(),
  /** `memory` is in bytes. */
  machine: v.object({ cpu: v.string(), cores: finite, memory: finite, platform: v.string() }),
  adapter: v.custom<AdapterInfo>(isRecord, 'an object'),
  roofline: v.custom<Roofline>(isRecord, 'an object'),
  rows: v.array(row),
});

export type Check = Readonly<v.InferOutput<typeof check>>;
export type PeerTiming = Readonly<v.InferOutput<typeof peerTiming>>;
export type Row = Readonly<v.InferOutput<typeof row>>;
export type BenchFile = Readonly<v.InferOutput<typeof benchFile>>;

/** A row as a suite measures it. */
export type Measured = Omit<Row, 'suite' | 'threads' | 'share'>;

/** Completes a suite's row; a failed check makes it an error. */
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

/** A row's name, by which rows are also matched. */
export const keyOf = ({ suite, name, size, threads }: Row): string => `${suite} ${name} ${size} ${threads}`;
