import { join } from 'node:path';
import { Command } from 'commander';
import type { Experiment } from '../experiments/experiment.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { labels, reproduce } from '../experiments/reproduce.ts';
import { describeRun } from '../experiments/run-config.ts';
import { CHECKPOINT, defaultRunPath, RunFolder } from '../experiments/run-folder.ts';
import {
  findExperiment,
  type GivenSettings,
  parseNumber,
  ranges,
  resolveSettings,
} from '../experiments/settings.ts';
import { DivergedError } from '../experiments/train-run.ts';
import { type TuneMode, Tuner } from '../tuner/tuner.ts';
import { chooseDisplay } from './display.ts';
import { fetchTask } from './fetch-task.ts';
import { list } from './list.ts';
import { commandLine, main, reportError } from './main.ts';
import { findRun, goOn, openAdapter, resumeCommand } from './resume.ts';
import { traceInto } from './trace.ts';
import { tuneOption } from './tune-option.ts';
import { verdictSentence, verdictTable } from './verdict-table.ts';

interface Options extends GivenSettings {
  readonly adapter?: string;
  readonly dataDir?: string;
  readonly out?: string;
  /** A folder, or true for the latest. */
  readonly resume?: string | true;
  readonly checkpointEvery: string;
  readonly tune: TuneMode;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly trace?: string;
}

const program = new Command('npm run reproduce --')
  .description('Trains a residual network and a control, and measures Residual Alignment in both.')
  .argument('[experiment]', 'such as mnist-fc or mnist-conv; `list` shows all experiments and presets')
  .option('--preset <name>', 'smoke (seconds), quick (minutes, the default) or paper (hours)');
for (const { option, what, least, most, above } of Object.values(ranges)) {
  const numbers = most >= 1e9 ? `${above ? 'above' : 'from'} ${least}` : `${least} to ${most}`;
  program.option(`${option} <number>`, `${what}, ${numbers}`);
}
program
  .option('--activation <name>', 'σ after each block: relu or identity')
  .option('--no-control', 'train no network without skip connections beside')
  .option('--adapter <name>', 'gpu, system, swiftshader or a part of a name (default: $COLLIMATE_ADAPTER)')
  .option('--data-dir <folder>', 'where datasets are kept (default: $COLLIMATE_DATA, or a cache folder)')
  .option('--out <folder>', 'a new or empty folder (default: results/<experiment>/<time>-<seed>)')
  .option('--resume [folder]', 'go on with a run that was cut off, by default the latest')
  .option('--checkpoint-every <seconds>', 'of training, about', '20')
  .addOption(tuneOption())
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
  npm run reproduce -- mnist-fc --resume                 go on with the latest run
  npm run reproduce -- mnist-conv                        the same for convolutions
  npm run reproduce -- list                              experiments and presets, with sizes and times

What a number is by default depends on the preset. The exit status is 0 when the run is done, 1 after an error, 130
after Ctrl-C, when a checkpoint has been written and the command that goes on is printed.`,
  );

await main(async () => {
  program.parse();
  const options = program.opts<Options>();
  const [name] = program.args;
  if (name === 'list') return list(options);
  if (name === undefined) return program.help({ error: true });
  return run(findExperiment(name), options);
});

async function run(experiment: Experiment, options: Options): Promise<number> {
  const checkpointSeconds = parseNumber(options.checkpointEvery, {
    option: '--checkpoint-every',
    what: 'seconds',
    whole: false,
    least: 0,
    most: 86_400,
  });
  const resumed = options.resume ? findRun(experiment, options.resume, options) : undefined;
  const { preset, settings } = resumed?.config ?? resolveSettings(experiment, options);

  const tuner = new Tuner({ mode: options.tune, pinned: resumed?.config.kernels });
  const opening = openAdapter(options.adapter, resumed?.config, tuner);
  opening.catch(() => {}); // Told below; meanwhile the images are loaded.
  const task = await fetchTask(experiment.dataset, settings, options.dataDir);
  using gpu = await opening;
  await using tracer = options.trace === undefined ? undefined : traceInto(options.trace, gpu);
  using folder = resumed
    ? RunFolder.resume(resumed.path)
    : RunFolder.create(options.out ?? defaultRunPath(experiment.name, settings.seed, new Date()));
  const config = resumed
    ? goOn(resumed.config, task.dataset, gpu.info)
    : describeRun(
        experiment,
        {
          preset,
          settings,
          command: commandLine('reproduce', process.argv.slice(2)),
        },
        task,
        gpu.info,
      );

  const display = chooseDisplay(!!options.json);
  const howToGoOn = () => {
    display.close();
    console.error(`To go on: ${resumeCommand(experiment.name, folder.path)}`);
  };
  display.fact('adapter', options.json ? gpu.info : `${gpu.info.name}, ${gpu.info.driver}`);
  display.fact('folder', folder.path);
  using interrupt = new Interrupt(howToGoOn);
  try {
    const { claims, control } = await reproduce(gpu, task, folder, config, {
      interrupt,
      tuner,
      checkpointSeconds,
      onStage(stage, network) {
        tracer?.stage(`${stage}: ${labels[network]}`);
        display.stage(stage, network);
      },
      onProgress: display.progress,
      onEpoch: display.epoch,
    });
    display.close();
    const { writeReport } = await import('../report/write.ts'); // late, for a quick start
    writeReport(folder);
    const holds = claims.every((claim) => claim.holds);
    if (options.json) {
      console.log(JSON.stringify({ event: 'done', folder: folder.path, holds, claims }));
    } else {
      console.log(`\n${verdictTable(claims, control !== undefined)}\n\n${verdictSentence(claims)}`);
      console.log(`Report: ${join(folder.path, 'report.html')}`);
    }
    return options.strict && !holds ? 1 : 0;
  } catch (error) {
    display.close();
    const status = reportError(error);
    // Going on helps neither a run that diverged nor one that never got to a checkpoint.
    if (!(error instanceof DivergedError) && folder.has(CHECKPOINT)) howToGoOn();
    return status;
  }
}
