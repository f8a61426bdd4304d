import { Command } from 'commander';
import { CollimateError } from '../errors.ts';
import { findExperiment } from '../experiments/settings.ts';
import { parsePlan, type Sweep } from '../experiments/sweep.ts';
import { sweeps, sweepsNamed } from '../experiments/sweeps/catalog.ts';
import { theorySweep } from '../experiments/sweeps/unconstrained-jacobians.ts';
import { parseNumber, real, whole } from '../settings/row.ts';
import { list } from './list.ts';
import { exitStatuses, main } from './main.ts';
import { addSettings } from './setting-options.ts';
import { runSingle, type SingleOptions } from './single.ts';
import { runSuite } from './suite.ts';
import { theoryCommand } from './theory.ts';
import { tuneOption } from './tune-option.ts';

interface Options extends SingleOptions {
  readonly checkpointEvery: string;
  readonly seeds?: string;
  readonly jobs?: string;
  readonly shard?: string;
}

const program = new Command('npm run reproduce --')
  .description(
    'Trains residual networks and controls, and measures Residual Alignment in them: one experiment, or a sweep of many runs.',
  )
  .argument(
    '[name]',
    'an experiment such as mnist-fc, a sweep such as ra4-depth, or `all` sweeps; `list` shows them',
  )
  .argument('[which]', 'with `list`: the experiment or sweep of which to show all presets')
  .option('--preset <name>', 'smoke (seconds), quick (minutes, the default) or paper (hours)');
addSettings(program);
program
  .option('--no-control', 'train no control without skip connections')
  .option('--adapter <name>', 'gpu, system, swiftshader or a part of a name (default: $COLLIMATE_ADAPTER)')
  .option('--data-dir <folder>', 'where datasets are kept (default: $COLLIMATE_DATA, or a cache folder)')
  .option(
    '--out <folder>',
    'a new or empty folder (default: results/<experiment>/<time>-<seed>); of sweeps, where all results are (default: results)',
  )
  .option(
    '--resume [folder]',
    'continue a run that was cut off (default: the last one begun of those that are not done)',
  )
  .option('--seeds <number>', 'of sweeps: seeds 1 to this (default: 3)')
  .option(
    '--jobs <number>',
    'of sweeps: runs at a time (default: as many as cores beside a software adapter, else 1)',
  )
  .option(
    '--shard <i/n>',
    'of sweeps: make the i-th of n parts of the runs; the last to finish writes the pages',
  )
  .option('--checkpoint-every <seconds>', 'of training, about', '20')
  .addOption(tuneOption('on, or as a run that goes on was begun'))
  .option('--strict', 'exit with status 1 if a claim does not hold')
  .option(
    '--trace <file>',
    'write a timeline of the dispatches for ui.perfetto.dev at the end: of each program, such as a step of training ' +
      'or of the analysis, ten runs each from the 1st, 100th, 1,000th … on',
  )
  .option('--json', 'print lines of JSON')
  .option('--debug', 'print stack traces')
  .addHelpText(
    'after',
    `
Examples:
  npm run reproduce -- mnist-fc                          the main result, in minutes
  npm run reproduce -- mnist-fc --preset smoke           a first look, in seconds
  npm run reproduce -- mnist-fc --depth 16 --seed 2 --out results/deep
  npm run reproduce -- mnist-fc --resume                 go on with the last run that was cut off
  npm run reproduce -- mnist-conv                        the same for convolutions
  npm run reproduce -- ra4-depth                         a sweep: many runs, one report, results/index.html
  npm run reproduce -- all --preset quick                every claim of the paper, in an hour on two cores
  npm run reproduce -- list                          experiments and sweeps, with times
  npm run reproduce -- list mnist-conv               presets of one, with sizes and settings

Defaults of numbers depend on the preset: \`list NAME\` shows them. A run that is stopped leaves a checkpoint and prints the
command that continues it.${exitStatuses('when the run is done', 'a run')}`,
  );

await main(async () => {
  if (process.argv[2] === theorySweep.name) return theoryCommand(process.argv.slice(3));
  program.parse();
  const options = program.opts<Options>();
  const [name, which] = program.args;
  if (name === 'list') return list(which, options);
  if (which !== undefined) {
    throw new CollimateError(`${which} is one argument too many`, 'Name one experiment or sweep.');
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
});

async function suite(
  all: readonly Sweep[],
  theory: boolean,
  options: Options,
  checkpointSeconds: number,
): Promise<number> {
  const misplaced = (['resume', 'trace', 'seed'] as const).find((option) => options[option] !== undefined);
  if (misplaced) {
    const remedies = {
      resume: 'Leave it out: a sweep goes on by itself with what is not there yet.',
      trace: 'Trace a single run.',
      seed: 'Give the number of seeds by --seeds, or make a single run.',
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
