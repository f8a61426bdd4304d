import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { ANALYSIS, REPORT, readAnalysis } from '../experiments/analysis-file.ts';
import { type RunConfig, readConfig } from '../experiments/run-config.ts';
import { CONFIG } from '../experiments/run-folder.ts';
import { SWEEP_FILE, type SweepRecord } from '../experiments/sweep-file.ts';
import { SWEEP } from '../experiments/sweep-record.ts';
import { readRecord } from '../record.ts';
import type { Shown } from './verdicts.ts';

/** What an index shows of a root such as `results`. */
export interface Collection {
  readonly root: string;
  readonly sweeps: readonly FoundSweep[];
  /** Runs with verdicts that belong to no sweep. */
  readonly runs: readonly FoundRun[];
  /** What could not be read, and why. */
  readonly damaged: readonly { readonly path: string; readonly reason: string }[];
}

/** All paths are relative to the root. */
export interface Found {
  readonly folder: string;
  readonly name: string;
  readonly claims: readonly Shown[];
}

export type FoundSweep = Found & { readonly record: SweepRecord };
export interface FoundRun extends Found {
  readonly config: Pick<RunConfig, 'experiment' | 'preset' | 'settings' | 'started'> | null;
  readonly testAccuracy: number;
}

export function collect(root: string): Collection {
  const damaged: Collection['damaged'][number][] = [];
  /** A list of what `make` returns; empty, with a note, if a file is damaged. */
  const attempt = <T>(path: string, make: () => T): T[] => {
    try {
      return [make()];
    } catch (cause) {
      if (!(cause instanceof CollimateError)) throw cause;
      damaged.push({ path, reason: cause.message.replaceAll(join(root, path), 'it') });
      return [];
    }
  };
  const holding = (folders: readonly string[], file: string) =>
    folders.filter((folder) => existsSync(join(root, folder, file)));
  const below = (folder: string): string[] =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => (folder === '' ? name : `${folder}/${name}`))
          .sort()
      : [];

  const sweeps = holding(below('sweeps'), SWEEP).flatMap((folder) =>
    attempt(`${folder}/${SWEEP}`, () => readRecord(join(root, folder, SWEEP), SWEEP_FILE)).map(
      (record): FoundSweep => {
        const name = `${record.name} · ${record.preset}`;
        return { folder, name, record, claims: record.claims };
      },
    ),
  );
  const shared = new Set(sweeps.flatMap(({ record }) => record.runs.map(({ id }) => `runs/${id}`)));
  const folders = [...below('').filter((f) => !['sweeps', 'runs'].includes(f)), ...below('runs')];
  const runs = holding(folders.flatMap(below), ANALYSIS)
    .filter((folder) => !shared.has(folder))
    .flatMap((folder): FoundRun[] => {
      const path = join(root, folder);
      const [found] = attempt(`${folder}/${ANALYSIS}`, () => ({ analysis: readAnalysis(path) }));
      if (!found) return [];
      const described = existsSync(join(path, CONFIG));
      const [config = null] = described ? attempt(`${folder}/${CONFIG}`, () => readConfig(path)) : [];
      const { claims, trained } = found.analysis ?? {};
      if (claims) return [{ folder, name: folder, config, claims, testAccuracy: trained!.testAccuracy }];
      // A run is done once it has been judged; without claims, it is of an earlier version.
      if (config && existsSync(join(path, REPORT))) {
        const remedy = command('reproduce', `${config.experiment} --resume ${path}`);
        const reason = `its claims are of an earlier version: \`${remedy}\` judges them again`;
        damaged.push({ path: `${folder}/${ANALYSIS}`, reason });
      }
      return [];
    });
  return { root, sweeps, runs, damaged };
}
