import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANALYSIS_FORMAT, type Analysis } from '../analysis/results.ts';
import type { RunConfig } from '../experiments/run-config.ts';
import type { SweepRecord } from '../experiments/sweep-results.ts';
import type { Theory } from '../experiments/unconstrained/run.ts';
import { fromRun, fromSweep, fromTheory, type Judged } from './verdicts.ts';

/** Everything that lies under a root such as `results`, as far as an index tells of it. */
export interface Collection {
  readonly root: string;
  readonly sweeps: readonly FoundSweep[];
  /** Runs with verdicts that no sweep has. */
  readonly runs: readonly FoundRun[];
  readonly theory: readonly FoundTheory[];
  /** What could not be read, with the reason. */
  readonly damaged: readonly { readonly path: string; readonly reason: string }[];
}

/** All paths are relative to the root. */
interface Found {
  readonly folder: string;
  readonly name: string;
  readonly claims: readonly Judged[];
}

export interface FoundSweep extends Found {
  readonly record: SweepRecord;
}

export interface FoundRun extends Found {
  readonly config: Pick<RunConfig, 'experiment' | 'preset' | 'settings' | 'started'> | null;
  readonly testAccuracy: number;
  readonly samples: number;
}

export type FoundTheory = Found;

export function collect(root: string): Collection {
  const damaged: Collection['damaged'][number][] = [];
  const read = <T>(path: string): T[] => {
    try {
      return [JSON.parse(readFileSync(join(root, path), 'utf8')) as T];
    } catch (cause) {
      damaged.push({ path, reason: (cause as Error).message });
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

  const sweeps = holding(below('sweeps'), 'sweep.json').flatMap((folder) =>
    read<SweepRecord>(`${folder}/sweep.json`).flatMap((record): FoundSweep[] => {
      const name = `${record.name} · ${record.preset}`;
      if (record.schema !== 'collimate/sweep@1') {
        damaged.push({ path: `${folder}/sweep.json`, reason: `its schema is ${record.schema}` });
        return [];
      }
      return [{ folder, name, record, claims: record.claims.map(fromSweep) }];
    }),
  );
  const shared = new Set(sweeps.flatMap(({ record }) => record.runs.map(({ id }) => `runs/${id}`)));
  const folders = [...below('').filter((f) => !['sweeps', 'runs', THEORY].includes(f)), ...below('runs')];
  const runs = holding(folders.flatMap(below), 'analysis.json')
    .filter((folder) => !shared.has(folder))
    .flatMap((folder) =>
      read<Analysis>(`${folder}/analysis.json`).flatMap(({ schema, claims, trained }): FoundRun[] => {
        if (schema !== ANALYSIS_FORMAT) {
          damaged.push({ path: `${folder}/analysis.json`, reason: `its schema is ${schema}` });
          return [];
        }
        if (!claims) return [];
        const config = existsSync(join(root, folder, 'config.json'))
          ? (read<NonNullable<FoundRun['config']>>(`${folder}/config.json`)[0] ?? null)
          : null;
        const { testAccuracy, samples } = trained;
        return [
          {
            folder,
            name: folder,
            config,
            claims: claims.map(fromRun),
            testAccuracy,
            samples: samples.length,
          },
        ];
      }),
    );
  const theory = holding(below(THEORY), 'theory.json').flatMap((folder) =>
    read<Pick<Theory, 'claims'>>(`${folder}/theory.json`).map(
      ({ claims }): FoundTheory => ({
        folder,
        name: folder.replace('/', ' · '),
        claims: claims.map(fromTheory),
      }),
    ),
  );
  return { root, sweeps, runs, theory, damaged };
}

const THEORY = 'unconstrained-jacobians';
