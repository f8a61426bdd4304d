import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { writeAtomically } from '../atomic-write.ts';
import { command, commandLine, invocation, quote } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { LEVELS, type Level } from '../experiments/experiment.ts';
import { CONFIG, makeFolder } from '../experiments/run-folder.ts';
import { distinct, type GivenPlan, type PlannedRun, parsePlan, planSweep } from '../experiments/sweep.ts';
import { runFolder, standingOf } from '../experiments/sweep-record.ts';
import { suites, sweeps, sweepsNamed } from '../experiments/sweeps/catalog.ts';
import { parseNumber, whole } from '../settings/row.ts';
import { adapterOption, tuneOption } from './options.ts';
import { addSettings } from './setting-options.ts';
import { checkTime, sbatch, slurmScript, timesIn } from './slurm.ts';
import { alignColumns } from './verdict-table.ts';

/** Beyond this a part is not worth a task, which opens a device and reads images. */
const MAX_TASKS = 16;
const PROGRAM = fileURLToPath(new URL('./collimate.ts', import.meta.url));

interface Plan extends GivenPlan {
  readonly out: string;
}

interface Submission extends Plan {
  readonly shards?: string;
  readonly dataDir?: string;
  readonly dryRun?: boolean;
}

/** Options that go to sbatch by the same name. */
const SBATCH = ['time', 'partition', 'gres'];
/** Options that go to `reproduce` in another form, or not at all. */
const OWN = [...SBATCH, 'slurm', 'shards', 'dryRun', 'out', 'dataDir', 'debug'];

let outcome = 0;

function planned(name: string, description: string): Command {
  const command = new Command(name)
    .description(description)
    .argument('<sweep>', 'such as ra4-depth, or `all`, or `beyond`')
    .option('--preset <name>', `${LEVELS.join(', ')} (default: quick)`)
    .option('--seeds <number>', 'use seeds 1 to this number (default: 3, or 1 with --preset smoke)')
    .option('--out <folder>', 'folder of all results', 'results');
  addSettings(command);
  return command
    .option('--no-control', 'train no control (the same network without skip connections)')
    .option('--debug', 'print stack traces');
}

const submit = planned(
  'submit',
  'Submits the runs of a sweep to a cluster, as tasks that each make some of them.',
)
  .argument('[sbatch...]', 'other sbatch options, after --')
  .requiredOption('--slurm', 'as a Slurm array job')
  .option('--shards <number>', `tasks (default: one for each run, at most ${MAX_TASKS})`)
  .option('--time <limit>', 'limit of each task, which is requeued until its runs are done')
  .option('--partition <name>', 'partition in which tasks run')
  .option('--gres <list>', 'resources of each task, such as gpu:1')
  .option('--dry-run', 'write the script and print it, but submit nothing')
  .addOption(adapterOption())
  .option('--data-dir <folder>', 'where datasets are kept (default: $COLLIMATE_DATA, or a cache folder)')
  .option('--jobs <number>', 'concurrent runs in each task')
  .addOption(tuneOption())
  .addHelpText(
    'after',
    `
Example:
  ${command('sweep', 'submit --slurm ra4-depth --shards 8 --time 02:00:00 --gres gpu:1 -- --cpus-per-task=4')}

All nodes must share the results folder. Fetch datasets first with \`${command('data')}\`: nodes may have no network.`,
  )
  .action((sweep: string, others: string[], options: Submission) => {
    outcome = submitToSlurm(sweep, others, options);
  });

const status = planned('status', 'Shows which runs of a sweep are done, begun, failed or missing.').action(
  (sweep: string, options: Plan) => {
    outcome = printStatus(sweep, options);
  },
);

export async function run(words: readonly string[]): Promise<number> {
  await new Command(invocation('sweep'))
    .description(
      `Submits sweeps to a cluster and shows their progress. \`${command('reproduce')}\` makes them here.`,
    )
    .addCommand(submit)
    .addCommand(status)
    .parseAsync(words, { from: 'user' });
  return outcome;
}

function submitToSlurm(sweep: string, others: readonly string[], options: Submission): number {
  const { level, runs } = planOf(sweep, options);
  const { shards, out, dataDir, dryRun } = options;
  for (const limit of [submit.getOptionValue('time') as string | undefined, ...timesIn(others)])
    if (limit !== undefined) checkTime(limit);
  const logs = resolve(out, 'slurm');
  const name = `${sweep}.${level}`;
  const places = { '--data-dir': dataDir, '--out': out };
  const script = slurmScript({
    ...{ name, logs },
    tasks:
      shards === undefined
        ? Math.min(runs.length, MAX_TASKS)
        : parseNumber('--shards', shards, whole(1, 1000)),
    folder: process.cwd(),
    command: [
      process.execPath,
      ...(PROGRAM.endsWith('.ts') ? ['--import', 'tsx'] : []),
      PROGRAM,
      'reproduce',
      sweep,
      ...typed(submit, (option) => !OWN.includes(option)),
      ...Object.entries(places).flatMap(([option, path]) =>
        path === undefined ? [] : [option, resolve(path)],
      ),
    ],
    options: Object.fromEntries(
      SBATCH.flatMap((option) => {
        const value = submit.getOptionValue(option) as string | undefined;
        return value === undefined ? [] : [[option, value]];
      }),
    ),
  });
  makeFolder(logs);
  const file = join(logs, `${name}.sh`);
  writeAtomically(file, script);
  if (dryRun) {
    process.stdout.write(script);
    console.error(`Nothing was submitted. To submit: ${['sbatch', ...others, file].map(quote).join(' ')}`);
    return 0;
  }
  const job = sbatch(file, others);
  const plan = typed(submit, (option) => status.options.some((own) => own.attributeName() === option));
  console.log(`Submitted job ${job} with ${runs.length} runs; its logs are in ${logs}`);
  console.log(
    `To see its progress: ${commandLine('sweep', ['status', sweep, ...plan])}, or squeue --job ${job}`,
  );
  return 0;
}

function printStatus(sweep: string, options: Plan): number {
  const { runs } = planOf(sweep, options);
  const standings = runs.map((run) => ({ id: run.id, ...standing(options.out, run) }));
  const rest = standings.filter(({ status }) => status !== 'done');
  if (rest.length > 0)
    console.log(`${alignColumns(rest.map(({ id, status, reason }) => [id, status, reason]))}\n`);
  const counts = ['done', 'begun', 'missing', 'failed'].map(
    (status) => `${standings.filter((run) => run.status === status).length} ${status}`,
  );
  console.log(`${runs.length} runs: ${counts.join(', ')}`);
  return 0;
}

function standing(root: string, run: PlannedRun): { status: string; reason: string } {
  const { status, failure } = standingOf(root, run);
  const begun = status === 'missing' && existsSync(join(runFolder(root, run), CONFIG));
  return { status: begun ? 'begun' : status, reason: failure?.reason ?? '' };
}

/** The runs that `reproduce` would make, each once. */
function planOf(name: string, options: Plan): { level: Level; runs: PlannedRun[] } {
  const plan = parsePlan(options);
  const chosen = sweepsNamed(name);
  if (chosen.length === 0) {
    throw new CollimateError(
      `there is no sweep ${name}`,
      `Give one of ${[...Object.keys(sweeps), ...Object.keys(suites)].join(', ')}.`,
    );
  }
  return { level: plan.level, runs: distinct(chosen.map((sweep) => planSweep(sweep, plan))) };
}

/** Options as they were given on the command line. */
function typed(command: Command, included: (option: string) => boolean): string[] {
  return command.options.flatMap((option) => {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli' || !included(name)) return [];
    const value: unknown = command.getOptionValue(name);
    return typeof value === 'string' ? [option.long!, value] : [option.long!];
  });
}
