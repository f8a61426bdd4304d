import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Course, EpochMetrics, NetworkInfo, Summary } from '../analysis/results.ts';
import { type ScalarName, scalars } from '../analysis/scalars.ts';
import { writeAtomically } from '../atomic-write.ts';
import { readAnalysis } from './analysis-file.ts';
import { COURSE } from './course.ts';
import { deviations } from './deviations.ts';
import { CONTROL } from './reproduce.ts';
import { type RunConfig, readConfig } from './run-config.ts';
import { METRICS, makeFolder } from './run-folder.ts';
import type { Level, PlannedRun, Sweep } from './sweep.ts';
import { joinRunClaims, judgeClaim } from './sweep-claims.ts';
import type { Scalars, SweepRecord, SweepRun } from './sweep-results.ts';

export const SWEEP = 'sweep.json';

export const runFolder = (root: string, { id }: Pick<PlannedRun, 'id'>): string => join(root, 'runs', id);
export const sweepFolder = (root: string, name: string, level: string): string =>
  join(root, 'sweeps', `${name}.${level}`);

/** Beside the folder of a run that failed: why. */
const failureFile = (root: string, run: Pick<PlannedRun, 'id'>): string =>
  `${runFolder(root, run)}.failed.json`;

export interface Failure {
  readonly reason: string;
  /** Whether it would fail in the same way again, as training that diverged. */
  readonly final: boolean;
}

export function noteFailure(root: string, run: PlannedRun, failure: Failure): void {
  const path = failureFile(root, run);
  makeFolder(join(path, '..'));
  writeAtomically(path, `${JSON.stringify(failure)}\n`);
}

/** How a run stands, by the files in its folder. */
export function standingOf(root: string, run: PlannedRun): { status: SweepRun['status']; failure?: Failure } {
  if (readAnalysis(runFolder(root, run))?.claims) return { status: 'done' };
  const path = failureFile(root, run);
  if (!existsSync(path)) return { status: 'missing' };
  return { status: 'failed', failure: JSON.parse(readFileSync(path, 'utf8')) as Failure };
}

/** Joins the runs of a sweep that are there, and judges its claims. */
export function recordOf(
  root: string,
  sweep: Sweep,
  level: Level,
  planned: readonly PlannedRun[],
): SweepRecord {
  const configs: RunConfig[] = [];
  const runs = planned.map((run) => readRun(root, run, configs));
  const seeds = [...new Set(planned.map(({ seed }) => seed))];
  const distinct = (pick: (config: RunConfig) => string) => [...new Set(configs.map(pick))].sort();
  const { name, title, question, axes, claims, runClaims = [], figures, notes = [] } = sweep;
  const first = planned[0]!;
  return {
    schema: 'collimate/sweep@1',
    ...{ name, preset: level, title, question, axes, seeds, runs },
    claims: [
      ...runClaims.flatMap((where) => joinRunClaims(runs, where)),
      ...claims(level).map((claim) => judgeClaim(claim, runs, seeds)),
    ],
    figures,
    base: first.settings,
    notes: [
      ...notes,
      ...deviations(first.experiment, first.settings),
      ...distinct(({ notes = [] }) => notes.join(' ')).filter(Boolean),
    ],
    provenance: [
      { name: 'Adapter', values: distinct(({ adapter }) => `${adapter.name}, ${adapter.driver}`) },
      { name: 'System', values: distinct(({ system }) => system) },
      { name: 'Versions', values: distinct(({ versions }) => Object.entries(versions).flat().join(' ')) },
      { name: 'Commit', values: distinct(({ commit }) => commit ?? 'unknown') },
    ],
  };
}

function readRun(root: string, run: PlannedRun, configs: RunConfig[]): SweepRun {
  const folder = runFolder(root, run);
  const { id, cell, seed, settings } = run;
  const { status, failure } = standingOf(root, run);
  const none = {
    seconds: null,
    trained: null,
    initialization: null,
    control: null,
    validationAccuracy: null,
    course: null,
  };
  const known = { id, cell, seed, settings, status };
  if (status !== 'done') return { ...known, ...none, ...(failure && { reason: failure.reason }), claims: [] };
  configs.push(readConfig(folder));
  const { network, trained, initialization, claims = [] } = readAnalysis(folder)!;
  const control = readAnalysis(join(folder, CONTROL));
  const last = lastEpoch(folder);
  return {
    ...known,
    seconds: last?.seconds ?? null,
    trained: scalarsOf(trained, network),
    initialization: scalarsOf(initialization, network),
    control: control ? scalarsOf(control.trained, control.network) : null,
    validationAccuracy: last?.validationAccuracy ?? null,
    course: readCourse(folder, network),
    claims,
  };
}

const scalarsOf = (measures: Summary, network: NetworkInfo): Scalars =>
  Object.fromEntries(
    (Object.keys(scalars) as ScalarName[]).map((name) => [name, scalars[name].from(measures, network)]),
  ) as Scalars;

function readCourse(folder: string, network: NetworkInfo): SweepRun['course'] {
  const path = join(folder, COURSE);
  if (!existsSync(path)) return null;
  const { moments } = JSON.parse(readFileSync(path, 'utf8')) as Course;
  return moments.map((moment) => ({ epoch: moment.epoch, scalars: scalarsOf(moment, network) }));
}

function lastEpoch(folder: string): EpochMetrics | undefined {
  const path = join(folder, METRICS);
  if (!existsSync(path)) return undefined;
  const line = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1);
  return line ? (JSON.parse(line) as EpochMetrics) : undefined;
}
