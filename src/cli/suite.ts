import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import { commandLine } from '../command.ts';
import { packagesOf } from '../data/datasets.ts';
import { REPORT } from '../experiments/analysis-file.ts';
import { workOf } from '../experiments/estimate.ts';
import type { Level } from '../experiments/experiment.ts';
import { findExperiment } from '../experiments/given-settings.ts';
import { makeFolder } from '../experiments/run-folder.ts';
import { distinct, type PlannedRun, type PlanOptions, planSweep, type Sweep } from '../experiments/sweep.ts';
import type { SweepRecord } from '../experiments/sweep-file.ts';
import {
  noteFailure,
  reasonOf,
  recordOf,
  runFolder,
  SWEEP,
  standingOf,
  sweepFolder,
} from '../experiments/sweep-record.ts';
import { theorySweep } from '../experiments/sweeps/unconstrained-jacobians.ts';
import { gpuNames } from '../host/node-adapter.ts';
import { openGpu } from '../host/open.ts';
import { needPackages, REPORT_PACKAGES } from '../host/packages.ts';
import { fetchDataset } from './fetching.ts';
import { reportError } from './main.ts';
import { type Ending, type Order, type RunOrder, runAll, type WorkerOptions } from './pool.ts';
import { settingArguments } from './setting-options.ts';
import { suiteDisplay } from './suite-display.ts';
import { verdictLines } from './verdict-table.ts';

export interface SuiteOptions extends PlanOptions, WorkerOptions {
  /** Whether to optimize the Unconstrained Jacobians Model as well. */
  readonly theory: boolean;
  readonly root: string;
  readonly jobs?: number | undefined;
  /** This process makes runs number `index` modulo `count`, from 0. */
  readonly shard?: { readonly index: number; readonly count: number } | undefined;
  readonly strict: boolean;
  readonly json: boolean;
}

/** Makes the missing runs of sweeps, then their pages and the index. Returns the exit status. */
export async function runSuite(sweeps: readonly Sweep[], options: SuiteOptions): Promise<number> {
  const { root, level, shard, json, theory } = options;
  const plans = sweeps.map((sweep) => ({ sweep, planned: planSweep(sweep, options) }));
  const all = distinct(plans.map(({ planned }) => planned)).map((run): Order => runOrder(root, run));
  if (theory) all.push(theoryOrder(root, level));
  // Longest first, so that no process ends on a long one, and shards take about as long.
  const own = all
    .sort((a, b) => b.cost - a.cost || (a.id < b.id ? -1 : 1))
    .filter((_, i) => !shard || i % shard.count === shard.index);
  const open = own.filter((order) => isOpen(root, order));
  const used = open.flatMap((order) =>
    order.kind === 'run' ? findExperiment(order.experiment).dataset : [],
  );
  needPackages('the experiments', [...REPORT_PACKAGES, ...packagesOf(used, options.dataDir)]);
  makeFolder(root); // Before hours are spent on what cannot be written.
  const display = suiteDisplay(json);
  let failed = 0;
  const end = (order: Order, ending: Ending) => {
    if (typeof ending === 'object' && order.kind === 'run') noteFailure(root, order, ending);
    display.end(order.id, ending);
  };

  const ready = await withData(open, options, (order, reason) => end(order, { reason, final: false }));
  if (ready.length > 0) {
    const workers = (await workersFor(options)).slice(0, ready.length);
    display.begin(ready, { there: own.length - open.length, workers: workers.length });
    try {
      await runAll(ready, workers, {
        progress: ({ id }, share) => display.progress(id, share),
        end(order, ending) {
          if (typeof ending === 'object' && !ending.final) failed++;
          end(order, ending);
        },
      });
    } catch (error) {
      display.close();
      const status = reportError(error);
      console.error(`To continue: ${commandLine('reproduce', process.argv.slice(3))}`);
      return status;
    }
  }
  display.close();

  const records = plans.map(({ sweep, planned }) => recordOf(root, sweep, level, planned));
  await writePages(root, records, json);
  const holds = records.every(({ claims }) => claims.every((claim) => claim.verdict === 'holds'));
  if (json) {
    const lacking = records.flatMap(({ runs }) => runs.filter(({ status }) => status !== 'done'));
    console.log(JSON.stringify({ event: 'done', root, lacking: lacking.map(({ id }) => id), holds }));
  }
  if (failed > 0) {
    console.error(`${failed} of ${ready.length} runs failed; run the same command to retry them.`);
    return 1;
  }
  return options.strict && !holds ? 1 : 0;
}

/** Writes the pages of sweeps whose runs have all been tried, and the index: the last shard joins them. */
async function writePages(root: string, records: readonly SweepRecord[], json: boolean): Promise<void> {
  const { writeSweepReport } = await import('../report/sweep.ts');
  const { writeIndex } = await import('../report/index-page.ts');
  for (const record of records) {
    const { name, preset, runs } = record;
    const missing = runs.filter(({ status }) => status === 'missing').length;
    if (missing > 0) {
      console.error(
        `${name}: ${missing} of ${runs.length} runs are still missing; its page is written when they are done.`,
      );
      continue;
    }
    const folder = sweepFolder(root, name, preset);
    makeFolder(folder);
    writeAtomically(join(folder, SWEEP), `${JSON.stringify(record, null, 1)}\n`);
    writeSweepReport(root, record);
    if (!json)
      console.log(`\n${record.title}\n${sweepLines(record)}\nReport: ${join(folder, 'report.html')}`);
  }
  writeIndex(root);
  if (!json) console.log(`\nIndex: ${join(root, 'index.html')}`);
}

/** The claims of a sweep as lines for a terminal, and the runs that failed. */
const sweepLines = ({ claims, runs }: SweepRecord): string =>
  [
    verdictLines(claims),
    ...runs.filter(({ status }) => status === 'failed').map(({ id, reason }) => `${id} failed: ${reason}`),
  ].join('\n');

/** A run's order, with the command that would make the run alone. */
function runOrder(root: string, run: PlannedRun): RunOrder {
  const { id, seed, experiment, preset, settings } = run;
  const folder = runFolder(root, run);
  const changed = settingArguments(settings, experiment.presets[preset].settings);
  return {
    ...{ kind: 'run', id, seed, experiment: experiment.name, preset, settings, folder },
    command: commandLine('reproduce', [experiment.name, '--preset', preset, ...changed, '--out', folder]),
    cost: workOf(experiment, settings).flops,
  };
}

const theoryOrder = (root: string, preset: Level): Order => ({
  ...{ kind: 'theory', id: `${theorySweep.name}/${preset}`, preset },
  folder: sweepFolder(root, theorySweep.name, preset),
  cost: 4e12, // It takes as long as a run of so many.
});

/** Whether anything is left to do. */
function isOpen(root: string, order: Order): boolean {
  if (order.kind === 'theory') return !existsSync(join(order.folder, REPORT));
  const { status, failure } = standingOf(root, order);
  return status === 'missing' || (status === 'failed' && !failure!.final);
}

/** The orders whose images are at hand; if a dataset cannot be fetched, all its runs are refused. */
async function withData(
  orders: readonly Order[],
  { dataDir }: SuiteOptions,
  refuse: (order: Order, reason: string) => void,
): Promise<Order[]> {
  const refusals = new Map<string, string | null>();
  const ready: Order[] = [];
  for (const order of orders) {
    const dataset = order.kind === 'run' ? findExperiment(order.experiment).dataset : undefined;
    if (order.kind === 'run' && dataset && !refusals.has(dataset)) {
      const fetched = fetchDataset(dataset, { dataDir, size: order.settings.resolution });
      refusals.set(dataset, await fetched.then(() => null, reasonOf));
    }
    const refusal = dataset && refusals.get(dataset);
    if (refusal) refuse(order, refusal);
    else ready.push(order);
  }
  return ready;
}

/**
 * One process per adapter, named with commas between or else all GPUs; with a software adapter, whose
 * dispatches mostly keep one core busy, one per core. `--jobs` sets another number.
 */
async function workersFor({ adapter, jobs, dataDir, tune, checkpointSeconds }: SuiteOptions) {
  using gpu = await openGpu({ adapter: adapter?.split(',')[0] });
  const { kind } = gpu.info;
  const asked = adapter ?? process.env.COLLIMATE_ADAPTER;
  const names = asked ? asked.split(',') : kind === 'hardware' ? await gpuNames() : [undefined];
  const count = jobs ?? Math.max(names.length, kind === 'software' ? availableParallelism() : 1);
  return Array.from({ length: count }, (_, i) => ({
    ...{ adapter: names[i % names.length], dataDir, tune, checkpointSeconds },
  }));
}
