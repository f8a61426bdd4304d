import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { commandLine } from '../command.ts';
import { CollimateError } from '../errors.ts';
import { LEVELS } from '../experiments/experiment.ts';
import { Interrupt } from '../experiments/interrupt.ts';
import { originOf } from '../experiments/run-config.ts';
import { CONFIG, RunFolder } from '../experiments/run-folder.ts';
import { SWEEP, sweepFolder } from '../experiments/sweep-record.ts';
import { theorySweep } from '../experiments/sweeps/unconstrained-jacobians.ts';
import {
  makeCells,
  modelInWords,
  THEORY_CONFIG,
  theoryDetails,
  theoryRecord,
} from '../experiments/unconstrained/run.ts';
import {
  type GivenTheory,
  resolveTheory,
  type TheorySettings,
  theoryRows,
  theoryTimes,
} from '../experiments/unconstrained/settings.ts';
import { openGpu } from '../host/open.ts';
import { needPackages, REPORT_PACKAGES } from '../host/packages.ts';
import { adapterOption } from './options.ts';
import { addNumber } from './setting-options.ts';
import { conclude } from './verdict-table.ts';

export interface TheoryOptions extends GivenTheory {
  readonly adapter?: string | undefined;
  readonly out?: string | undefined;
  readonly json?: boolean | undefined;
  readonly strict?: boolean | undefined;
}

export async function theoryCommand(args: readonly string[]): Promise<number> {
  const command = new Command(commandLine('reproduce', [theorySweep.name]))
    .description(
      'Optimizes the Unconstrained Jacobians Model from many random starts and checks the conclusions of its theory.',
    )
    .option('--preset <name>', LEVELS.map((level) => `${level} (${theoryTimes[level]})`).join(', '), 'quick');
  for (const [name, row] of Object.entries(theoryRows))
    addNumber(command, `--${name}`, row.what, row, Array.isArray(row.smoke));
  command
    .addOption(adapterOption())
    .option(
      '--out <folder>',
      `where results go (default: ${sweepFolder('results', theorySweep.name, '<preset>')})`,
    )
    .option('--strict', 'exit with status 1 if a claim does not hold')
    .option('--json', 'print lines of JSON')
    .option('--debug', 'print stack traces')
    .addHelpText('after', '\nRun the same command again to continue after an interruption.')
    .parse(args, { from: 'user' });
  using _interrupt = new Interrupt(() => console.error('To continue, run the same command again.'));
  return await runTheory(command.opts<TheoryOptions>());
}

/** Optimizes, measures, judges and reports. Returns the exit status. */
export async function runTheory(options: TheoryOptions): Promise<number> {
  const { preset, settings } = resolveTheory(options);
  needPackages('a report', REPORT_PACKAGES);
  using gpu = await openGpu({ adapter: options.adapter });
  using folder = openFolder(options.out ?? sweepFolder('results', theorySweep.name, preset), settings);
  if (!folder.has(CONFIG)) {
    const origin = originOf(gpu.info, commandLine('reproduce', process.argv.slice(3)));
    const what = { schema: THEORY_CONFIG.format, experiment: theorySweep.name, preset, settings };
    folder.writeJson(CONFIG, { ...what, ...origin });
  }
  const say = (event: string, fields: object, words: string) =>
    console.log(options.json ? JSON.stringify({ event, ...fields }) : words);
  say('fact', { name: 'adapter', value: gpu.info }, `adapter:   ${gpu.info.name}, ${gpu.info.driver}`);
  say('fact', { name: 'folder', value: folder.path }, `folder:    ${folder.path}`);
  const cells = await makeCells(gpu, folder, settings, (model, index, count) => {
    const words = `${index + 1}/${count}: ${modelInWords(model)}, ${settings.starts} starts, ${settings.steps} steps`;
    say('case', { ...model, index, count }, words);
  });
  const record = theoryRecord(preset, settings, cells, folder.read(CONFIG, THEORY_CONFIG));
  folder.writeJson(SWEEP, record);
  const { drawSweep } = await import('../report/sweep.ts'); // late, for a quick start
  const { into } = await import('../report/publish.ts');
  drawSweep(into(folder), record, theoryDetails(cells));
  return conclude(record.claims, folder.path, options);
}

/** A new folder, or one of the same settings to complete. */
function openFolder(path: string, settings: TheorySettings): RunFolder {
  const folder = RunFolder.open(path);
  if (!folder.has(CONFIG)) return folder;
  if (isDeepStrictEqual(folder.read(CONFIG, THEORY_CONFIG).settings, settings)) return folder;
  folder.release();
  throw new CollimateError(
    `the folder ${path} holds results for other settings`,
    'Give another folder with `--out`, or remove that one.',
  );
}
