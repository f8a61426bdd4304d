import { Command } from 'commander';
import { command, invocation } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { findExperiment } from '../experiments/given-settings.ts';
import { parsePlan, type Sweep } from '../experiments/sweep.ts';
import { sweeps, sweepsNamed } from '../experiments/sweeps/catalog.ts';
import { theorySweep } from '../experiments/sweeps/unconstrained-jacobians.ts';
import { parseNumber, real, whole } from '../settings/row.ts';
import { list } from './list.ts';
import { exitStatuses } from './main.ts';
import { adapterOption, tuneOption } from './options.ts';
import { addSettings } from './setting-options.ts';
import { runSingle, type SingleOptions } from './single.ts';
import { runSuite } from './suite.ts';
import { theoryCommand } from './theory.ts';

interface Options extends SingleOptions {
  readonly checkpointEvery: string;
  readonly seeds?: string;
  readonly jobs?: string;
  readonly shard?: string;
}

const program = new Command(invocation('reproduce'))
  .description(
    'Trains residual networks and their controls and measures Residual Alignment in them: one experiment, or a sweep of many runs.',
  )
  .argument(
    '[name]',
    'an experiment such as mnist-fc, a sweep such as ra4-depth, or `all` sweeps of the paper’s claims, or those `beyond`; `list` shows them',
  )
  .argument('[which]', 'with `list`: show all presets of this experiment or sweep')
  .option('--preset <name>', 'smoke (seconds), quick (minutes) or paper (hours) (default: quick)');
addSettings(program);
program
  .option('--no-control', 'train no control (the same network without skip connections)')
  .addOption(adapterOption())
  .option('--data-dir <folder>', 'where datasets are kept (default: $COLLIMATE_DATA, or a cache folder)')
  .option(
    '--out <folder>',
    'for a run, a new or empty folder (default: results/<experiment>/<time>-<seed>); for sweeps, the folder of all results (default: results)',
  )
  .option(
    '--resume [folder]',
    'continue an interrupted run (default: the unfinished run that was started last)',
  )
  .option('--seeds <number>', 'for sweeps: use seeds 1 to this number (default: 3, or 1 with --preset smoke)')
  .option(
    '--jobs <number>',
    'for sweeps: concurrent runs (default: one per core on a software adapter, else one per GPU)',
  )
  .option(
    '--shard <i/n>',
    'for sweeps: make only part i of n of the runs; the last part to finish writes the pages',
  )
  .option(
    '--checkpoint-every <seconds>',
    'write a checkpoint after about this many seconds of training',
    '20',
  )
  .addOption(tuneOption('on, or that of the run being resumed'))
  .option('--strict', 'exit with status 1 if a claim does not hold')
  .option(
    '--trace <file>',
    'at the end, write a timeline of dispatches for ui.perfetto.dev: of each program, such as a training step ' +
      'or an analysis step, ten runs each from the 1st, 100th, 1,000th … on',
  )
  .option('--json', 'print lines of JSON')
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Examples:
  ${command('reproduce', 'mnist-fc')}                          the main result, in minutes
  ${command('reproduce', 'mnist-fc --preset smoke')}           a first look, in seconds
  ${command('reproduce', 'mnist-fc --depth 16 --seed 2 --out results/deep')}
  ${command('reproduce', 'mnist-fc --resume')}                 continue the last interrupted run
  ${command('reproduce', 'mnist-conv')}                        the same for convolutions
  ${command('reproduce', 'ra4-depth')}                         a sweep: many runs, one report, results/index.html
  ${command('reproduce', 'all --preset quick')}                every claim of the paper, in an hour on two cores
  ${command('reproduce', 'beyond --preset quick')}             questions that the paper leaves open: docs/beyond.md
  ${command('reproduce', 'list')}                              experiments and sweeps, with times
  ${command('reproduce', 'list mnist-conv')}                   presets of one, with sizes and settings

Numeric defaults depend on the preset; \`list NAME\` shows them. A stopped run leaves a checkpoint and prints the
command that continues it.${exitStatuses('when the run is done', 'a run')}`,
  );

export async function run(words: readonly string[]): Promise<number> {
  if (words[0] === theorySweep.name) return theoryCommand(words.slice(1));
  program.parse(words, { from: 'user' });
  const options = program.opts<Options>();
  const [name, which] = program.args;
  if (name === 'list') return list(which, options);
  if (which !== undefined) {
    throw new CollimateError(`unexpected argument ${which}`, 'Name one experiment or sweep.');
  }
  if (name === undefined) return program.help({ error: true });
  const checkpointSeconds = parseNumber('--checkpoint-every', options.checkpointEvery, real(0, 86_400));
  const chosen = sweepsNamed(name);
  if (chosen.length > 0) return suite(chosen, name === 'all', options, checkpointSeconds);
  const experiment = findExperiment(name, Object.keys(sweeps));
  const misplaced = (['seeds', 'jobs', 'shard'] as const).find((option) => options[option] !== undefined);
  if (misplaced) {
    throw new CollimateError(
      `--${misplaced} does not apply to ${name}, which is a single run`,
      'Leave it out.',
    );
  }
  return runSingle(experiment, options, checkpointSeconds);
}

async function suite(
  all: readonly Sweep[],
  theory: boolean,
  options: Options,
  checkpointSeconds: number,
): Promise<number> {
  const misplaced = (['resume', 'trace', 'seed'] as const).find((option) => options[option] !== undefined);
  if (misplaced) {
    const remedies = {
      resume: 'Leave it out: a sweep always continues with its missing runs.',
      trace: 'Trace a single run.',
      seed: 'Give the number of seeds with --seeds, or start a single run.',
    };
    throw new CollimateError(`--${misplaced} does not apply to a sweep`, remedies[misplaced]);
  }
  const { jobs, shard, adapter, dataDir, tune = 'on', strict, json } = options;
  return runSuite(all, {
    ...parsePlan(options),
    jobs: jobs === undefined ? undefined : parseNumber('--jobs', jobs, whole(1, 256)),
    shard: shard === undefined ? undefined : parseShard(shard),
    theory,
    root: options.out ?? 'results',
    ...{ adapter, dataDir, tune, checkpointSeconds, strict: !!strict, json: !!json },
  });
}

/** `2/8`: the second of eight. */
function parseShard(text: string): { index: number; count: number } {
  const [i, n] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (i === undefined || n === undefined || i < 1 || i > n) {
    throw new CollimateError(`--shard is ${text}`, 'Give i/n with i from 1 to n, such as 2/8.');
  }
  return { index: i - 1, count: n };
}
