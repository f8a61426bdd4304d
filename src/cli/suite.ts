import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import { ensureDataset } from '../data/ensure.ts';
import { CollimateError } from '../errors.ts';
import { sizeOf } from '../experiments/estimate.ts';
import type { Settings } from '../experiments/experiment.ts';
import { makeFolder } from '../experiments/run-folder.ts';
import { defaultSeeds, type Level, type PlannedRun, planSweep, type Sweep } from '../experiments/sweep.ts';
import {
  noteFailure,
  recordOf,
  runFolder,
  SWEEP,
  standingOf,
  sweepFolder,
} from '../experiments/sweep-record.ts';
import type { SweepRecord } from '../experiments/sweep-results.ts';
import { Gpu } from '../gpu/device.ts';
import { gpuNames } from '../gpu/node-adapter.ts';
import type { TuneMode } from '../tuner/tuner.ts';
import { fetchBar } from './fetch-bar.ts';
import { commandLine, reportError } from './main.ts';
import { type Ending, runAll } from './pool.ts';
import { settingArguments } from './setting-options.ts';
import { suiteDisplay } from './suite-display.ts';
import { sweepTable } from './sweep-table.ts';
import type { Order } from './worker-protocol.ts';

export interface SuiteOptions {
  readonly level: Level;
  readonly seeds?: number | undefined;
  readonly changes: Partial<Settings>;
  readonly root: string;
  readonly jobs?: number | undefined;
  /** This process makes the runs whose numbers are `index` modulo `count`, from 0. */
  readonly shard?: { readonly index: number; readonly count: number } | undefined;
  readonly adapter?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly tune: TuneMode;
  readonly checkpointSeconds: number;
  readonly strict: boolean;
  readonly json: boolean;
}

/** Makes the runs of sweeps that are not there yet, then their pages and the index. Returns the exit status. */
export async function runSuite(sweeps: readonly Sweep[], options: SuiteOptions): Promise<number> {
  const { root, level, shard, json } = options;
  const seeds = options.seeds === undefined ? defaultSeeds(level) : countFrom1(options.seeds);
  const plans = sweeps.map((sweep) => ({ sweep, planned: planSweep(sweep, { ...options, seeds }) }));
  const runs = distinct(plans.flatMap(({ planned }) => planned));
  const own = byCost(runs).filter((_, i) => !shard || i % shard.count === shard.index);
  const open = own.filter((run) => {
    const { status, failure } = standingOf(root, run);
    return status === 'missing' || (status === 'failed' && !failure!.final);
  });
  const display = suiteDisplay(json);
  const end = (run: PlannedRun, ending: Ending) => {
    if (typeof ending === 'object') noteFailure(root, run, ending);
    display.end(run.id, ending);
  };

  const ready = await withData(open, options, end);
  if (ready.length > 0) {
    const workers = await workersFor(options);
    display.begin(
      ready.map((run) => ({ id: run.id, cost: costOf(run) })),
      { there: own.length - open.length, workers: workers.length },
    );
    const byId = new Map(ready.map((run) => [run.id, run]));
    try {
      await runAll(
        ready.map((run) => orderOf(root, run)),
        workers,
        {
          onProgress: ({ id }, share) => display.progress(id, share),
          onEnd: ({ id }, ending) => end(byId.get(id)!, ending),
        },
      );
    } catch (error) {
      display.close();
      const status = reportError(error);
      console.error(`To go on: ${commandLine('reproduce', process.argv.slice(2))}`);
      return status;
    }
  }
  display.close();

  const records = plans.map(({ sweep, planned }) => recordOf(root, sweep, level, planned));
  await writePages(root, records, json);
  const holds = records.every(({ claims }) => claims.every((claim) => claim.holds));
  if (json) {
    const lacking = records.flatMap(({ runs }) => runs.filter(({ status }) => status !== 'done'));
    console.log(JSON.stringify({ event: 'done', root, lacking: lacking.map(({ id }) => id), holds }));
  }
  return options.strict && !holds ? 1 : 0;
}

/** Writes the pages of sweeps whose runs have all been tried, and the index: so the last of several shards joins their results. */
async function writePages(root: string, records: readonly SweepRecord[], json: boolean): Promise<void> {
  const { writeSweepReport } = await import('../report/sweep.ts');
  const { writeIndex } = await import('../report/index-page.ts');
  for (const record of records) {
    const { name, preset, runs } = record;
    const missing = runs.filter(({ status }) => status === 'missing').length;
    if (missing > 0) {
      console.error(
        `${name}: ${missing} of ${runs.length} runs are still missing; its page is written when they are there.`,
      );
      continue;
    }
    const folder = sweepFolder(root, name, preset);
    makeFolder(folder);
    writeAtomically(join(folder, SWEEP), `${JSON.stringify(record, null, 1)}\n`);
    writeSweepReport(root, record);
    if (!json)
      console.log(`\n${record.title}\n${sweepTable(record)}\nReport: ${join(folder, 'report.html')}`);
  }
  writeIndex(root);
  if (!json) console.log(`\nIndex: ${join(root, 'index.html')}`);
}

/** The runs whose images are there. Those of the others have failed, for a reason that is not looked for again and again. */
async function withData(
  runs: readonly PlannedRun[],
  { dataDir }: SuiteOptions,
  end: (run: PlannedRun, ending: Ending) => void,
): Promise<PlannedRun[]> {
  const refusals = new Map<string, string | null>();
  const ready: PlannedRun[] = [];
  for (const run of runs) {
    const { dataset } = run.experiment;
    if (!refusals.has(dataset)) {
      const bar = fetchBar();
      try {
        await ensureDataset(dataset, { dataDir, size: run.settings.resolution, onProgress: bar.onProgress });
        refusals.set(dataset, null);
      } catch (error) {
        if (!(error instanceof CollimateError)) throw error;
        refusals.set(dataset, error.message);
      } finally {
        bar.close();
      }
    }
    const refusal = refusals.get(dataset);
    if (refusal) end(run, { reason: refusal, final: false });
    else ready.push(run);
  }
  return ready;
}

/**
 * One process for each adapter: those that are named, with commas between, or else all GPUs. Beside a software adapter, whose
 * dispatches mostly keep one core busy, one for each core. `--jobs` says otherwise.
 */
async function workersFor({ adapter, jobs, dataDir, tune, checkpointSeconds }: SuiteOptions) {
  using gpu = await Gpu.open({ adapter: adapter?.split(',')[0] });
  const { kind } = gpu.info;
  const asked = adapter ?? process.env.COLLIMATE_ADAPTER;
  const names = asked ? asked.split(',') : kind === 'hardware' ? await gpuNames() : [undefined];
  const count = jobs ?? Math.max(names.length, kind === 'software' ? availableParallelism() : 1);
  return Array.from({ length: count }, (_, i) => ({
    ...{ adapter: names[i % names.length], dataDir, tune, checkpointSeconds },
  }));
}

const distinct = (runs: readonly PlannedRun[]): PlannedRun[] => [
  ...new Map(runs.map((run) => [run.id, run])).values(),
];

/** Floating-point operations of training; analyses of snapshots are worth about an epoch each. */
const costOf = ({ experiment, settings }: PlannedRun): number => sizeOf(experiment, settings).flops;

/** The longest first, so that no process is left with one at the end, and shards are alike. */
const byCost = (runs: readonly PlannedRun[]): PlannedRun[] =>
  runs
    .map((run) => ({ run, cost: costOf(run) }))
    .sort((a, b) => b.cost - a.cost || (a.run.id < b.run.id ? -1 : 1))
    .map(({ run }) => run);

const countFrom1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** What a worker is asked for; the command is the one that would make the same run alone. */
function orderOf(root: string, run: PlannedRun): Order {
  const { experiment, preset, settings } = run;
  const folder = runFolder(root, run);
  const changed = settingArguments(settings, experiment.presets[preset]!.settings);
  const command = [experiment.name, '--preset', preset, ...changed, '--out', folder];
  return { ...run, experiment: experiment.name, folder, command: commandLine('reproduce', command) };
}
