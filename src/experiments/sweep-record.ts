import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { joined, judge } from '../analysis/claim.ts';
import type { Evidence } from '../analysis/evidence.ts';
import { type Cell, liesAt } from '../analysis/quantity.ts';
import { scalarsOf } from '../analysis/scalars.ts';
import { writeAtomically } from '../atomic-write.ts';
import { CollimateError } from '../errors.ts';
import { readRecord } from '../record.ts';
import { isDone, readAnalysis } from './analysis-file.ts';
import { missingEpochs, readCourse } from './course.ts';
import { dataFacts, deviations, type Level } from './experiment.ts';
import { type FolderLock, LockedError, lockFolder } from './lock.ts';
import { CONTROL } from './reproduce.ts';
import { type Origin, type RunConfig, readConfig } from './run-config.ts';
import { makeFolder, readMetrics } from './run-folder.ts';
import type { PlannedRun, Question, Sweep } from './sweep.ts';
import type { SweepRecord, SweepRun } from './sweep-file.ts';

export const SWEEP = 'sweep.json';

export const runFolder = (root: string, { id }: Pick<PlannedRun, 'id'>): string => join(root, 'runs', id);
export const sweepFolder = (root: string, name: string, level: string): string =>
  join(root, 'sweeps', `${name}.${level}`);

/** The file beside a failed run's folder that says why. */
const failureFile = (folder: string): string => `${folder}.failed.json`;

export const failure = v.object({
  reason: v.string(),
  /** Whether it would fail again, as diverged training does. */
  final: v.boolean(),
});
export type Failure = Readonly<v.InferOutput<typeof failure>>;

/** Records why a run failed, unless another process is making it or has made it meanwhile. */
export function noteFailure(root: string, run: Pick<PlannedRun, 'id'>, failure: Failure): void {
  const folder = runFolder(root, run);
  makeFolder(folder);
  let lock: FolderLock;
  try {
    lock = lockFolder(folder);
  } catch (error) {
    if (error instanceof LockedError) return;
    throw error;
  }
  try {
    if (standingOf(root, run).status !== 'done')
      writeAtomically(failureFile(folder), `${JSON.stringify(failure)}\n`);
  } finally {
    lock.release();
  }
}

/** Removes the record of an earlier failure, once the run in a folder is done. */
export const forgetFailure = (folder: string): void => rmSync(failureFile(folder), { force: true });

/** The status of a run, from the files in its folder. A run with unreadable files counts as failed. */
export function standingOf(
  root: string,
  run: Pick<PlannedRun, 'id'>,
): { status: SweepRun['status']; failure?: Failure; found?: ReturnType<typeof wholeRun> } {
  const folder = runFolder(root, run);
  const path = failureFile(folder);
  try {
    const found = wholeRun(folder);
    if (found) return { status: 'done', found };
    if (!existsSync(path)) return { status: 'missing' };
    const remedy = 'Remove the file to retry the run.';
    return { status: 'failed', failure: readRecord(path, { schema: failure, remedy }) };
  } catch (error) {
    return { status: 'failed', failure: { reason: reasonOf(error), final: false } };
  }
}

/** Why a file could not be read, and what to do about it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof CollimateError)) throw error;
  return [error.message, error.remedy].filter(Boolean).join('. ');
}

/** Joins the finished runs of a sweep and judges its claims. */
export function recordOf(
  root: string,
  sweep: Sweep,
  level: Level,
  planned: readonly PlannedRun[],
): SweepRecord {
  const configs: RunConfig[] = [];
  const { claims, runClaims = [] } = sweep;
  const runs = planned.map((run) => readRun(root, run, configs));
  const withFacts = runs.map((run, i) => {
    const { experiment, settings } = planned[i]!;
    return { ...run, facts: dataFacts(experiment, settings) };
  });
  const first = planned[0]!;
  return joinRuns(sweep, level, configs, {
    runs,
    claims: [
      ...runClaims.flatMap((where) => ofRuns(runs, where)),
      ...claims(level).map((claim) => judge(claim, withFacts)),
    ].map((claim) => (sweep.beyond ? { ...claim, property: 'beyond' } : claim)), // not the paper's
    base: first.settings,
    notes: [
      ...deviations(first.experiment, first.settings),
      ...distinct(configs, ({ notes = [] }) => notes.join(' ')).filter(Boolean),
    ],
  });
}

const distinct = <T>(all: readonly T[], pick: (one: T) => string) => [...new Set(all.map(pick))].sort();

/** The record of the runs that answer a question, with their provenance. */
export function joinRuns(
  { name, title, question, axes, figures, notes = [] }: Question,
  preset: Level,
  origins: readonly Origin[],
  own: Pick<SweepRecord, 'runs' | 'claims' | 'base' | 'notes' | 'batched' | 'remarks'>,
): SweepRecord {
  const seeds = [...new Set(own.runs.map(({ seed }) => seed))];
  const of = (pick: (origin: Origin) => string) => distinct(origins, pick);
  return {
    schema: 'collimate/sweep@2',
    ...{ name, preset, title, question, axes, seeds, figures },
    ...{ ...own, notes: [...notes, ...own.notes] },
    provenance: [
      { name: 'Adapter', values: of(({ adapter }) => `${adapter.name}, ${adapter.driver}`) },
      { name: 'System', values: of(({ system }) => system) },
      { name: 'Versions', values: of(({ versions }) => Object.entries(versions).flat().join(' ')) },
      { name: 'Commit', values: of(({ commit }) => commit ?? 'unknown') },
    ],
  };
}

/** Claims of single runs, joined over seeds at one place. */
function ofRuns(runs: readonly SweepRun[], where: Cell): Evidence[] {
  const own = runs.filter((run) => liesAt(run, where));
  const first = own.find((run) => run.claims.length > 0);
  return (first?.claims ?? []).map(({ id }) =>
    joined(own.map((run) => run.claims.find((claim) => claim.id === id))),
  );
}

function readRun(root: string, run: PlannedRun, configs: RunConfig[]): SweepRun {
  const { id, cell, seed, settings } = run;
  const { status, failure, found } = standingOf(root, run);
  if (found) configs.push(found.config);
  const results = found?.results ?? none;
  return { id, cell, seed, settings, ...results, status, ...(failure && { reason: failure.reason }) };
}

const none = {
  seconds: null,
  trained: null,
  initialization: null,
  control: null,
  validationAccuracy: null,
  course: null,
  claims: [],
};

/** A finished run's files; undefined if one is missing. @throws CollimateError if one is damaged */
export function wholeRun(folder: string) {
  if (!isDone(folder)) return undefined;
  const config = readConfig(folder);
  const { network, trained, initialization, claims = [] } = readAnalysis(folder)!;
  const control = readAnalysis(join(folder, CONTROL));
  const last = readMetrics(folder).at(-1);
  const { epochs, controlWeightDecay } = config.settings;
  const lacks = last?.epoch !== epochs || (controlWeightDecay !== null && !control);
  if (lacks || missingEpochs(folder, config.settings).length > 0) return undefined;
  const course = readCourse(folder, network).map((snapshot) => ({
    epoch: snapshot.epoch,
    scalars: scalarsOf(snapshot, network),
  }));
  const results: Pick<SweepRun, keyof typeof none> = {
    seconds: last.seconds,
    trained: scalarsOf(trained, network),
    initialization: scalarsOf(initialization, network),
    control: control ? scalarsOf(control.trained, control.network) : null,
    validationAccuracy: last.validationAccuracy ?? null,
    course: course.length > 0 ? course : null,
    claims,
  };
  return { config, results };
}
