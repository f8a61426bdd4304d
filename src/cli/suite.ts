import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import { ensureDataset } from '../data/fetch.ts';
import { REPORT } from '../experiments/analysis-file.ts';
import { sizeOf } from '../experiments/estimate.ts';
import type { Settings } from '../experiments/experiment.ts';
import { makeFolder } from '../experiments/run-folder.ts';
import { defaultSeeds, type Level, type PlannedRun, planSweep, type Sweep } from '../experiments/sweep.ts';
import {
  noteFailure,
  reasonOf,
  recordOf,
  runFolder,
  SWEEP,
  standingOf,
  sweepFolder,
} from '../experiments/sweep-record.ts';
import type { SweepRecord } from '../experiments/sweep-results.ts';
import { gpuNames } from '../host/node-adapter.ts';
import { openGpu } from '../host/open.ts';
import type { TuneMode } from '../tuner/tuner.ts';
import { fetchBar } from './fetch-bar.ts';
import { commandLine, reportError } from './main.ts';
import { type Ending, runAll } from './pool.ts';
import { settingArguments } from './setting-options.ts';
import { suiteDisplay } from './suite-display.ts';
import { THEORY_NAME } from './theory.ts';
import { verdictTable } from './verdict-table.ts';
import type { Order } from './worker-protocol.ts';

export interface SuiteOptions {
  readonly level: Level;
  readonly seeds?: number | undefined;
  readonly changes: Partial<Settings>;
  /** Whether to optimize the Unconstrained Jacobians Model as well. */
  readonly theory: boolean;
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

/** Something that a worker makes. */
interface Item {
  readonly id: string;
  readonly order: Order;
  /** In floating-point operations, about. */
  readonly cost: number;
  readonly open: boolean;
  readonly run?: PlannedRun;
}

/** Makes the runs of sweeps that are not there yet, then their pages and the index. Returns the exit status. */
export async function runSuite(sweeps: readonly Sweep[], options: SuiteOptions): Promise<number> {
  const { root, level, shard, json, theory } = options;
  makeFolder(root); // Before hours are spent on what cannot be written.
  const seeds = options.seeds === undefined ? defaultSeeds(level) : countFrom1(options.seeds);
  const plans = sweeps.map((sweep) => ({ sweep, planned: planSweep(sweep, { ...options, seeds }) }));
  const runs = new Map(plans.flatMap(({ planned }) => planned.map((run) => [run.id, run])));
  const all = [
    ...[...runs.values()].map((run) => runItem(root, run)),
    ...(theory ? [theoryItem(root, level)] : []),
  ];
  const own = longestFirst(all).filter((_, i) => !shard || i % shard.count === shard.index);
  const open = own.filter((item) => item.open);
  const display = suiteDisplay(json);
  let failed = 0;
  const end = ({ id, run }: Item, ending: Ending) => {
    if (run && typeof ending === 'object') noteFailure(root, run, ending);
    display.end(id, ending);
  };

  const ready = await withData(open, options, end);
  if (ready.length > 0) {
    const workers = await workersFor(options);
    display.begin(ready, {
      there: own.length - open.length,
      workers: Math.min(workers.length, ready.length),
    });
    const items = new Map(ready.map((item) => [item.id, item]));
    try {
      await runAll(
        ready.map(({ order }) => order),
        workers,
        {
          onProgress: ({ id }, share) => display.progress(id, share),
          onEnd: ({ id }, ending) => {
            if (typeof ending === 'object' && !ending.final) failed++;
            end(items.get(id)!, ending);
          },
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
  const holds = records.every(({ claims }) => claims.every((claim) => claim.verdict === 'holds'));
  if (json) {
    const lacking = records.flatMap(({ runs }) => runs.filter(({ status }) => status !== 'done'));
    console.log(JSON.stringify({ event: 'done', root, lacking: lacking.map(({ id }) => id), holds }));
  }
  if (failed > 0) {
    console.error(`${failed} of ${ready.length} runs failed; the same command tries them again.`);
    return 1;
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
      console.log(`\n${record.title}\n${sweepLines(record)}\nReport: ${join(folder, 'report.html')}`);
  }
  writeIndex(root);
  if (!json) console.log(`\nIndex: ${join(root, 'index.html')}`);
}

/** The claims of a sweep as lines for a terminal, and the runs that failed. */
const sweepLines = ({ claims, runs }: SweepRecord): string =>
  [
    verdictTable(claims),
    ...runs.filter(({ status }) => status === 'failed').map(({ id, reason }) => `${id} failed: ${reason}`),
  ].join('\n');

/** What can be made with the images that are there. The others have failed, for a reason that is not looked for again and again. */
async function withData(
  items: readonly Item[],
  { dataDir }: SuiteOptions,
  end: (item: Item, ending: Ending) => void,
): Promise<Item[]> {
  const refusals = new Map<string, string | null>();
  const ready: Item[] = [];
  for (const item of items) {
    const refusal = item.run ? await refusalOf(item.run) : null;
    if (refusal === null) ready.push(item);
    else end(item, { reason: refusal, final: false });
  }
  return ready;

  async function refusalOf({ experiment: { dataset }, settings }: PlannedRun): Promise<string | null> {
    const known = refusals.get(dataset);
    if (known !== undefined) return known;
    const bar = fetchBar();
    let refusal: string | null = null;
    try {
      await ensureDataset(dataset, { dataDir, size: settings.resolution, onProgress: bar.onProgress });
    } catch (error) {
      refusal = reasonOf(error);
    } finally {
      bar.close();
    }
    refusals.set(dataset, refusal);
    return refusal;
  }
}

/**
 * One process for each adapter: those that are named, with commas between, or else all GPUs. Beside a software adapter, whose
 * dispatches mostly keep one core busy, one for each core. `--jobs` says otherwise.
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

/** So that no process is left with a long one at the end, and shards are alike. */
const longestFirst = (items: readonly Item[]): Item[] =>
  items.toSorted((a, b) => b.cost - a.cost || (a.id < b.id ? -1 : 1));

const countFrom1 = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** A run; its command is the one that would make it alone. */
function runItem(root: string, run: PlannedRun): Item {
  const { id, experiment, preset, settings } = run;
  const folder = runFolder(root, run);
  const changed = settingArguments(settings, experiment.presets[preset]!.settings);
  const command = [experiment.name, '--preset', preset, ...changed, '--out', folder];
  const { status, failure } = standingOf(root, run);
  return {
    id,
    order: {
      ...{ ...run, kind: 'run', experiment: experiment.name, folder },
      command: commandLine('reproduce', command),
    },
    cost: sizeOf(experiment, settings).flops,
    open: status === 'missing' || (status === 'failed' && !failure!.final),
    run,
  };
}

/** The optimization of the Unconstrained Jacobians Model, which takes a few minutes at `quick`. */
function theoryItem(root: string, level: Level): Item {
  const id = `${THEORY_NAME}/${level}`;
  const folder = join(root, THEORY_NAME, level);
  return {
    id,
    order: { kind: 'theory', id, preset: level, folder },
    cost: 4e12, // It takes as long as a run of so many.
    open: !existsSync(join(folder, REPORT)),
  };
}
